#include "engine/zone.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/document.h"

enum { ZONE_BYTES_MAX = 1024 * 1024, ZONE_NAME_MAX = 64 };

static const char *const folders[] = {"/usr/share/zoneinfo", "/usr/share/lib/zoneinfo",
                                      "/usr/lib/locale/TZ", "/etc/zoneinfo"};
enum { FOLDERS = sizeof folders / sizeof *folders };
static const char machine_file[] = "/etc/localtime";

/* A name of the time zone database, which leads nowhere else. */
static bool is_zone_name(weir_str name) {
    bool ok = name.length > 0 && name.length <= ZONE_NAME_MAX && name.data[0] != '/';
    for (size_t i = 0; ok && i < name.length; i++) {
        char c = name.data[i];
        ok = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
             (c && strchr("_+-/", c));
    }
    return ok;
}

static bool read_path(const char *path, weir_buffer *out) {
    weir_error ignored;
    weir_buffer_clear(out);
    return weir_file_read(path, ZONE_BYTES_MAX, out, &ignored);
}

static bool read_in(const char *folder, weir_str name, weir_buffer *out) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%.*s", folder, WEIR_ARG(name));
    return length > 0 && (size_t)length < sizeof path && read_path(path, out);
}

bool weir__zone_file(void *arg, weir_str name, weir_buffer *out) {
    (void)arg;
    const char *own = getenv("ZONEINFO");
    if (!is_zone_name(name)) return false;
    if (own && *own && read_in(own, name, out)) return true;
    for (size_t i = 0; i < FOLDERS; i++)
        if (read_in(folders[i], name, out)) return true;
    return false;
}

/* --- the machine's ----------------------------------------------------------------------------- */

/* What a path within the database is called there. */
static weir_str name_of_path(const char *path) {
    static const char mark[] = "/zoneinfo/";
    const char *found = strstr(path, mark);
    weir_str name = weir_str_from(found ? found + strlen(mark) : "");
    return is_zone_name(name) ? name : (weir_str){0};
}

void weir__zone_of_machine(weir_buffer *out) {
    const char *said = getenv("TZ");
    char target[PATH_MAX];
    if (said && *said == ':') said++;
    if (!said) {
        ssize_t length = readlink(machine_file, target, sizeof target - 1);
        if (length < 0 && access(machine_file, F_OK) != 0) {
            weir_buffer_text(out, "UTC");
            return;
        }
        target[length > 0 ? length : 0] = '\0';
        said = target;
    } else if (!*said) {
        weir_buffer_text(out, "UTC");
        return;
    }
    weir_str name = *said == '/' || said == target ? name_of_path(said) : weir_str_from(said);
    weir_buffer_str_append(out, is_zone_name(name) ? name : WEIR_STR("Local"));
}

static bool read_machine(weir_buffer *out) {
    const char *said = getenv("TZ");
    if (said && *said == ':') said++;
    return read_path(said && *said == '/' ? said : machine_file, out);
}

/* --- the list ---------------------------------------------------------------------------------- */

void weir__zones_init(weir__zones *zones) {
    *zones = (weir__zones){0};
    weir_arena_init(&zones->arena);
}

void weir__zones_deinit(weir__zones *zones) {
    weir_vector_deinit(&zones->items);
    weir_arena_deinit(&zones->arena);
}

static void *allocate(void *zones, size_t size) {
    return weir_arena_alloc(&((weir__zones *)zones)->arena, size);
}

static bool has_database(void) {
    const char *own = getenv("ZONEINFO");
    if (own && *own && access(own, F_OK) == 0) return true;
    for (size_t i = 0; i < FOLDERS; i++)
        if (access(folders[i], F_OK) == 0) return true;
    return false;
}

static bool fail_unknown(weir_str name, weir_error *error) {
    weir_fail(error, WEIR_INVALID, "there is no time zone `%.*s`",
              (int)(name.length > 64 ? 64 : name.length), name.length ? name.data : "");
    weir_error_hint(
        error, has_database() ? "a name as Europe/Berlin or UTC: `ls /usr/share/zoneinfo` shows all"
                              : "this machine has no time zone database: install tzdata, or set "
                                "ZONEINFO to the folder of one");
    return false;
}

bool weir__zones_find(weir__zones *zones, weir_str name, const x_zone **out, weir_error *error) {
    weir_buffer local = {0}, file = {0};
    bool ok = true;
    if (weir_str_is(name, "Local")) {
        weir__zone_of_machine(&local);
        name = weir_buffer_str(&local);
    }
    const x_zone *zone = !name.length || weir_str_is(name, "UTC") ? &weir__gotime_utc : NULL;
    for (size_t i = 0; !zone && i < zones->items.count; i++)
        if (weir_str_equal(zones->items.items[i]->name, name)) zone = zones->items.items[i];
    if (!zone) {
        x_zone *made = allocate(zones, sizeof *made);
        ok = (weir_str_is(name, "Local") ? read_machine(&file)
                                         : weir__zone_file(NULL, name, &file)) &&
             weir__gotime_zone_read(name, weir_buffer_str(&file), allocate, zones, made);
        if (ok)
            zone = *weir_vector_push(&zones->items) = made;
        else
            fail_unknown(name, error);
    }
    if (ok) *out = zone;
    weir_buffer_deinit(&local);
    weir_buffer_deinit(&file);
    return ok;
}
