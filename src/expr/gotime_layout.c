#include <stdint.h>
#include <stdio.h>
#include <strings.h>

#include "expr/gotime.h"

typedef enum field {
    F_TEXT,
    F_LONG_MONTH,
    F_MONTH,
    F_NUM_MONTH,
    F_ZERO_MONTH,
    F_LONG_WEEKDAY,
    F_WEEKDAY,
    F_DAY,
    F_UNDER_DAY,
    F_ZERO_DAY,
    F_UNDER_YEAR_DAY,
    F_ZERO_YEAR_DAY,
    F_HOUR,
    F_HOUR12,
    F_ZERO_HOUR12,
    F_MINUTE,
    F_ZERO_MINUTE,
    F_SECOND,
    F_ZERO_SECOND,
    F_LONG_YEAR,
    F_YEAR,
    F_PM,
    F_LOWER_PM,
    F_ZONE,
    F_Z0700,
    F_Z07_00,
    F_Z07,
    F_Z070000,
    F_Z07_00_00,
    F_0700,
    F_07_00,
    F_07,
    F_070000,
    F_07_00_00,
    F_FRACTION0,
    F_FRACTION9
} field;

/* The longer before what it begins with. */
static const struct {
    const char *text;
    field field;
} fields[] = {{"January", F_LONG_MONTH},
              {"Jan", F_MONTH},
              {"Monday", F_LONG_WEEKDAY},
              {"Mon", F_WEEKDAY},
              {"MST", F_ZONE},
              {"01", F_ZERO_MONTH},
              {"002", F_ZERO_YEAR_DAY},
              {"02", F_ZERO_DAY},
              {"03", F_ZERO_HOUR12},
              {"04", F_ZERO_MINUTE},
              {"05", F_ZERO_SECOND},
              {"06", F_YEAR},
              {"15", F_HOUR},
              {"1", F_NUM_MONTH},
              {"2006", F_LONG_YEAR},
              {"2", F_DAY},
              {"__2", F_UNDER_YEAR_DAY},
              {"_2", F_UNDER_DAY},
              {"3", F_HOUR12},
              {"4", F_MINUTE},
              {"5", F_SECOND},
              {"PM", F_PM},
              {"pm", F_LOWER_PM},
              {"-07:00:00", F_07_00_00},
              {"-070000", F_070000},
              {"-07:00", F_07_00},
              {"-0700", F_0700},
              {"-07", F_07},
              {"Z07:00:00", F_Z07_00_00},
              {"Z070000", F_Z070000},
              {"Z07:00", F_Z07_00},
              {"Z0700", F_Z0700},
              {"Z07", F_Z07}};

static const char *const months[] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};
static const char *const weekdays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                       "Thursday", "Friday", "Saturday"};

const char *weir__gotime_month(int month) {
    return month >= 1 && month <= 12 ? months[month - 1] : "%!Month";
}

const char *weir__gotime_weekday(int weekday) {
    return weekday >= 0 && weekday < 7 ? weekdays[weekday] : "%!Weekday";
}

static bool is_digit(weir_str text, size_t at) {
    return at < text.length && text.data[at] >= '0' && text.data[at] <= '9';
}

/* ".000" and ".999", also with a comma: as many digits, or at most as many, if no digit follows. */
static field fraction_at(weir_str layout, size_t at, size_t *length) {
    char c = layout.data[at];
    if (c != '.' && c != ',') return F_TEXT;
    char digit = at + 1 < layout.length ? layout.data[at + 1] : '\0';
    if (digit != '0' && digit != '9') return F_TEXT;
    size_t end = at + 1;
    while (end < layout.length && layout.data[end] == digit) end++;
    if (is_digit(layout, end)) return F_TEXT;
    *length = end - at;
    return digit == '0' ? F_FRACTION0 : F_FRACTION9;
}

/* The first field at or behind `at`: where, and how long. F_TEXT: there is none. */
static field next_field(weir_str layout, size_t at, size_t *where, size_t *length) {
    for (; at < layout.length; at++) {
        weir_str rest = weir_str_slice(layout, at, layout.length);
        field fraction = fraction_at(layout, at, length);
        *where = at;
        if (fraction != F_TEXT) return fraction;
        for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
            weir_str text = weir_str_from(fields[i].text);
            if (!weir_str_starts(rest, text)) continue;
            /* "Jan" is none in "January2"; "_2006" is a text and a year */
            if (fields[i].field == F_MONTH || fields[i].field == F_WEEKDAY) {
                char after = rest.length > 3 ? rest.data[3] : '\0';
                if (after >= 'a' && after <= 'z') continue;
            }
            if (fields[i].field == F_UNDER_DAY && weir_str_starts(rest, WEIR_STR("_2006"))) {
                ++*where;
                *length = 4;
                return F_LONG_YEAR;
            }
            *length = text.length;
            return fields[i].field;
        }
    }
    *where = layout.length;
    *length = 0;
    return F_TEXT;
}

static void print_offset(int32_t offset, field f, weir_buffer *out) {
    bool zulu = f >= F_Z0700 && f <= F_Z07_00_00;
    if (zulu && offset == 0) {
        weir_buffer_byte(out, 'Z');
        return;
    }
    int32_t size = offset < 0 ? -offset : offset;
    bool colon = f == F_Z07_00 || f == F_Z07_00_00 || f == F_07_00 || f == F_07_00_00;
    weir_buffer_printf(out, "%c%02d", offset < 0 ? '-' : '+', size / 3600);
    if (f != F_Z07 && f != F_07)
        weir_buffer_printf(out, "%s%02d", colon ? ":" : "", size / 60 % 60);
    if (f == F_Z070000 || f == F_070000 || f == F_Z07_00_00 || f == F_07_00_00)
        weir_buffer_printf(out, "%s%02d", colon ? ":" : "", size % 60);
}

static void print_fraction(const x_time *t, weir_str mark, bool exact, weir_buffer *out) {
    char digits[16];
    size_t length = mark.length - 1;
    snprintf(digits, sizeof digits, "%09d", t->nanos);
    if (length > 9) length = 9;
    if (!exact) {
        while (length > 0 && digits[length - 1] == '0') length--;
        if (length == 0) return;
    }
    weir_buffer_byte(out, mark.data[0]);
    weir_buffer_append(out, digits, length);
}

static void print_zone(const x_time *t, weir_buffer *out) {
    if (*t->name) {
        weir_buffer_text(out, t->name);
        return;
    }
    print_offset(t->offset, t->offset % 3600 ? F_0700 : F_07, out);
}

static void print_field(const x_time *t, const x_date *d, field f, weir_str mark,
                        weir_buffer *out) {
    int hour12 = d->hour % 12 ? d->hour % 12 : 12;
    switch (f) {
    case F_LONG_MONTH: weir_buffer_text(out, months[d->month - 1]); break;
    case F_MONTH: weir_buffer_append(out, months[d->month - 1], 3); break;
    case F_NUM_MONTH: weir_buffer_printf(out, "%d", d->month); break;
    case F_ZERO_MONTH: weir_buffer_printf(out, "%02d", d->month); break;
    case F_LONG_WEEKDAY: weir_buffer_text(out, weekdays[d->weekday]); break;
    case F_WEEKDAY: weir_buffer_append(out, weekdays[d->weekday], 3); break;
    case F_DAY: weir_buffer_printf(out, "%d", d->day); break;
    case F_UNDER_DAY: weir_buffer_printf(out, "%2d", d->day); break;
    case F_ZERO_DAY: weir_buffer_printf(out, "%02d", d->day); break;
    case F_UNDER_YEAR_DAY: weir_buffer_printf(out, "%3d", d->year_day); break;
    case F_ZERO_YEAR_DAY: weir_buffer_printf(out, "%03d", d->year_day); break;
    case F_HOUR: weir_buffer_printf(out, "%02d", d->hour); break;
    case F_HOUR12: weir_buffer_printf(out, "%d", hour12); break;
    case F_ZERO_HOUR12: weir_buffer_printf(out, "%02d", hour12); break;
    case F_MINUTE: weir_buffer_printf(out, "%d", d->minute); break;
    case F_ZERO_MINUTE: weir_buffer_printf(out, "%02d", d->minute); break;
    case F_SECOND: weir_buffer_printf(out, "%d", d->second); break;
    case F_ZERO_SECOND: weir_buffer_printf(out, "%02d", d->second); break;
    case F_LONG_YEAR: weir_buffer_printf(out, "%04lld", (long long)d->year); break;
    case F_YEAR: weir_buffer_printf(out, "%02d", (int)((d->year % 100 + 100) % 100)); break;
    case F_PM: weir_buffer_text(out, d->hour >= 12 ? "PM" : "AM"); break;
    case F_LOWER_PM: weir_buffer_text(out, d->hour >= 12 ? "pm" : "am"); break;
    case F_ZONE: print_zone(t, out); break;
    case F_FRACTION0:
    case F_FRACTION9: print_fraction(t, mark, f == F_FRACTION0, out); break;
    case F_TEXT: break;
    default: print_offset(t->offset, f, out); break;
    }
}

void weir__gotime_format(const x_time *t, weir_str layout, weir_buffer *out) {
    x_date date = weir__gotime_date(t);
    for (size_t at = 0, where, length; at < layout.length; at = where + length) {
        field f = next_field(layout, at, &where, &length);
        weir_buffer_str_append(out, weir_str_slice(layout, at, where));
        print_field(t, &date, f, weir_str_slice(layout, where, where + length), out);
        if (f == F_TEXT) break;
    }
}

/* --- reading */

typedef struct reading {
    weir_str text;
    size_t at;
    int64_t year;
    int month, day, year_day, hour, minute, second, nanos;
    bool pm, pm_set, has_offset;
    int32_t offset;
    char zone[8];
} reading;

/* `least` to `most` digits. */
static bool read_digits(reading *r, int least, int most, int *out) {
    int n = 0;
    for (*out = 0; n < most && is_digit(r->text, r->at); n++)
        *out = *out * 10 + (r->text.data[r->at++] - '0');
    return n >= least;
}

static bool read_name(reading *r, const char *const *names, int count, size_t letters, int *out) {
    for (int i = 0; i < count; i++) {
        size_t length = letters ? letters : strlen(names[i]);
        weir_str text = weir_str_slice(r->text, r->at, r->at + length);
        if (text.length != length || strncasecmp(text.data, names[i], length) != 0) continue;
        r->at += length;
        *out = i;
        return true;
    }
    return false;
}

static bool read_offset(reading *r, field f) {
    bool zulu = f >= F_Z0700 && f <= F_Z07_00_00;
    bool colon = f == F_Z07_00 || f == F_Z07_00_00 || f == F_07_00 || f == F_07_00_00;
    bool seconds = f == F_Z070000 || f == F_070000 || f == F_Z07_00_00 || f == F_07_00_00;
    char sign = r->at < r->text.length ? r->text.data[r->at++] : '\0';
    r->has_offset = true;
    if (zulu && sign == 'Z') return r->offset = 0, true;
    int hours, minutes = 0, last = 0;
    if ((sign != '+' && sign != '-') || !read_digits(r, 2, 2, &hours)) return false;
    for (int i = 0; i < (f == F_Z07 || f == F_07 ? 0 : seconds ? 2 : 1); i++) {
        if (colon && (r->at >= r->text.length || r->text.data[r->at++] != ':')) return false;
        if (!read_digits(r, 2, 2, i ? &last : &minutes)) return false;
    }
    if (hours > 24 || minutes >= 60 || last >= 60) return false;
    r->offset = (hours * 3600 + minutes * 60 + last) * (sign == '-' ? -1 : 1);
    return true;
}

static bool read_fraction(reading *r, size_t exactly) {
    size_t from = ++r->at;
    int value = 0, digits = 0;
    for (; is_digit(r->text, r->at); r->at++)
        if (digits < 9) value = value * 10 + (r->text.data[r->at] - '0'), digits++;
    for (; digits < 9; digits++) value *= 10;
    r->nanos = value;
    return r->at > from && (!exactly || r->at - from == exactly);
}

static bool fraction_next(const reading *r) {
    return r->at + 1 < r->text.length &&
           (r->text.data[r->at] == '.' || r->text.data[r->at] == ',') &&
           is_digit(r->text, r->at + 1);
}

static bool read_zone(reading *r) {
    size_t length = 0;
    weir_str rest = weir_str_slice(r->text, r->at, r->text.length);
    while (length < rest.length && rest.data[length] >= 'A' && rest.data[length] <= 'Z') length++;
    if (weir_str_starts(rest, WEIR_STR("UTC"))) {
        r->at += 3;
        memcpy(r->zone, "UTC", 4);
        return true;
    }
    if (length < 3 || length > 5) return false;
    memcpy(r->zone, rest.data, length);
    r->zone[length] = '\0';
    r->at += length;
    return true;
}

static void skip_blank(reading *r) {
    if (r->at < r->text.length && r->text.data[r->at] == ' ') r->at++;
}

static bool read_date_field(reading *r, field f) {
    int value = 0;
    switch (f) {
    case F_LONG_MONTH:
    case F_MONTH:
        if (!read_name(r, months, 12, f == F_MONTH ? 3 : 0, &value)) return false;
        r->month = value + 1;
        return true;
    case F_NUM_MONTH:
    case F_ZERO_MONTH:
        return read_digits(r, f == F_ZERO_MONTH ? 2 : 1, 2, &r->month) && r->month >= 1 &&
               r->month <= 12;
    case F_LONG_WEEKDAY:
    case F_WEEKDAY: return read_name(r, weekdays, 7, f == F_WEEKDAY ? 3 : 0, &value);
    case F_UNDER_DAY: skip_blank(r); return read_digits(r, 1, 2, &r->day);
    case F_DAY:
    case F_ZERO_DAY: return read_digits(r, f == F_ZERO_DAY ? 2 : 1, 2, &r->day);
    case F_UNDER_YEAR_DAY:
        skip_blank(r);
        skip_blank(r);
        return read_digits(r, 1, 3, &r->year_day);
    case F_ZERO_YEAR_DAY: return read_digits(r, 3, 3, &r->year_day);
    case F_YEAR:
        if (!read_digits(r, 2, 2, &value)) return false;
        r->year = value >= 69 ? value + 1900 : value + 2000;
        return true;
    default:
        if (!read_digits(r, 4, 4, &value)) return false;
        r->year = value;
        return true;
    }
}

static bool read_field(reading *r, field f, weir_str mark, field following) {
    static const char *const halves[] = {"AM", "PM"};
    int half;
    switch (f) {
    case F_HOUR: return read_digits(r, 1, 2, &r->hour) && r->hour < 24;
    case F_HOUR12:
    case F_ZERO_HOUR12:
        return read_digits(r, f == F_ZERO_HOUR12 ? 2 : 1, 2, &r->hour) && r->hour <= 12;
    case F_MINUTE:
    case F_ZERO_MINUTE:
        return read_digits(r, f == F_ZERO_MINUTE ? 2 : 1, 2, &r->minute) && r->minute < 60;
    case F_SECOND:
    case F_ZERO_SECOND:
        if (!read_digits(r, f == F_ZERO_SECOND ? 2 : 1, 2, &r->second) || r->second >= 60)
            return false;
        /* a fraction may stand there though the layout has none */
        return following == F_FRACTION0 || following == F_FRACTION9 || !fraction_next(r) ||
               read_fraction(r, 0);
    case F_PM:
    case F_LOWER_PM:
        if (!read_name(r, halves, 2, 0, &half)) return false;
        r->pm = half == 1;
        return r->pm_set = true;
    case F_ZONE: return read_zone(r);
    case F_FRACTION0: return fraction_next(r) && read_fraction(r, mark.length - 1);
    case F_FRACTION9: return !fraction_next(r) || read_fraction(r, 0);
    default: return f >= F_ZONE ? read_offset(r, f) : read_date_field(r, f);
    }
}

/* The text between fields; a run of blanks stands for any. */
static bool read_text(reading *r, weir_str text) {
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == ' ') {
            if (r->at < r->text.length && r->text.data[r->at] != ' ') return false;
            while (i + 1 < text.length && text.data[i + 1] == ' ') i++;
            while (r->at < r->text.length && r->text.data[r->at] == ' ') r->at++;
        } else if (r->at >= r->text.length || r->text.data[r->at++] != text.data[i]) {
            return false;
        }
    }
    return true;
}

static bool finish(reading *r, const x_zone *zone, x_time *out) {
    if (r->pm_set && r->pm && r->hour < 12) r->hour += 12;
    if (r->pm_set && !r->pm && r->hour == 12) r->hour = 0;
    if (r->year_day > 0) {
        x_time day = {.seconds = weir__gotime_seconds(r->year, 1, r->year_day)};
        x_date date = weir__gotime_date(&day);
        if (date.year != r->year || (r->month && date.month != r->month) ||
            (r->day && date.day != r->day))
            return false;
        r->month = date.month;
        r->day = date.day;
    }
    if (r->month == 0) r->month = 1;
    if (r->day < 0) r->day = 1;
    x_time check = {.seconds = weir__gotime_seconds(r->year, r->month, r->day)};
    if (r->day < 1 || weir__gotime_date(&check).day != r->day) return false;
    int64_t shown = check.seconds + r->hour * 3600 + r->minute * 60 + r->second;
    if (r->has_offset) {
        *out = weir__gotime_in(shown - r->offset, r->nanos, zone ? zone : &weir__gotime_utc);
        if (out->offset != r->offset || !zone) {
            out->offset = r->offset;
            if (r->offset != 0) out->zone = NULL;
            memcpy(out->name, r->zone, sizeof out->name);
            if (r->offset == 0 && !*r->zone) memcpy(out->name, "UTC", 4);
        }
    } else if (weir_str_is(weir_str_from(r->zone), "UTC")) {
        *out = weir__gotime_in(shown, r->nanos, &weir__gotime_utc);
    } else {
        *out = weir__gotime_local(shown, r->nanos, zone ? zone : &weir__gotime_utc);
        if (*r->zone &&
            strcmp(out->name, r->zone) != 0) { /* a name that nobody knows: a zone of its own */
            *out = weir__gotime_in(shown, r->nanos, &weir__gotime_utc);
            memcpy(out->name, r->zone, sizeof out->name);
            out->zone = NULL;
        }
    }
    return true;
}

bool weir__gotime_parse(weir_str layout, weir_str text, const x_zone *zone, x_time *out) {
    reading r = {.text = text, .day = -1};
    for (size_t at = 0, where, length, ignored; at <= layout.length; at = where + length) {
        field f = next_field(layout, at, &where, &length), following = F_TEXT;
        if (!read_text(&r, weir_str_slice(layout, at, where))) return false;
        if (f == F_TEXT) break;
        size_t next;
        following = next_field(layout, where + length, &next, &ignored);
        if (next != where + length) following = F_TEXT;
        if (!read_field(&r, f, weir_str_slice(layout, where, where + length), following))
            return false;
    }
    return r.at == text.length && finish(&r, zone, out);
}
