/* What `argo get` says above the tree. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/humanize.h"
#include "cli/output.h"
#include "cli/workflow_text.h"

const weir_value *weir_workflow_spec(const weir_value *workflow) {
    const weir_value *spec = weir_member_named(workflow, "spec");
    const weir_value *stored =
        weir_member_named(weir_member_named(workflow, "status"), "storedWorkflowTemplateSpec");
    return weir_member_named(spec, "workflowTemplateRef") && stored ? stored : spec;
}

static bool is_suspended(const weir_value *workflow) {
    const weir_value *suspend = weir_member_named(weir_member_named(workflow, "spec"), "suspend");
    const weir_value *nodes = weir_member_named(weir_member_named(workflow, "status"), "nodes");
    if (weir_is(suspend, WEIR_BOOL) && weir_bool_get(suspend)) return true;
    for (size_t i = 0; weir_is(nodes, WEIR_OBJECT) && i < weir_value_count(nodes); i++)
        if (weir_workflow_node_is_suspended(weir_object_at(nodes, i))) return true;
    return false;
}

weir_str weir_workflow_status(const weir_value *workflow) {
    const weir_value *metadata = weir_member_named(workflow, "metadata");
    weir_str phase = weir_member_text(weir_member_named(workflow, "status"), "phase");
    if (weir_str_is(phase, "Running") && is_suspended(workflow))
        return WEIR_STR("Running (Suspended)");
    if (weir_str_is(phase, "Failed") &&
        weir_member_text(weir_member_named(workflow, "spec"), "shutdown").length)
        return WEIR_STR("Failed (Terminated)");
    if (phase.length && !weir_str_is(phase, "Pending")) return phase;
    return weir_member_text(metadata, "creationTimestamp").length ? WEIR_STR("Pending")
                                                                  : WEIR_STR("Unknown");
}

/* A line of the head: the title takes 20 columns. */
static void put_title(weir_buffer *out, weir_str title, size_t width) {
    enum { COLUMNS = 20 };
    weir_output_plain(out, title);
    for (; width < COLUMNS; width++) weir_buffer_byte(out, ' ');
    weir_buffer_byte(out, ' ');
}

static size_t characters_of(weir_str text) {
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static void put_line(weir_buffer *out, weir_str title, weir_str text) {
    put_title(out, title, characters_of(title));
    weir_output_plain(out, text);
    weir_buffer_byte(out, '\n');
}

static void put_named(weir_buffer *out, weir_str name, weir_str text) {
    weir_buffer title = {0};
    weir_buffer_text(&title, "  ");
    weir_buffer_str_append(&title, name);
    weir_buffer_byte(&title, ':');
    put_line(out, weir_buffer_str(&title), text);
    weir_buffer_deinit(&title);
}

/* "1h0m0s", as Go writes a duration of whole seconds. */
static void put_seconds(uint64_t s, weir_buffer *out) {
    if (s >= 3600) weir_buffer_printf(out, "%" PRIu64 "h", s / 3600);
    if (s >= 60) weir_buffer_printf(out, "%" PRIu64 "m", s / 60 % 60);
    weir_buffer_printf(out, "%" PRIu64 "s", s % 60);
}

static void put_resource(const weir_value *durations, weir_str name, bool *any, weir_buffer *out) {
    const weir_value *seconds = weir_member(durations, name);
    if (!weir_is(seconds, WEIR_INT) || weir_int_get(seconds) < 0) return;
    bool storage = weir_str_ends(name, WEIR_STR("storage"));
    if (*any) weir_buffer_byte(out, ',');
    *any = true;
    put_seconds((uint64_t)weir_int_get(seconds), out);
    weir_buffer_printf(out, "*(%s ",
                       weir_str_is(name, "memory") ? "100Mi"
                       : storage                   ? "10Gi"
                                                   : "1");
    weir_output_plain(out, name);
    weir_buffer_byte(out, ')');
}

/* Argo's order is none; here the two that are always there come first. */
void weir_workflow_put_resources(const weir_value *durations, weir_buffer *out) {
    bool any = false;
    if (!weir_is(durations, WEIR_OBJECT)) return;
    put_resource(durations, WEIR_STR("cpu"), &any, out);
    put_resource(durations, WEIR_STR("memory"), &any, out);
    for (size_t i = 0; i < weir_value_count(durations); i++) {
        weir_str name = weir_object_key(durations, i);
        if (!weir_str_is(name, "cpu") && !weir_str_is(name, "memory"))
            put_resource(durations, name, &any, out);
    }
}

static void put_conditions(const weir_value *status, const weir_workflow_look *look,
                           weir_buffer *out) {
    const weir_value *list = weir_member_named(status, "conditions");
    if (!weir_is(list, WEIR_ARRAY) || !weir_value_count(list)) return;
    put_line(out, WEIR_STR("Conditions:"), WEIR_STR(""));
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *condition = weir_array_at(list, i);
        weir_str type = weir_member_text(condition, "type"),
                 text = weir_member_text(condition, "message");
        bool warning = weir_str_is(type, "SpecWarning");
        bool icon = warning || weir_str_is(type, "MetricsError");
        const char *said = look->ascii ? warning ? "Warning" : "Error" : warning ? "⚠" : "✖";
        if (icon) weir_workflow_put_colored(look, warning ? WEIR_YELLOW : WEIR_RED, said, out);
        weir_buffer_byte(out, ' ');
        put_title(out, type,
                  (icon ? characters_of(weir_str_from(said)) : 0) + 1 + characters_of(type));
        weir_output_plain(out, text.length ? text : weir_member_text(condition, "status"));
        weir_buffer_byte(out, '\n');
    }
}

static void put_times(const weir_value *workflow, uint64_t now_us, weir_buffer *out) {
    const weir_value *status = weir_member_named(workflow, "status");
    uint64_t created, started, finished = now_us;
    char text[WEIR_HUMANIZE_BYTES];
    if (weir_workflow_moment(weir_member_named(workflow, "metadata"), "creationTimestamp",
                             &created))
        put_line(out, WEIR_STR("Created:"),
                 weir_str_from(weir_humanize_moment(created, now_us, text)));
    bool begun = weir_workflow_moment(status, "startedAt", &started);
    if (begun)
        put_line(out, WEIR_STR("Started:"),
                 weir_str_from(weir_humanize_moment(started, now_us, text)));
    if (weir_workflow_moment(status, "finishedAt", &finished))
        put_line(out, WEIR_STR("Finished:"),
                 weir_str_from(weir_humanize_moment(finished, now_us, text)));
    if (!begun) return;
    uint64_t took_us = finished > started ? finished - started : 0;
    put_line(out, WEIR_STR("Duration:"), weir_str_from(weir_humanize_long(took_us, text)));
    uint64_t estimated_s = weir_member_count(status, "estimatedDuration");
    bool running = weir_str_is(weir_member_text(status, "phase"), "Running");
    if (running && estimated_s && estimated_s < UINT32_MAX)
        put_line(out, WEIR_STR("EstimatedDuration:"),
                 weir_str_from(weir_humanize_long(estimated_s * 1000000, text)));
}

static void put_parameters(const weir_value *list, weir_str title, weir_buffer *out) {
    if (!weir_is(list, WEIR_ARRAY) || !weir_value_count(list)) return;
    put_line(out, title, WEIR_STR(""));
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *parameter = weir_array_at(list, i),
                         *value = weir_member_named(parameter, "value");
        if (!value || weir_is(value, WEIR_NULL)) continue;
        weir_buffer text = {0};
        weir_json_plain(value, &text);
        put_named(out, weir_member_text(parameter, "name"), weir_buffer_str(&text));
        weir_buffer_deinit(&text);
    }
}

/* Where it is, by its key; else the kind of the place. */
static weir_str place_of(const weir_value *artifact) {
    for (size_t i = 0; weir_is(artifact, WEIR_OBJECT) && i < weir_value_count(artifact); i++) {
        const weir_value *place = weir_object_at(artifact, i);
        weir_str kind = weir_object_key(artifact, i);
        if (!weir_is(place, WEIR_OBJECT) || weir_str_is(kind, "archive")) continue;
        static const char *const members[] = {"key", "url", "blob", "path", "repo", "data"};
        for (size_t m = 0; m < sizeof members / sizeof *members; m++) {
            weir_str text = weir_member_text(place, members[m]);
            if (text.length) return text;
        }
        return kind;
    }
    return WEIR_STR("");
}

static void put_artifacts(const weir_value *list, weir_buffer *out) {
    if (!weir_is(list, WEIR_ARRAY) || !weir_value_count(list)) return;
    put_line(out, WEIR_STR("Output Artifacts:"), WEIR_STR(""));
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *artifact = weir_array_at(list, i);
        put_named(out, weir_member_text(artifact, "name"), place_of(artifact));
    }
}

void weir_workflow_print_head(const weir_value *workflow, const weir_workflow_look *look,
                              weir_buffer *out) {
    const weir_value *metadata = weir_member_named(workflow, "metadata"),
                     *status = weir_member_named(workflow, "status"),
                     *spec = weir_workflow_spec(workflow),
                     *outputs = weir_member_named(status, "outputs");
    weir_str account = weir_member_text(spec, "serviceAccountName"),
             message = weir_member_text(status, "message");
    bool referred = weir_member_named(weir_member_named(workflow, "spec"), "workflowTemplateRef");
    if (!account.length)
        account = referred ? WEIR_STR("unset")
                           : WEIR_STR("unset (will run with the default ServiceAccount)");
    put_line(out, WEIR_STR("Name:"), weir_member_text(metadata, "name"));
    put_line(out, WEIR_STR("Namespace:"), weir_member_text(metadata, "namespace"));
    put_line(out, WEIR_STR("ServiceAccount:"), account);
    put_line(out, WEIR_STR("Status:"), weir_workflow_status(workflow));
    if (message.length) put_line(out, WEIR_STR("Message:"), message);
    put_conditions(status, look, out);
    put_times(workflow, look->now_us, out);
    put_line(out, WEIR_STR("Progress:"), weir_member_text(status, "progress"));
    const weir_value *durations = weir_member_named(status, "resourcesDuration");
    if (weir_is(durations, WEIR_OBJECT) && weir_value_count(durations)) {
        weir_buffer text = {0};
        weir_workflow_put_resources(durations, &text);
        put_line(out, WEIR_STR("ResourcesDuration:"), weir_buffer_str(&text));
        weir_buffer_deinit(&text);
    }
    put_parameters(weir_member_named(weir_member_named(spec, "arguments"), "parameters"),
                   WEIR_STR("Parameters:"), out);
    put_parameters(weir_member_named(outputs, "parameters"), WEIR_STR("Output Parameters:"), out);
    put_artifacts(weir_member_named(outputs, "artifacts"), out);
}

void weir_workflow_print(const weir_value *workflow, const weir_workflow_look *look,
                         weir_buffer *out) {
    weir_buffer tree = {0};
    bool any = weir_workflow_print_tree(workflow, look, &tree);
    if (!any || look->form != WEIR_LOOK_SHORT) weir_workflow_print_head(workflow, look, out);
    if (any && look->form != WEIR_LOOK_SHORT) weir_buffer_byte(out, '\n');
    weir_buffer_str_append(out, weir_buffer_str(&tree));
    weir_buffer_deinit(&tree);
}
