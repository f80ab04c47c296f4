/* A workflow for trying out: one template or step of it alone, and templates that are not run but give what somebody says. Both change the
 * complete workflow, so all that comes behind knows nothing of it. */
#include <stdlib.h>

#include "data/json.h"
#include "workflow/load_internal.h"

enum { NAMED_MAX = 8 }; /* in an error */

static void add_problem(weir_problems *problems, const char *file, const weir_error *error,
                        const char *hint) {
    weir_error placed = *error;
    weir_error_place(&placed, weir_str_from(file), 0, 0);
    weir_error_hint(&placed, "%s", hint);
    weir_problems_add(problems, &placed);
}

/* What a template is called where it was written. */
static weir_str plain_name(const weir_value *template) {
    weir_str own = weir_member_text(weir_member_named(template, "weir"), "name");
    return own.length ? own : weir_member_text(template, "name");
}

static bool is_called(const weir_value *template, weir_str name) {
    return weir_str_equal(weir_member_text(template, "name"), name) ||
           weir_str_equal(plain_name(template), name);
}

/* --- one step alone ---------------------------------------------------------------------------------- */

typedef struct search {
    weir_str template, step; /* the template may be empty: any */
    const weir_value *found;
    size_t count;
    weir_buffer names;
} search;

static void look_at_step(search *s, const weir_value *template, const weir_value *step) {
    if (!weir_str_equal(weir_member_text(step, "name"), s->step)) return;
    weir_str name = plain_name(template);
    if (s->count < NAMED_MAX)
        weir_buffer_printf(&s->names, "%s%.*s.%.*s", s->count ? ", " : "", WEIR_ARG(name),
                           WEIR_ARG(s->step));
    s->found = step;
    s->count++;
}

static void look_at_template(search *s, const weir_value *template) {
    const weir_value *groups = weir_member_named(template, "steps");
    const weir_value *tasks = weir_member_named(weir__object_member(template, "dag"), "tasks");
    if (s->template.length && !is_called(template, s->template)) return;
    for (size_t i = 0; weir_is(groups, WEIR_ARRAY) && i < weir_value_count(groups); i++) {
        const weir_value *group = weir_array_at(groups, i);
        for (size_t k = 0; weir_is(group, WEIR_ARRAY) && k < weir_value_count(group); k++)
            look_at_step(s, template, weir_array_at(group, k));
    }
    for (size_t i = 0; weir_is(tasks, WEIR_ARRAY) && i < weir_value_count(tasks); i++)
        look_at_step(s, template, weir_array_at(tasks, i));
}

/* "STEP" or "TEMPLATE.STEP"; names of templates may have points. */
static const weir_value *find_step(const weir_value *templates, weir_str name, search *s) {
    *s = (search){.step = name};
    for (size_t i = 0; i < weir_value_count(templates); i++)
        look_at_template(s, weir_array_at(templates, i));
    for (size_t at = name.length; !s->count && at-- > 0;) {
        if (name.data[at] != '.') continue;
        s->template = weir_str_slice(name, 0, at);
        s->step = weir_str_slice(name, at + 1, name.length);
        for (size_t i = 0; i < weir_value_count(templates); i++)
            look_at_template(s, weir_array_at(templates, i));
    }
    return s->found;
}

/* The step's arguments that say something by themselves become the workflow's, but for those that are given. */
static weir_value *own_arguments(const weir_value *step, const weir_value *given) {
    const weir_value *list =
        weir_member_named(weir__object_member(step, "arguments"), "parameters");
    weir_value *parameters = weir_array_new(), *arguments = weir_object_new();
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *parameter = weir_array_at(list, i);
        const weir_value *value = weir_member_named(parameter, "value");
        bool late = weir_is(value, WEIR_STRING) && weir__has_tag(weir_string_get(value));
        bool said = given && weir_member(given, weir_member_text(parameter, "name"));
        if (value && !late && !said)
            weir_array_append(parameters, weir_value_ref((weir_value *)parameter));
    }
    weir_member_put(arguments, "parameters", parameters);
    return arguments;
}

/* The workflow's parameters and artifacts stay, as the template may ask for them. */
static weir_value *add_arguments(const weir_value *spec, const weir_value *step,
                                 const weir_value *given) {
    weir_value *arguments = own_arguments(step, given);
    weir_value *list = weir_member_named(arguments, "parameters");
    const weir_value *have =
        weir_member_named(weir__object_member(spec, "arguments"), "parameters");
    for (size_t i = 0; weir_is(have, WEIR_ARRAY) && i < weir_value_count(have); i++) {
        weir_value *parameter = weir_array_at(have, i);
        bool covered = false;
        for (size_t k = 0; k < weir_value_count(list); k++)
            covered = covered || weir_str_equal(weir_member_text(weir_array_at(list, k), "name"),
                                                weir_member_text(parameter, "name"));
        if (!covered) weir_array_append(list, weir_value_ref(parameter));
    }
    weir_value *artifacts = weir_member_named(weir__object_member(spec, "arguments"), "artifacts");
    if (artifacts) weir_member_put(arguments, "artifacts", weir_value_ref(artifacts));
    return arguments;
}

static void fail_only(weir_str name, const search *s, weir_problems *problems, const char *file) {
    weir_error error;
    if (!s->count)
        weir_fail(&error, WEIR_NOT_FOUND, "--only: there is no template and no step `%.*s`",
                  WEIR_ARG(name));
    else
        weir_fail(&error, WEIR_INVALID, "--only: `%.*s` is not one step: %s", WEIR_ARG(name),
                  s->names.data);
    add_problem(problems, file, &error, "name a template, a step, or TEMPLATE.STEP");
}

/* The workflow with that template or step as its only one; takes the reference. */
static weir_value *only(weir_value *workflow, weir_str name, const weir_value *request,
                        weir_problems *problems, const char *file) {
    weir_value *spec = weir_value_ref((weir_value *)weir__object_member(workflow, "spec"));
    const weir_value *templates = weir_member_named(spec, "templates"), *step = NULL;
    const weir_value *given = weir__object_member(request, "parameters");
    weir_str entry = {0};
    search s = {0};
    for (size_t i = 0; i < weir_value_count(templates) && !entry.length; i++)
        if (is_called(weir_array_at(templates, i), name))
            entry = weir_member_text(weir_array_at(templates, i), "name");
    if (!entry.length && (step = find_step(templates, name, &s)) && s.count == 1)
        entry = weir_member_text(step, "template");
    if (entry.length) {
        weir_value *arguments = add_arguments(spec, step, given);
        spec = weir__with(spec, "entrypoint", weir_string_from(entry));
        spec = weir__with(spec, "arguments", arguments);
        spec = weir__without(weir__without(spec, "onExit"), "hooks");
        workflow = weir__with(workflow, "spec", spec);
    } else {
        fail_only(name, &s, problems, file);
        weir_value_unref(spec);
    }
    weir_buffer_deinit(&s.names);
    return workflow;
}

/* --- templates that are not run ---------------------------------------------------------------------- */

/* {name: text} of such, or of Argo's list [{name, value}]. */
static weir_value *read_parameters(const weir_value *given) {
    weir_value *all = weir_object_new();
    for (size_t i = 0; given && i < weir_value_count(given); i++) {
        bool list = weir_is(given, WEIR_ARRAY);
        const weir_value *item = list ? weir_array_at(given, i) : NULL;
        weir_str name = list ? weir_member_text(item, "name") : weir_object_key(given, i);
        weir_value *value = list ? weir_member_named(item, "value") : weir_object_at(given, i);
        if (name.length && value) weir_member_set(all, name, weir_json_as_text(value));
    }
    return all;
}

/* What an attempt of it gives: {result?, exit_code, parameters}. */
static bool read_mock(const weir_value *given, weir_value **out) {
    const weir_value *code = weir_member_named(given, "exitCode");
    const weir_value *parameters = weir_member_named(given, "parameters");
    const weir_value *result = weir_member_named(given, "result");
    int64_t number = 0;
    if (!weir_is(given, WEIR_OBJECT) ||
        (parameters && !weir_is(parameters, WEIR_OBJECT) && !weir_is(parameters, WEIR_ARRAY)))
        return false;
    if (weir_is(code, WEIR_INT))
        number = weir_int_get(code);
    else if (weir_is(code, WEIR_STRING))
        number = strtol(weir_string_get(code).data, NULL, 10);
    if (number < 0 || number > 255) return false;
    weir_value *mock = weir_object_new();
    weir_member_put(mock, "exit_code", weir_int_new(number));
    weir_member_put(mock, "parameters", read_parameters(parameters));
    if (result) weir_member_put(mock, "result", weir_json_as_text(result));
    *out = mock;
    return true;
}

/* Its output parameters are read from what is said, whatever they were read from. */
static weir_value *mock_outputs(const weir_value *template) {
    const weir_value *list =
        weir_member_named(weir__object_member(template, "outputs"), "parameters");
    weir_value *outputs = weir_object_new(), *parameters = weir_array_new();
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        weir_value *parameter = weir_value_ref(weir_array_at(list, i));
        weir_value *from = weir_object_new(),
                   *otherwise =
                       weir_member_named(weir_member_named(parameter, "valueFrom"), "default");
        weir_buffer path = {0};
        weir_buffer_printf(&path, "/mock/%.*s", WEIR_ARG(weir_member_text(parameter, "name")));
        weir_member_put_text(from, "path", weir_buffer_str(&path));
        weir_buffer_deinit(&path);
        if (otherwise) weir_member_put(from, "default", weir_value_ref(otherwise));
        parameter = weir__with(weir__without(parameter, "value"), "valueFrom", from);
        weir_array_append(parameters, parameter);
    }
    weir_member_put(outputs, "parameters", parameters);
    return outputs;
}

/* A container that gives the mock; its calls and names stay as they are. */
static weir_value *mock_template(const weir_value *template, const weir_value *mock) {
    static const char *const kept[] = {"name", "annotations", "metadata", "retryStrategy"};
    weir_value *made = weir_object_new(), *container = weir_object_new(),
               *command = weir_array_new(), *inputs = weir_object_new();
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        weir_value *member = weir_member_named(template, kept[i]);
        if (member) weir_member_put(made, kept[i], weir_value_ref(member));
    }
    weir_value *parameters =
        weir_member_named(weir__object_member(template, "inputs"), "parameters");
    if (parameters) weir_member_put(inputs, "parameters", weir_value_ref(parameters));
    weir_array_append(command, weir_string_from(WEIR_STR("true")));
    weir_member_put_text(container, "image", WEIR_STR("mock"));
    weir_member_put(container, "command", command);
    weir_member_put(made, "inputs", inputs);
    weir_member_put(made, "outputs", mock_outputs(template));
    weir_member_put(made, "container", container);
    const weir_value *own = weir__object_member(template, "weir");
    weir_value *marks = own ? weir_value_own(weir_value_ref((weir_value *)own)) : weir_object_new();
    weir_member_put(marks, "mock", weir_value_ref((weir_value *)mock));
    weir_member_put(made, "weir", marks);
    return made;
}

static weir_value *put_mock(weir_value *workflow, weir_str name, const weir_value *given,
                            weir_problems *problems, const char *file) {
    weir_value *spec = weir_value_ref((weir_value *)weir__object_member(workflow, "spec")), *mock;
    const weir_value *templates = weir_member_named(spec, "templates");
    weir_value *changed = weir_array_new();
    weir_error error;
    bool any = false;
    if (!read_mock(given, &mock)) {
        weir_fail(&error, WEIR_INVALID, "the outputs of `%.*s` are no object", WEIR_ARG(name));
        add_problem(problems, file, &error,
                    "{parameters: {NAME: TEXT}, result: TEXT, exitCode: 0}, each of them optional");
        mock = weir_object_new();
        any = true;
    }
    for (size_t i = 0; i < weir_value_count(templates); i++) {
        weir_value *template = weir_array_at(templates, i);
        bool meant = is_called(template, name);
        any = any || meant;
        weir_array_append(changed,
                          meant ? mock_template(template, mock) : weir_value_ref(template));
    }
    if (!any) {
        weir_fail(&error, WEIR_NOT_FOUND, "--mock: there is no template `%.*s`", WEIR_ARG(name));
        add_problem(problems, file, &error, "a template that is reached from the entrypoint");
    }
    weir_value_unref(mock);
    return weir__with(workflow, "spec", weir__with(spec, "templates", changed));
}

/* --- artifacts that are given ------------------------------------------------------------------------ */

/* The workflow's arguments with these texts as artifacts, instead of others of their names. */
static weir_value *put_artifacts(weir_value *workflow, const weir_value *given) {
    weir_value *spec = weir_value_ref((weir_value *)weir__object_member(workflow, "spec"));
    const weir_value *have = weir__object_member(spec, "arguments");
    const weir_value *list = weir_member_named(have, "artifacts");
    weir_value *arguments = have ? weir_value_ref((weir_value *)have) : weir_object_new();
    weir_value *artifacts = weir_array_new();
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        if (!weir_member(given, weir_member_text(weir_array_at(list, i), "name")))
            weir_array_append(artifacts, weir_value_ref(weir_array_at(list, i)));
    for (size_t i = 0; i < weir_value_count(given); i++) {
        weir_value *artifact = weir_object_new(), *raw = weir_object_new();
        weir_member_put(raw, "data", weir_value_ref(weir_object_at(given, i)));
        weir_member_put_text(artifact, "name", weir_object_key(given, i));
        weir_member_put(artifact, "raw", raw);
        weir_array_append(artifacts, artifact);
    }
    return weir__with(workflow, "spec",
                      weir__with(spec, "arguments", weir__with(arguments, "artifacts", artifacts)));
}

weir_value *weir__load_alone(weir_value *workflow, const weir_value *request,
                             weir_problems *problems, const char *file) {
    weir_str name = weir_member_text(request, "only");
    const weir_value *mocks = weir__object_member(request, "mocks");
    if (!weir_is(weir_member_named(weir__object_member(workflow, "spec"), "templates"), WEIR_ARRAY))
        return workflow;
    const weir_value *artifacts = weir__object_member(request, "artifacts");
    if (artifacts) workflow = put_artifacts(workflow, artifacts);
    if (name.length) workflow = only(workflow, name, request, problems, file);
    for (size_t i = 0; mocks && i < weir_value_count(mocks); i++)
        workflow =
            put_mock(workflow, weir_object_key(mocks, i), weir_object_at(mocks, i), problems, file);
    if (!mocks || weir_member_named(workflow, "weir")) return workflow;
    weir_value *marks = weir_object_new(); /* what is in its templates now is weir's own */
    weir_member_put(marks, "complete", weir_bool_new(true));
    return weir__with(workflow, "weir", marks);
}
