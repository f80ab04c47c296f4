#include "cli/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "data/json.h"

enum {
    LINE_BYTES_MAX = 64 * 1024 * 1024, /* as of files */
    LINES_AT_ONCE = 4096               /* then the run has its turn */
};

bool weir_feed_open(weir_feed *feed, const char *file, weir_error *error) {
    bool input = strcmp(file, "-") == 0;
    *feed = (weir_feed){.file = input ? "standard input" : file, .fd = STDIN_FILENO};
    if (!input) feed->fd = open(file, O_RDONLY | O_CLOEXEC);
    if (feed->fd >= 0) return true;
    return weir_fail(error, errno == ENOENT ? WEIR_NOT_FOUND : WEIR_IO, "%s cannot be read: %s",
                     file, strerror(errno));
}

void weir_feed_close(weir_feed *feed) {
    if (feed->file && feed->fd > STDERR_FILENO) close(feed->fd);
    weir_buffer_deinit(&feed->text);
    *feed = (weir_feed){0};
}

bool weir_feed_goes_on(const weir_feed *feed) {
    return feed->file && (feed->fd >= 0 || feed->at < feed->text.length);
}

/* --- lines ------------------------------------------------------------------------------------ */

/* Reads what there is; false: it failed. */
static bool read_more(weir_feed *feed, weir_error *error) {
    if (feed->fd < 0) return true;
    ssize_t count = weir_descriptor_read(feed->fd, &feed->text, &feed->at, 0);
    if (count > 0) return true;
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (count < 0)
        return weir_fail(error, WEIR_IO, "%s cannot be read: %s", feed->file, strerror(errno));
    if (feed->fd > STDERR_FILENO) close(feed->fd);
    feed->fd = -1;
    return true;
}

static bool has_line(const weir_feed *feed) {
    size_t rest = feed->text.length - feed->at;
    return rest && memchr(feed->text.data + feed->at, '\n', rest);
}

/* The next line, without its end; false: there is none that is whole. */
static bool take_line(weir_feed *feed, weir_str *line) {
    weir_str rest = {feed->text.data + feed->at, feed->text.length - feed->at};
    const char *end = rest.length ? memchr(rest.data, '\n', rest.length) : NULL;
    if (!end && (feed->fd >= 0 || !rest.length)) return false;
    *line = (weir_str){rest.data, end ? (size_t)(end - rest.data) : rest.length};
    feed->at += line->length + (end != NULL);
    feed->line++;
    return true;
}

static bool is_blank(weir_str line) {
    for (size_t i = 0; i < line.length; i++)
        if (!memchr(" \t\r", line.data[i], 3)) return false;
    return true;
}

/* --- what they say -------------------------------------------------------------------------------- */

/* [{value, definition}] of {definition: value}; a list stays as it is. A new reference; NULL: it is neither. */
static weir_value *inputs_of(const weir_value *line) {
    weir_value *given = weir_member_named(line, "inputs");
    if (!given) return weir_array_new();
    if (weir_is(given, WEIR_ARRAY)) return weir_value_ref(given);
    if (!weir_is(given, WEIR_OBJECT)) return NULL;
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < weir_value_count(given); i++) {
        weir_value *input = weir_object_new();
        weir_member_put(input, "value", weir_value_ref(weir_object_at(given, i)));
        weir_member_put_text(input, "definition", weir_object_key(given, i));
        weir_array_append(list, input);
    }
    return list;
}

static bool fail_form(weir_error *error) {
    weir_fail(error, WEIR_INVALID, "is no line of contexts");
    weir_error_hint(
        error,
        "write {\"context\": NAME, \"inputs\": {DEFINITION: VALUE}}, and \"hold\": true for one "
        "that {\"send\": NAME, \"inputs\": …} and {\"close\": NAME} are for");
    return false;
}

/* Which of them the line is, and the name that it says, which may be empty for a context. */
static bool read_form(const weir_value *line, const char **form, weir_str *name) {
    static const char *const forms[] = {"context", "send", "close"};
    *form = "context";
    *name = WEIR_STR("");
    bool said = false;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const weir_value *member = weir_member_named(line, forms[i]);
        if (!member) continue;
        if (said || !weir_is(member, WEIR_STRING)) return false;
        said = true;
        *form = forms[i];
        *name = weir_string_get(member);
    }
    return weir_is(line, WEIR_OBJECT) && !memchr(name->data, '\0', name->length);
}

static bool give(const weir_feed *feed, weir_run *run, const weir_value *line, weir_error *error) {
    const char *form;
    weir_str said;
    if (!read_form(line, &form, &said)) return fail_form(error);
    weir_buffer name = {0};
    weir_buffer_str_append(&name, said);
    if (!said.length) weir_buffer_printf(&name, "%" PRIu64, feed->line);
    weir_value *inputs = inputs_of(line);
    const weir_value *hold = weir_member_named(line, "hold");
    bool ok = inputs || fail_form(error);
    if (ok && form[0] == 'c' && form[1] == 'o')
        ok = weir_context_open(run, name.data, inputs, hold && weir_value_truth(hold), error);
    else if (ok && form[0] == 's')
        ok = weir_context_send(run, name.data, inputs, error);
    else if (ok)
        ok = weir_context_close(run, name.data, error);
    weir_value_unref(inputs);
    weir_buffer_deinit(&name);
    return ok;
}

/* --- turns ------------------------------------------------------------------------------------------ */

static bool fail_at(const weir_feed *feed, weir_error *error) {
    if (!error->line) weir_error_place(error, weir_str_from(feed->file), (uint32_t)feed->line, 1);
    return false;
}

static bool give_line(weir_feed *feed, weir_run *run, weir_str text, weir_error *error) {
    weir_value *line;
    if (is_blank(text)) return true;
    if (!weir_json_parse(text, weir_str_from(feed->file), &line, error)) {
        error->line = (uint32_t)feed->line;
        return false;
    }
    bool ok = give(feed, run, line, error);
    weir_value_unref(line);
    return ok || fail_at(feed, error);
}

static bool give_lines(weir_feed *feed, weir_run *run, weir_error *error) {
    weir_str text;
    for (int i = 0; i < LINES_AT_ONCE && weir_run_has_room(run) && take_line(feed, &text); i++)
        if (!give_line(feed, run, text, error)) return false;
    return true;
}

bool weir_feed_run(weir_feed *feed, weir_run *run, weir_error *error) {
    bool ok = has_line(feed) || read_more(feed, error);
    if (ok && feed->text.length - feed->at > LINE_BYTES_MAX && !has_line(feed)) {
        feed->line++;
        weir_fail(error, WEIR_LIMIT, "a line is longer than %d bytes", LINE_BYTES_MAX);
        ok = fail_at(feed, error);
    }
    ok = ok && give_lines(feed, run, error);
    if (ok && weir_feed_goes_on(feed)) return true;
    weir_run_end(run);
    weir_feed_close(feed);
    return ok;
}
