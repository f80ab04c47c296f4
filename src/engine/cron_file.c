/* From a file to schedules that are kept: of each CronWorkflow, of each pipeline with a `schedule`, and, where it is said beside the file, of
 * any workflow, pipeline or dataflow. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/json.h"
#include "engine/schedules.h"
#include "pipeline/plan.h"
#include "store/register.h"

typedef struct making {
    weir_engine *engine;
    const weir_value *request, *what;
    const weir_document *document;
    bool replace;
    void (*problem)(void *arg, const weir_error *error);
    void *arg;
    weir__zones zones;
    weir_value *made;
    weir_error *error;
} making;

static bool is_kind(const weir_value *root, const char *kind) {
    return weir_str_is(weir_member_text(root, "kind"), kind);
}

/* --- what each says ---------------------------------------------------------------------------- */

/* The pipeline's member, in either style. */
static weir_value *pipeline_member(const weir_value *root, const char *name) {
    const weir_value *body = weir_member_named(root, "pipeline");
    weir_value *found = weir_member_named(body, name);
    for (size_t i = 0; !found && weir_is(body, WEIR_ARRAY) && i < weir_value_count(body); i++)
        found = weir_member_named(weir_array_at(body, i), name);
    return found;
}

/* In v4's words: `schedules` only, and a time zone, so that it means the same on every machine. Takes the object over. */
static weir_value *complete_spec(const making *m, weir_value *spec) {
    static const char *const olders[] = {"schedule", "cron"};
    weir_value *whole = weir_object_merge(spec, m->what), *list = NULL;
    for (size_t i = 0; i < 2 && !weir_member_named(whole, "schedules"); i++) {
        weir_value *older = weir_member_named(whole, olders[i]);
        if (!older || weir_is(older, WEIR_NULL)) continue;
        list = weir_array_new();
        weir_array_append(list, weir_value_ref(older));
        weir_member_put(whole, "schedules", list);
    }
    weir_value *kept = weir_object_new();
    for (size_t i = 0; i < weir_value_count(whole); i++) {
        weir_str key = weir_object_key(whole, i);
        if (!weir_str_is(key, "schedule") && !weir_str_is(key, "cron") && !weir_str_is(key, "name"))
            weir_member_set(kept, key, weir_value_ref(weir_object_at(whole, i)));
    }
    if (!weir_member_text(kept, "timezone").length) {
        weir_buffer zone = {0};
        weir__zone_of_machine(&zone);
        weir_member_put_text(kept, "timezone", weir_buffer_str(&zone));
        weir_buffer_deinit(&zone);
    }
    weir_value_unref(whole);
    weir_value_unref(spec);
    return kept;
}

/* Of a Workflow the CronWorkflow that runs it. */
static weir_value *spec_of_workflow(const weir_value *root) {
    static const char *const members[] = {"labels", "annotations"};
    weir_value *spec = weir_object_new(), *metadata = weir_object_new();
    const weir_value *given = weir_member_named(root, "metadata");
    for (size_t i = 0; i < 2; i++) {
        weir_value *value = weir_member_named(given, members[i]);
        if (weir_is(value, WEIR_OBJECT))
            weir_member_put(metadata, members[i], weir_value_ref(value));
    }
    weir_member_put(spec, "workflowMetadata", metadata);
    weir_value *inner = weir_member_named(root, "spec");
    weir_member_put(spec, "workflowSpec", inner ? weir_value_ref(inner) : weir_object_new());
    return spec;
}

/* Its name: what is said beside the file, else its own, or, of one that makes names for its runs, what these begin with. */
static void choose_name(const making *m, const weir_value *root, weir_buffer *out) {
    const weir_value *metadata = weir_member_named(root, "metadata");
    weir_str name = weir_member_text(m->what, "name");
    if (!name.length) name = weir_member_text(metadata, "name");
    if (!name.length) {
        name = weir_member_text(metadata, "generateName");
        while (name.length && name.data[name.length - 1] == '-') name.length--;
    }
    if (!name.length) {
        const weir_value *own = pipeline_member(root, "name");
        if (weir_is(own, WEIR_STRING)) name = weir_string_get(own);
    }
    if (name.length) {
        weir_buffer_str_append(out, name);
        return;
    }
    char *path = weir_str_dup(weir_member_text(m->request, "file")), *base = basename(path),
         *point = strrchr(base, '.');
    if (point && point != base) *point = '\0';
    weir_buffer_text(out, base);
    weir_free(path);
}

static bool check_name(weir_str name, weir_error *error) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    bool ok = name.length > 0 && name.length <= WEIR_SCHEDULE_NAME_MAX && name.data[0] != '.' &&
              name.data[0] != '-';
    for (size_t i = 0; ok && i < name.length; i++)
        ok = name.data[i] && strchr(letters, name.data[i]);
    if (ok) return true;
    weir_fail(error, WEIR_INVALID,
              "`%.*s` cannot be a schedule's name: at most %d letters, digits, `-`, `_` and `.`",
              (int)(name.length > 64 ? 64 : name.length), name.data, WEIR_SCHEDULE_NAME_MAX);
    weir_error_hint(error, "give it one: --name NAME");
    return false;
}

/* Puts "/NAME" behind the path, of a list of mappings with the place of the first that has it; gives its value. */
static const weir_value *append_member(const weir_value *body, const char *name,
                                       weir_buffer *path) {
    const weir_value *found = weir_member_named(body, name);
    for (size_t i = 0; !found && weir_is(body, WEIR_ARRAY) && i < weir_value_count(body); i++) {
        found = weir_member_named(weir_array_at(body, i), name);
        if (found) weir_buffer_printf(path, "/%zu", i);
    }
    weir_path_append(path, weir_str_from(name));
    return found;
}

static void place_of_zone(const weir_value *root, bool cron, weir_buffer *path) {
    weir_buffer_text(path, cron ? "spec" : "pipeline");
    const weir_value *body = weir_member_named(root, path->data);
    if (!cron) body = append_member(body, "schedule", path);
    (void)append_member(body, "timezone", path);
}

void weir__schedules_check(const weir_document *document, weir_problems *problems) {
    weir__zones zones;
    weir__zones_init(&zones);
    for (size_t i = 0; i < document->roots.count; i++) {
        const weir_value *root = document->roots.items[i];
        bool cron = is_kind(root, "CronWorkflow");
        weir_value *spec = cron ? weir_value_ref(weir_member_named(root, "spec"))
                                : weir_pipeline_schedule(pipeline_member(root, "schedule"));
        weir_str name = weir_member_text(spec, "timezone");
        const x_zone *ignored;
        weir_error error;
        weir_buffer path = {0};
        place_of_zone(root, cron, &path);
        if (name.length && !weir__zones_find(&zones, name, &ignored, &error))
            weir_document_problem(document, i, path.data, error.code, problems, "%s",
                                  error.message);
        weir_buffer_deinit(&path);
        weir_value_unref(spec);
    }
    weir__zones_deinit(&zones);
}

/* --- keeping it -------------------------------------------------------------------------------- */

/* What its runs are started with: as the request, of the file as it is now. */
static weir_value *make_request(const making *m, const char *kind, weir_str name) {
    static const char *const dropped[] = {"file", "name", "generate_name", "kind"};
    weir_value *request = weir_object_new();
    char path[PATH_MAX];
    weir_str file = weir_member_text(m->request, "file");
    for (size_t i = 0; i < weir_value_count(m->request); i++) {
        weir_str key = weir_object_key(m->request, i);
        bool kept = true;
        for (size_t d = 0; d < sizeof dropped / sizeof *dropped; d++)
            kept = kept && !weir_str_is(key, dropped[d]);
        if (kept) weir_member_set(request, key, weir_value_ref(weir_object_at(m->request, i)));
    }
    weir_member_put_text(request, "file", realpath(file.data, path) ? weir_str_from(path) : file);
    weir_member_put_text(request, "kind", weir_str_from(kind));
    if (strcmp(kind, "workflow") != 0)
        weir_member_put_text(request, "document", weir_buffer_str(&m->document->text));
    if (strcmp(kind, "pipeline") == 0 && name.length)
        weir_member_put_text(request, "pipeline", name);
    return request;
}

static weir_value *make_object(const weir_value *root, const char *kind, weir_str name,
                               weir_value *spec) {
    bool workflow = strcmp(kind, "workflow") == 0, cron = is_kind(root, "CronWorkflow");
    weir_value *object = weir_object_new(),
               *metadata =
                   weir_object_merge(cron ? weir_member_named(root, "metadata") : NULL, NULL);
    weir_buffer now = {0};
    weir_member_put_text(metadata, "name", name);
    weir__schedule_moment(weir__schedule_now(), &now);
    weir_member_put_text(metadata, "creationTimestamp", weir_buffer_str(&now));
    weir_buffer_deinit(&now);
    if (workflow) weir_member_put_text(object, "apiVersion", WEIR_STR("argoproj.io/v1alpha1"));
    weir_member_put_text(object, "kind", workflow ? WEIR_STR("CronWorkflow") : weir_str_from(kind));
    weir_member_put(object, "metadata", metadata);
    weir_member_put(object, "spec", spec);
    return object;
}

/* The templates and config maps of the same file. */
static weir_value *gather_others(const weir_document *document) {
    weir_value *others = weir_array_new();
    for (size_t i = 0; i < document->roots.count; i++) {
        weir_value *root = document->roots.items[i];
        if (weir_member_text(root, "kind").length && !is_kind(root, "CronWorkflow") &&
            !is_kind(root, "Workflow"))
            weir_array_append(others, weir_value_ref(root));
    }
    return others;
}

static bool fail_there(weir_str name, weir_error *error) {
    weir_fail(error, WEIR_INVALID, "there is already a schedule `%.*s`", WEIR_ARG(name));
    weir_error_hint(error, "`weir cron update` replaces it");
    return false;
}

/* Of one that is there its state stays, but what was missed until now. */
static bool keep(making *m, weir__schedule *s) {
    weir__schedule before = {0};
    bool ok = true, written = false;
    weir_str name = weir__schedule_name(s);
    if (m->replace) {
        ok = weir__schedule_load(m->engine, &m->zones, name, &before, m->error);
        if (ok) {
            weir_schedule_state_deinit(&s->state);
            s->state = before.state;
            s->version = before.version;
            before.state = (weir_schedule_state){0};
        }
    }
    s->state.anchor = weir__schedule_now();
    ok = ok && weir__schedule_store(m->engine, s, "", &written, m->error);
    if (ok && !written)
        ok = m->replace ? weir_fail(m->error, WEIR_CONFLICT, "`%.*s` was changed meanwhile",
                                    WEIR_ARG(name))
                        : fail_there(name, m->error);
    if (ok) weir_array_append(m->made, weir__schedule_show(s, weir__schedule_now()));
    weir__schedule_deinit(&before);
    return ok;
}

/* Takes the spec over. */
static bool make(making *m, const weir_value *root, size_t at, const char *kind, weir_value *spec) {
    const weir_schedule_zones zones = {weir__schedule_zone, &m->zones};
    weir_buffer name = {0};
    weir__schedule s = {0};
    const char *member = "";
    choose_name(m, root, &name);
    spec = complete_spec(m, spec);
    const weir_value *own = pipeline_member(root, "name");
    s.record = weir_object_new();
    weir_member_put(s.record, "object", make_object(root, kind, weir_buffer_str(&name), spec));
    weir_member_put(
        s.record, "request",
        make_request(m, kind, weir_is(own, WEIR_STRING) ? weir_string_get(own) : (weir_str){0}));
    if (strcmp(kind, "workflow") == 0)
        weir_member_put(s.record, "others", gather_others(m->document));
    bool ok = weir_schedule_read(spec, &zones, &s.schedule, &member, m->error);
    s.is_read = ok;
    if (!ok) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s",
                 strcmp(kind, "pipeline") == 0 ? "pipeline/schedule" : "spec", member);
        weir_problems problems = {0};
        weir_document_problem(m->document, at, path, m->error->code, &problems, "%s",
                              m->error->message);
        if (problems.count)
            weir_error_place(m->error, weir_str_from(problems.items[0].file),
                             problems.items[0].line, problems.items[0].column);
        weir_problems_deinit(&problems);
    }
    ok = ok && check_name(weir_buffer_str(&name), m->error) && keep(m, &s);
    weir__schedule_deinit(&s);
    weir_buffer_deinit(&name);
    return ok;
}

static bool make_of_root(making *m, const weir_value *root, size_t at) {
    bool said = weir_member_named(m->what, "schedules") != NULL;
    weir_value *spec = weir_member_named(root, "spec");
    if (is_kind(root, "CronWorkflow"))
        return make(m, root, at, "workflow", spec ? weir_value_ref(spec) : weir_object_new());
    if (is_kind(root, "Workflow") && said)
        return make(m, root, at, "workflow", spec_of_workflow(root));
    if (weir_member_named(root, "pipeline") && (said || pipeline_member(root, "schedule")))
        return make(m, root, at, "pipeline",
                    weir_pipeline_schedule(pipeline_member(root, "schedule")));
    if (said && (weir_member_named(root, "operations") || weir_member_named(root, "definitions")))
        return make(m, root, at, "dataflow", weir_object_new());
    return true;
}

/* What is wrong with the file is told where it is; names are of what is kept, not of a run. */
static bool check(weir_engine *engine, const weir_value *request,
                  void (*problem)(void *arg, const weir_error *error), void *arg,
                  weir_error *error) {
    weir_value *asked = weir_object_merge(request, NULL);
    weir_member_put_text(asked, "name", WEIR_STR(""));
    bool ok = weir_check(engine, asked, problem, arg, NULL, error);
    weir_value_unref(asked);
    return ok;
}

/* The file, or what the request has instead of it. */
static bool load(const weir_value *request, weir_document *document, weir_error *error) {
    const char *file = weir_member_text(request, "file").data;
    const weir_value *text = weir_member_named(request, "document");
    if (!weir_is(text, WEIR_STRING))
        return weir_document_load(document, file, WEIR_YAML_GUESSED, error);
    return weir_document_parse(document, file, weir_string_get(text), WEIR_YAML_GUESSED, error);
}

bool weir_cron_put(weir_engine *engine, const weir_value *request, const weir_value *what,
                   bool replace, void (*problem)(void *arg, const weir_error *error), void *arg,
                   weir_value **out, weir_error *error) {
    weir_document document = {0};
    making m = {engine, request, what, &document, replace, problem, arg, .error = error};
    weir_str file = weir_member_text(request, "file");
    if (!weir__schedules_kept(engine, error)) return false;
    if (!check(engine, request, problem, arg, error) || !load(request, &document, error))
        return false;
    weir__zones_init(&m.zones);
    m.made = weir_array_new();
    bool ok = true;
    for (size_t i = 0; ok && i < document.roots.count; i++)
        ok = make_of_root(&m, document.roots.items[i], i);
    if (ok && !weir_value_count(m.made)) {
        ok = weir_fail(error, WEIR_INVALID, "the file has no schedule");
        weir_error_place(error, file, 0, 0);
        weir_error_hint(error,
                        "a CronWorkflow has `schedules`, a pipeline `schedule`; or say when: "
                        "--schedule \"30 4 * * *\"");
    }
    if (ok)
        *out = m.made;
    else
        weir_value_unref(m.made);
    weir__zones_deinit(&m.zones);
    weir_document_deinit(&document);
    return ok;
}
