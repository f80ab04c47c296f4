/* `weir logs`: lines as they are, with whose they are before them: a workflow's as `argo logs` has them. */
#include <regex.h>
#include <stdio.h>

#include "base/time.h"
#include "cli/commands.h"
#include "cli/view.h"
#include "cli/workflow_text.h"

typedef struct log_printer {
    weir_cli *cli;
    regex_t pattern;
    bool matching; /* there is a pattern */
    bool named;    /* lines say whose they are */
    bool bare, color;
    bool follow; /* others wait for each line */
    bool any;
    bool timed;           /* lines say when they came */
    uint64_t written_us;  /* when those that are printed did */
    weir_value *labelled; /* names of templates that --selector means; NULL: all */
    weir_buffer line, owner;
} log_printer;

/* Argo's: the sum of its characters chooses one of six. */
static int color_of(weir_str name) {
    static const int colors[] = {WEIR_GREEN, WEIR_YELLOW, 34, 35, WEIR_CYAN, 37};
    size_t sum = 0;
    for (size_t i = 0; i < name.length;) {
        weir_str rest = weir_str_slice(name, i, name.length);
        size_t bytes = weir_utf8_length(rest);
        unsigned char first = (unsigned char)rest.data[0];
        uint32_t point = bytes < 2 ? first : first & (0x7fu >> bytes);
        for (size_t b = 1; b < bytes; b++)
            point = point << 6 | ((unsigned char)rest.data[b] & 0x3f);
        sum += point;
        i += bytes ? bytes : 1;
    }
    return colors[sum % (sizeof colors / sizeof *colors)];
}

/* Argo's id of a node is the workflow's name and a number; the first node's is the name. */
static weir_str workflow_of(const weir_value *node) {
    weir_str id = weir_member_text(node, "id");
    size_t dash = id.length;
    if (weir_str_equal(id, weir_member_text(node, "name"))) return id;
    while (dash && id.data[dash - 1] != '-') dash--;
    return weir_str_slice(id, 0, dash ? dash - 1 : 0);
}

static bool is_pod(const weir_value *node) {
    return weir_str_is(weir_member_text(node, "type"), "Pod");
}

static void take_owner(log_printer *p, const weir_value *node, size_t nodes) {
    weir_buffer_clear(&p->owner);
    if (p->bare) return;
    if (is_pod(node))
        weir_workflow_put_pod(workflow_of(node), node, &p->owner);
    else if (p->named || nodes > 1 || weir_str_is(weir_member_text(node, "type"), "Container"))
        weir_output_plain(&p->owner, weir_member_text(node, "name"));
}

static bool matches(log_printer *p, weir_str line) {
    if (!p->matching) return true;
    weir_buffer_clear(&p->line);
    weir_buffer_str_append(&p->line, line);
    return regexec(&p->pattern, p->line.length ? p->line.data : "", 0, NULL, 0) == 0;
}

static void put_line(log_printer *p, weir_str line, int color) {
    weir_buffer *out = &p->cli->out.text;
    if (color) weir_buffer_printf(out, "\033[%dm", color);
    weir_buffer_str_append(out, weir_buffer_str(&p->owner));
    if (p->owner.length) weir_buffer_text(out, ": ");
    char moment[32];
    if (p->timed) weir_buffer_printf(out, "%s ", weir_moment_format(p->written_us, moment));
    weir_buffer_str_append(out, line);
    weir_buffer_text(out, color ? "\033[0m\n" : "\n");
}

static void take_lines(void *arg, const weir_value *node, size_t nodes, weir_str lines) {
    log_printer *p = arg;
    weir_output *out = &p->cli->out;
    if (p->labelled && !weir_member(p->labelled, weir_member_text(node, "name"))) return;
    p->any = true;
    take_owner(p, node, nodes);
    int color = p->color && p->owner.length ? color_of(weir_buffer_str(&p->owner)) : 0;
    for (size_t from = 0, end; from < lines.length && weir_output_more(out); from = end + 1) {
        end = weir_str_find(lines, WEIR_STR("\n"), from);
        if (end == SIZE_MAX) end = lines.length;
        weir_str line = weir_str_slice(lines, from, end);
        if (matches(p, line)) put_line(p, line, color);
    }
    if (p->follow) weir_output_flush(out);
}

static bool read_pattern(log_printer *p, weir_error *error) {
    const char *text = weir_cli_text(p->cli, WEIR_FLAG_GREP);
    if (!text) return true;
    char said[128];
    int problem = regcomp(&p->pattern, text, REG_EXTENDED | REG_NOSUB);
    p->matching = !problem;
    if (!problem) return true;
    regerror(problem, &p->pattern, said, sizeof said);
    return weir_fail(error, WEIR_USAGE, "`--grep` cannot be `%.200s`: %s", text, said);
}

/* --- which lines ---------------------------------------------------------------------------------- */

static bool has_labels(const weir_value *template, weir_str terms) {
    const weir_value *labels = weir_member_named(weir_member_named(template, "metadata"), "labels");
    for (size_t from = 0, to; from < terms.length; from = to + 1) {
        to = weir_str_find(terms, WEIR_STR(","), from);
        if (to == SIZE_MAX) to = terms.length;
        weir_str term = weir_str_trim(weir_str_slice(terms, from, to));
        size_t equals = weir_str_find(term, WEIR_STR("="), 0);
        weir_str key = weir_str_slice(term, 0, equals == SIZE_MAX ? term.length : equals);
        const weir_value *value = weir_is(labels, WEIR_OBJECT) ? weir_member(labels, key) : NULL;
        bool same =
            weir_is(value, WEIR_STRING) &&
            (equals == SIZE_MAX ||
             weir_str_equal(weir_string_get(value), weir_str_slice(term, equals + 1, term.length)));
        if (!same) return false;
    }
    return true;
}

/* Names of the nodes whose templates have the labels; NULL when nobody asks for some. */
static bool find_labelled(weir_cli *cli, weir_engine *engine, weir_value **out, weir_error *error) {
    const char *terms = weir_cli_text(cli, WEIR_FLAG_SELECTOR);
    weir_value *status;
    *out = NULL;
    if (!terms) return true;
    if (!weir_get(engine, cli->words.items[0], &status, error)) return false;
    const weir_value *workflow = weir_member_named(status, "workflow");
    const weir_value *nodes = weir_member_named(weir_member_named(workflow, "status"), "nodes");
    const weir_value *templates =
        workflow ? weir_member_named(weir_workflow_spec(workflow), "templates") : NULL;
    *out = weir_object_new();
    for (size_t i = 0; weir_is(nodes, WEIR_OBJECT) && i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_object_at(nodes, i);
        weir_str name = weir_member_text(node, "templateName");
        for (size_t k = 0; weir_is(templates, WEIR_ARRAY) && k < weir_value_count(templates); k++) {
            const weir_value *template = weir_array_at(templates, k);
            if (weir_str_equal(weir_member_text(template, "name"), name) &&
                has_labels(template, weir_str_from(terms)))
                weir_member_set(*out, weir_member_text(node, "name"), weir_bool_new(true));
        }
    }
    weir_value_unref(status);
    return true;
}

/* --since and --since-time, whichever is later. */
static bool read_since(const weir_cli *cli, uint64_t *out, weir_error *error) {
    uint64_t since_us = 0, time_us = 0;
    if (!weir_cli_moment(cli, WEIR_FLAG_WRITTEN_SINCE, &since_us, error) ||
        !weir_cli_moment(cli, WEIR_FLAG_SINCE_TIME, &time_us, error))
        return false;
    *out = since_us > time_us ? since_us : time_us;
    return true;
}

bool weir_logs_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_log_wanted wanted = {.size = sizeof wanted,
                              .node = cli->words.count > 1 ? cli->words.items[1] : NULL,
                              .follow = weir_cli_has(cli, WEIR_FLAG_FOLLOW),
                              .previous = weir_cli_has(cli, WEIR_FLAG_PREVIOUS),
                              .container = weir_cli_text(cli, WEIR_FLAG_CONTAINER)};
    weir_view view;
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    log_printer printer = {.cli = cli,
                           .bare = weir_cli_has(cli, WEIR_FLAG_NO_PREFIX),
                           .color = view.color,
                           .follow = wanted.follow,
                           .timed = weir_cli_has(cli, WEIR_FLAG_TIMESTAMPS)};
    printer.named = wanted.follow && !wanted.node; /* more may come of others */
    if (printer.timed) wanted.written_us = &printer.written_us;
    bool ok = weir_cli_number(cli, WEIR_FLAG_TAIL, UINT32_MAX, UINT64_MAX, &wanted.tail, error) &&
              read_since(cli, &wanted.since_us, error) &&
              find_labelled(cli, engine, &printer.labelled, error) &&
              read_pattern(&printer, error) &&
              weir_read_logs(engine, cli->words.items[0], &wanted, take_lines, &printer, error);
    if (ok && !printer.any && wanted.tail) fprintf(stderr, "weir: nothing was written\n");
    if (printer.matching) regfree(&printer.pattern);
    weir_buffer_deinit(&printer.line);
    weir_buffer_deinit(&printer.owner);
    weir_value_unref(printer.labelled);
    weir_view_deinit(&view);
    return ok;
}
