/* Artifacts of inputs, outputs and arguments, and where they are. */
#include <stdio.h>

#include "workflow/template.h"

/* --- locations ------------------------------------------------------------------------------ */

/* What is in a repository, by a key. */
static const struct {
    const char *kind, *key;
} keyed[] = {{"s3", "key"},    {"gcs", "key"},         {"oss", "key"},   {"azure", "blob"},
             {"hdfs", "path"}, {"artifactory", "url"}, {"plugin", "key"}};
/* What is elsewhere. */
static const struct {
    const char *kind, *needed;
} others[] = {{"raw", "data"}, {"http", "url"}, {"git", "repo"}};
enum { KEYED = sizeof keyed / sizeof *keyed, OTHERS = sizeof others / sizeof *others };

const char *weir__location_of_key(const weir_value *artifact, const char **member) {
    for (size_t i = 0; i < KEYED; i++) {
        const weir_value *location = weir_member_named(artifact, keyed[i].kind);
        if (!weir_member_text(location, keyed[i].key).length) continue;
        *member = keyed[i].key;
        return keyed[i].kind;
    }
    return NULL;
}

bool weir__location_is_known(const weir_value *artifact) {
    const char *member;
    for (size_t i = 0; i < OTHERS; i++)
        if (weir_is(
                weir_member_named(weir_member_named(artifact, others[i].kind), others[i].needed),
                WEIR_STRING))
            return true;
    return weir__location_of_key(artifact, &member) != NULL;
}

static void require(weir__compiler *c, const weir_value *location, const char *what,
                    const char *member) {
    if (weir_member_text(location, member).length) return;
    weir__problem(c, WEIR_INVALID, "%s.%s is required", what, member);
}

static void check_hdfs(weir__compiler *c, const weir_value *hdfs, const char *what) {
    const weir_value *addresses = weir__field(c, hdfs, "addresses", WEIR_ARRAY);
    weir_str path = weir_member_text(hdfs, "path");
    if (!addresses || !weir_value_count(addresses))
        weir__problem(c, WEIR_INVALID, "%s.addresses is required", what);
    require(c, hdfs, what, "path");
    if (path.length && path.data[0] != '/' && !weir_str_starts(path, WEIR_STR("{{")))
        weir__problem(c, WEIR_INVALID, "%s.path must be a absolute file path", what);
    if (!weir_member_text(hdfs, "hdfsUser").length && !weir_member_named(hdfs, "krbCCacheSecret") &&
        !weir_member_named(hdfs, "krbKeytabSecret"))
        weir__problem(c, WEIR_INVALID,
                      "either %s.hdfsUser, %s.krbCCacheSecret or %s.krbKeytabSecret is required",
                      what, what, what);
}

/* What Argo looks at before it runs. */
static void check_location(weir__compiler *c, const weir_value *source, const char *what) {
    char inner[400];
    for (size_t i = 0; i < KEYED; i++) (void)weir__field(c, source, keyed[i].kind, WEIR_OBJECT);
    for (size_t i = 0; i < OTHERS; i++) (void)weir__field(c, source, others[i].kind, WEIR_OBJECT);
    const weir_value *git = weir_member_named(source, "git");
    const weir_value *hdfs = weir_member_named(source, "hdfs");
    size_t mark = weir__enter(c, "git");
    snprintf(inner, sizeof inner, "%s.git", what);
    if (weir_is(git, WEIR_OBJECT)) require(c, git, inner, "repo");
    weir__leave(c, mark);
    mark = weir__enter(c, "hdfs");
    snprintf(inner, sizeof inner, "%s.hdfs", what);
    if (weir_is(hdfs, WEIR_OBJECT)) check_hdfs(c, hdfs, inner);
    weir__leave(c, mark);
    mark = weir__enter(c, "plugin");
    snprintf(inner, sizeof inner, "%s.plugin", what);
    const weir_value *plugin = weir_member_named(source, "plugin");
    if (weir_is(plugin, WEIR_OBJECT)) require(c, plugin, inner, "name");
    weir__leave(c, mark);
}

/* --- one ------------------------------------------------------------------------------------- */

/* Argo's members, as it writes them. */
static const char *const members[] = {
    "path",    "mode",     "archiveLogs", "s3",         "git",     "http",        "artifactory",
    "hdfs",    "raw",      "oss",         "gcs",        "azure",   "plugin",      "globalName",
    "archive", "optional", "recurseMode", "artifactGC", "deleted", "description", NULL};

/* False, nothing and empty texts are as good as absent. */
static bool says_something(const weir_value *value) {
    return value && !weir_is(value, WEIR_NULL) &&
           !(weir_is(value, WEIR_BOOL) && !weir_bool_get(value)) &&
           !(weir_is(value, WEIR_STRING) && !weir_string_get(value).length);
}

/* `{{steps.a.outputs.artifacts.b}}`, or the same without braces. */
static void read_from(weir__compiler *c, const weir_value *source, weir__artifact *a,
                      const char *what) {
    weir_str expression = WEIR_STR("");
    (void)weir__text_field(c, source, "from", &a->from);
    (void)weir__text_field(c, source, "fromExpression", &expression);
    (void)weir__text_field(c, source, "subPath", &a->sub_path);
    if (a->from.length && expression.length)
        weir__problem(c, WEIR_INVALID,
                      "%s.%.*s shouldn't have both `from` and `fromExpression` in Artifact", what,
                      WEIR_ARG(a->name));
    a->is_expression = !a->from.length && expression.length;
    if (a->is_expression) a->from = expression;
    weir_str text = weir_str_trim(a->from);
    if (a->is_expression || !weir_str_starts(text, WEIR_STR("{{")) ||
        !weir_str_ends(text, WEIR_STR("}}")))
        return;
    a->from = weir_str_trim(weir_str_slice(text, 2, text.length - 2));
    a->is_expression = weir_str_starts(a->from, WEIR_STR("="));
    if (a->is_expression) a->from = weir_str_slice(a->from, 1, a->from.length);
}

static void compile_artifact(weir__compiler *c, const weir_value *source, weir__artifact *a,
                             weir__role role, const char *what) {
    weir_buffer own = {0};
    const char *member;
    a->value = weir_object_new();
    *weir_vector_push(&c->workflow->values) = a->value;
    if (!weir_is(source, WEIR_OBJECT)) return;
    weir_member_put_text(a->value, "name", a->name);
    for (const char *const *name = members; *name; name++) {
        weir_value *value = weir_member_named(source, *name);
        if (says_something(value)) weir_member_put(a->value, *name, weir_value_ref(value));
    }
    (void)weir__text_field(c, source, "path", &a->path);
    a->optional = weir__bool_field(c, source, "optional", false);
    (void)weir__field(c, source, "archive", WEIR_OBJECT);
    (void)weir__field(c, source, "mode", WEIR_INT);
    if (weir__field(c, source, "artifactGC", WEIR_OBJECT)) c->workflow->collects = true;
    read_from(c, source, a, what);
    weir_buffer_printf(&own, "%s.%.*s", what, WEIR_ARG(a->name));
    check_location(c, source, weir_buffer_str(&own).data);
    weir_buffer_deinit(&own);
    a->located = weir__location_is_known(source);
    a->keyed = weir__location_of_key(source, &member) != NULL;
    if (role != WEIR__ARGUMENTS || a->from.length || a->located) return;
    weir__problem(c, WEIR_INVALID, "%s.%.*s.from, artifact location, or key is required", what,
                  WEIR_ARG(a->name));
}

weir__artifacts weir__artifacts_compile(weir__compiler *c, const weir_value *holder,
                                        weir__role role, const char *what) {
    weir__artifacts artifacts = {0};
    const weir_value *list = weir__field(c, holder, "artifacts", WEIR_ARRAY);
    if (!list || !weir_value_count(list)) return artifacts;
    artifacts.count = weir_value_count(list);
    artifacts.items =
        weir_arena_alloc(&c->workflow->arena, artifacts.count * sizeof *artifacts.items);
    weir_map names = {0};
    char all[400];
    snprintf(all, sizeof all, "%s.artifacts", what);
    for (size_t i = 0; i < artifacts.count; i++) {
        size_t mark = weir__enter(c, "artifacts/%zu", i);
        const weir_value *source = weir_array_at(list, i);
        artifacts.items[i].name = weir__name_field(c, source, &names, i, all);
        compile_artifact(c, source, &artifacts.items[i], role,
                         role == WEIR__ARGUMENTS ? what : all);
        weir__leave(c, mark);
    }
    weir_map_deinit(&names);
    return artifacts;
}

const weir__artifact *weir__artifact_by_name(const weir__artifacts *artifacts, weir_str name) {
    for (size_t i = 0; i < artifacts->count; i++)
        if (weir_str_equal(artifacts->items[i].name, name)) return &artifacts->items[i];
    return NULL;
}

void weir__compile_garbage(weir__compiler *c, const weir_value *spec) {
    size_t mark = weir__enter(c, "artifactGC");
    const weir_value *gc = weir_member_named(spec, "artifactGC");
    if (gc && weir__text_field(c, gc, "strategy", &c->workflow->garbage))
        c->workflow->collects = true;
    weir__leave(c, mark);
}

/* --- of a template --------------------------------------------------------------------------- */

/* What runs has files, and the rest has none. */
static void check_path(weir__compiler *c, const weir__template *t, const weir__artifact *a,
                       const char *list) {
    bool leaf = weir__is_leaf(t);
    if (leaf && !a->path.length)
        weir__problem(c, WEIR_INVALID, "templates.%.*s.%s.%.*s.path not specified",
                      WEIR_ARG(t->name), list, WEIR_ARG(a->name));
    else if (!leaf && a->path.length)
        weir__problem(c, WEIR_INVALID,
                      "templates.%.*s.%s.%.*s.path only valid in container/script templates",
                      WEIR_ARG(t->name), list, WEIR_ARG(a->name));
}

static void check_inputs(weir__compiler *c, const weir__template *t) {
    for (size_t i = 0; i < t->artifacts_in.count; i++) {
        const weir__artifact *a = &t->artifacts_in.items[i];
        size_t mark = weir__enter(c, "inputs/artifacts/%zu", i);
        check_path(c, t, a, "inputs.artifacts");
        if (a->from.length)
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.inputs.artifacts.%.*s.from not valid in inputs",
                          WEIR_ARG(t->name), WEIR_ARG(a->name));
        for (size_t k = 0; k < i && a->path.length; k++) {
            const weir__artifact *other = &t->artifacts_in.items[k];
            if (!weir_str_equal(other->path, a->path)) continue;
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.inputs.artifacts[%zu].path '%.*s' already mounted in "
                          "inputs.artifacts.%.*s",
                          WEIR_ARG(t->name), i, WEIR_ARG(a->path), WEIR_ARG(other->name));
            break;
        }
        weir__leave(c, mark);
    }
}

/* Nothing can be written there. */
static void check_target(weir__compiler *c, const weir__template *t, const weir__artifact *a) {
    static const char *const sources[] = {"raw", "git"};
    static const char *const not_yet[] = {"http", NULL};
    for (size_t i = 0; i < 2; i++)
        if (weir_member_named(a->value, sources[i]))
            weir__problem(c, WEIR_INVALID,
                          "templates.%.*s.outputs.artifacts.%.*s: %s output artifacts unsupported",
                          WEIR_ARG(t->name), WEIR_ARG(a->name), i ? "Git" : "raw");
    weir__refuse(c, a->value, not_yet);
}

static void check_global_name(weir__compiler *c, const weir__template *t, const weir__artifact *a) {
    weir_str name = weir_member_text(a->value, "globalName");
    if (!name.length || weir__is_port_name(name) ||
        weir_str_find(name, WEIR_STR("{{"), 0) != SIZE_MAX)
        return;
    size_t mark = weir__enter(c, "globalName");
    weir__problem(c, WEIR_INVALID, "templates.%.*s.outputs.artifacts.%.*s.globalName: %s",
                  WEIR_ARG(t->name), WEIR_ARG(a->name), WEIR__PORT_NAME_RULE);
    weir__leave(c, mark);
}

static void check_outputs(weir__compiler *c, const weir__template *t) {
    for (size_t i = 0; i < t->artifacts_out.count; i++) {
        const weir__artifact *a = &t->artifacts_out.items[i];
        size_t mark = weir__enter(c, "outputs/artifacts/%zu", i);
        check_path(c, t, a, "outputs.artifacts");
        check_global_name(c, t, a);
        if (weir__is_leaf(t)) check_target(c, t, a);
        weir__leave(c, mark);
    }
}

/* Those of what runs say themselves where they are; those of steps and DAGs are others'. */
void weir__check_artifacts(weir__compiler *c, weir__template *t, const weir_value *source) {
    weir_buffer what = {0};
    bool leaf = weir__is_leaf(t);
    check_inputs(c, t);
    check_outputs(c, t);
    weir_buffer_printf(&what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = weir_buffer_str(&what).data};
    size_t mark = weir__enter(c, "inputs");
    weir__check_references(c, &site, &t->artifacts_in);
    weir__leave(c, mark);
    if (!leaf) {
        what.length--;
        weir_buffer_text(&what, ".outputs");
        site = (weir__site){
            .template = t, .step = (uint32_t)t->step_count, .what = weir_buffer_str(&what).data};
    }
    mark = weir__enter(c, "outputs");
    weir__check_references(c, &site, &t->artifacts_out);
    weir__leave(c, mark);
    weir_buffer_clear(&what);
    weir_buffer_printf(&what, "templates.%.*s.archiveLocation", WEIR_ARG(t->name));
    t->archive = weir__field(c, source, "archiveLocation", WEIR_OBJECT);
    mark = weir__enter(c, "archiveLocation");
    if (t->archive) check_location(c, t->archive, weir_buffer_str(&what).data);
    t->archives_logs = weir__bool_field(c, t->archive, "archiveLogs", c->workflow->archives_logs);
    weir__leave(c, mark);
    weir_buffer_deinit(&what);
}

/* --- data templates --------------------------------------------------------------------------- */

static bool is_in_repository(const weir_value *source) {
    for (size_t i = 0; i < KEYED; i++)
        if (weir_is(weir_member_named(source, keyed[i].kind), WEIR_OBJECT)) return true;
    return false;
}

static void read_transformations(weir__compiler *c, const weir__site *site,
                                 const weir_value *source, weir__data *data) {
    const weir_value *list = weir__field(c, source, "transformation", WEIR_ARRAY);
    data->count = list ? weir_value_count(list) : 0;
    data->expressions =
        weir_arena_alloc(&c->workflow->arena, (data->count + 1) * sizeof *data->expressions);
    for (size_t i = 0; i < data->count; i++) {
        size_t mark = weir__enter(c, "transformation/%zu", i);
        if (!weir__text_field(c, weir_array_at(list, i), "expression", &data->expressions[i]) ||
            !data->expressions[i].length)
            weir__problem(c, WEIR_INVALID, "%s a transformation needs an `expression`", site->what);
        weir__enter(c, "expression");
        if (data->expressions[i].length) weir__check_expression(c, site, data->expressions[i]);
        weir__leave(c, mark);
    }
}

void weir__compile_data(weir__compiler *c, weir__template *t, const weir_value *source) {
    weir_buffer what = {0};
    weir_buffer_printf(&what, "templates.%.*s:", WEIR_ARG(t->name));
    weir__site site = {.template = t, .step = WEIR__NONE, .what = weir_buffer_str(&what).data};
    weir__data *data = weir_arena_alloc(&c->workflow->arena, sizeof *data);
    size_t mark = weir__enter(c, "data");
    const weir_value *body = weir_member_named(source, "data");
    size_t inner = weir__enter(c, "source");
    const weir_value *paths =
        weir__field(c, weir__field(c, body, "source", WEIR_OBJECT), "artifactPaths", WEIR_OBJECT);
    weir__enter(c, "artifactPaths");
    if (paths) {
        data->source.name = weir_member_text(paths, "name");
        compile_artifact(c, paths, &data->source, WEIR__INPUTS, "data.source");
        weir__check_texts(c, &site, data->source.value);
    }
    if (!paths || !is_in_repository(paths))
        weir__problem(c, WEIR_INVALID,
                      "%s data.source needs `artifactPaths` that are in a repository", site.what);
    weir__leave(c, inner);
    read_transformations(c, &site, body, data);
    weir__leave(c, mark);
    weir_buffer_deinit(&what);
    t->data = data;
    t->config = weir_object_new();
    const weir_str operation = WEIR_STR("artifacts.list");
    t->spec = (weir_task_spec){.name = t->name,
                               .operation = operation,
                               .executor = weir_str_from(weir_executor_of(operation)),
                               .kind = WEIR_TASK_WORK,
                               .slot = true};
}
