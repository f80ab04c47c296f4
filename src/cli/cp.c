/* `weir cp`: output artifacts of a workflow, out of where they stay. */
#include "cli/commands.h"

#define USUAL_PATH "{namespace}/{workflowName}/{nodeId}/outputs/{artifactName}"

/* What an artifact's path is made of, in the order of `words`. */
typedef struct place {
    weir_str values[5];
} place;

static const char *const words[] = {"{namespace}", "{workflowName}", "{nodeId}", "{templateName}",
                                    "{artifactName}"};

/* DIR/PATH, its words replaced. A value never makes it lead elsewhere. */
static bool make_path(const char *folder, weir_str pattern, const place *p, weir_buffer *out,
                      weir_error *error) {
    weir_buffer_clear(out);
    weir_buffer_printf(out, "%s/", folder);
    for (size_t at = 0; at < pattern.length;) {
        weir_str rest = weir_str_slice(pattern, at, pattern.length);
        size_t found = sizeof words / sizeof *words;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (weir_str_starts(rest, weir_str_from(words[i]))) found = i;
        if (found == sizeof words / sizeof *words) {
            weir_buffer_byte(out, pattern.data[at++]);
            continue;
        }
        weir_str value = p->values[found];
        if (weir_str_is(value, "..") || memchr(value.data, '/', value.length))
            return weir_fail(error, WEIR_INVALID, "`%.*s` cannot be a folder's name",
                             WEIR_ARG(value));
        weir_buffer_str_append(out, value);
        at += strlen(words[found]);
    }
    return true;
}

static bool fits(const weir_cli *cli, weir_flag flag, weir_str value) {
    const char *wanted = weir_cli_text(cli, flag);
    return !wanted || weir_str_is(value, wanted);
}

static weir_str template_of(const weir_value *node) {
    weir_str name = weir_member_text(weir_member_named(node, "templateRef"), "template");
    return name.length ? name : weir_member_text(node, "templateName");
}

/* The artifacts of one node that are wanted; counts them. */
static bool copy_node(weir_cli *cli, weir_engine *engine, const weir_value *metadata,
                      const weir_value *node, size_t *count, weir_error *error) {
    const weir_value *list = weir_member_named(weir_member_named(node, "outputs"), "artifacts");
    const char *pattern = weir_cli_text(cli, WEIR_FLAG_CP_PATH);
    weir_str namespace = weir_member_text(metadata, "namespace"), id = weir_member_text(node, "id");
    weir_buffer path = {0};
    bool ok = true;
    if (!fits(cli, WEIR_FLAG_CP_NODE, id) || !fits(cli, WEIR_FLAG_CP_TEMPLATE, template_of(node)))
        return true;
    for (size_t i = 0; ok && weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *artifact = weir_array_at(list, i);
        weir_str name = weir_member_text(artifact, "name");
        weir_value *made = NULL;
        if (!fits(cli, WEIR_FLAG_CP_ARTIFACT, name)) continue;
        place p = {{namespace.length ? namespace : WEIR_STR("default"),
                    weir_member_text(metadata, "name"), id, template_of(node), name}};
        ok = make_path(cli->words.items[1], weir_str_from(pattern ? pattern : USUAL_PATH), &p,
                       &path, error) &&
             weir_artifact_copy(engine, artifact, path.data, &made, error);
        if (!ok) {
            weir_error_context(error, "artifact %.*s of %.*s", WEIR_ARG(name), WEIR_ARG(id));
            break;
        }
        weir_buffer_text(&cli->out.text, "Created \"");
        weir_output_plain(&cli->out.text, weir_member_text(made, "path"));
        weir_buffer_text(&cli->out.text, "\"\n");
        weir_output_flush(&cli->out);
        weir_value_unref(made);
        ++*count;
    }
    weir_buffer_deinit(&path);
    return ok;
}

bool weir_cp_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    const char *run = cli->words.items[0];
    weir_value *answer;
    size_t count = 0;
    if (!weir_get(engine, run, &answer, error)) return false;
    const weir_value *workflow = weir_member_named(answer, "workflow");
    const weir_value *nodes = weir_member_named(weir_member_named(workflow, "status"), "nodes");
    const weir_value *metadata = weir_member_named(workflow, "metadata");
    bool ok = workflow || weir_fail(error, WEIR_INVALID, "`%.100s` is no workflow", run);
    for (size_t i = 0; ok && weir_is(nodes, WEIR_OBJECT) && i < weir_value_count(nodes); i++)
        ok = copy_node(cli, engine, metadata, weir_object_at(nodes, i), &count, error);
    if (ok && !count)
        ok = weir_fail(error, WEIR_NOT_FOUND, "`%.100s` has no such output artifacts", run);
    weir_value_unref(answer);
    return ok;
}
