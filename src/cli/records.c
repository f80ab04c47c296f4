/* weir run records: a dataflow for each record of files and tables; and what goes on of it after a crash. */
#include "cli/records.h"

#include <inttypes.h>

typedef struct records {
    weir_follow follow;
    weir_records_list list; /* of its one run */
} records;

static weir_value *texts_of(const weir_cli *cli, weir_flag flag) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < cli->given.count; i++)
        if (cli->given.items[i].flag == flag)
            weir_array_append(list, weir_string_from(weir_str_from(cli->given.items[i].value)));
    return list;
}

/* "NAME=DEFINITION", or "NAME" for both. */
static weir_value *features_of(const weir_cli *cli) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < cli->given.count; i++) {
        if (cli->given.items[i].flag != WEIR_FLAG_FEATURE) continue;
        weir_str text = weir_str_from(cli->given.items[i].value);
        size_t equals = weir_str_find(text, WEIR_STR("="), 0);
        weir_value *feature = weir_object_new();
        weir_member_put_text(feature, "name", weir_str_slice(text, 0, equals));
        weir_member_put_text(feature, "definition",
                             equals == SIZE_MAX ? text
                                                : weir_str_slice(text, equals + 1, text.length));
        weir_array_append(list, feature);
    }
    return list;
}

static void put_text(const weir_cli *cli, weir_flag flag, const char *member, weir_value *what) {
    const char *text = weir_cli_text(cli, flag);
    if (text) weir_member_put_text(what, member, weir_str_from(text));
}

/* What is run, and with what; inputs are every record's. */
static bool open_sources(const weir_cli *cli, const weir_value *request, weir_sources **out,
                         weir_error *error) {
    weir_value *what = weir_object_new();
    weir_value *texts = weir_member_named(request, "texts"),
               *most = weir_member_named(request, "max_contexts");
    weir_member_put(what, "sources", texts_of(cli, WEIR_FLAG_SOURCE));
    weir_member_put(what, "keys", texts_of(cli, WEIR_FLAG_KEY));
    weir_member_put(what, "caching", texts_of(cli, WEIR_FLAG_CACHING));
    weir_member_put(what, "feature", features_of(cli));
    put_text(cli, WEIR_FLAG_DESTINATION, "to", what);
    put_text(cli, WEIR_FLAG_RECORD_DEFINITION, "definition", what);
    put_text(cli, WEIR_FLAG_FEATURES_DEFINITION, "features", what);
    weir_member_put(what, "update", weir_bool_new(!weir_cli_has(cli, WEIR_FLAG_NO_UPDATE)));
    if (texts) weir_member_put(what, "texts", weir_value_ref(texts));
    if (most) weir_member_put(what, "max_contexts", weir_value_ref(most));
    bool ok = weir_sources_open(what, out, error);
    weir_value_unref(what);
    return ok;
}

/* It waits for contexts, and has none of its own. */
static weir_value *without_inputs(const weir_value *request, const weir_sources *sources) {
    weir_value *open = weir_object_new();
    for (size_t i = 0; i < weir_value_count(request); i++)
        if (!weir_str_is(weir_object_key(request, i), "texts"))
            weir_member_set(open, weir_object_key(request, i),
                            weir_value_ref(weir_object_at(request, i)));
    weir_member_put(open, "open", weir_bool_new(true));
    weir_member_put(open, "records", weir_sources_request(sources));
    return open;
}

/* --- runs of records that are followed ------------------------------------------------------------ */

static weir_records_entry *entry_of(weir_records_list *list, const weir_run *run) {
    for (size_t i = 0; i < list->entries.count; i++)
        if (list->entries.items[i].run == run) return &list->entries.items[i];
    return NULL;
}

static bool give(void *arg, weir_run *run, weir_error *error) {
    weir_records_entry *entry = entry_of(arg, run);
    if (entry) entry->broken = !weir_sources_give(entry->sources, run, error);
    return !entry || !entry->broken;
}

static void take(void *arg, weir_run *run, weir_str context, const weir_value *result) {
    (void)run;
    records *r = arg; /* begins with the follow, which has the callbacks */
    weir_sources_take(r->list.entries.items[0].sources, context, result);
}

/* A line for each source, for people. */
static weir_value *text_of(const weir_value *summary) {
    weir_buffer text = {0};
    for (size_t i = 0; i < weir_value_count(summary); i++) {
        const weir_value *one = weir_array_at(summary, i);
        static const char *const parts[] = {"changed", "skipped", "unfinished"};
        if (i) weir_buffer_byte(&text, '\n');
        int64_t count = weir_int_get(weir_member_named(one, "records"));
        weir_buffer_str_append(&text, weir_member_text(one, "source"));
        weir_buffer_printf(&text, ": %" PRId64 " record%s", count, count == 1 ? "" : "s");
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++) {
            count = weir_int_get(weir_member_named(one, parts[k]));
            if (count || !k) weir_buffer_printf(&text, ", %" PRId64 " %s", count, parts[k]);
        }
        weir_str stored = weir_member_text(one, "stored");
        if (!stored.length)
            weir_buffer_text(&text, ", nothing stored");
        else if (!weir_str_equal(stored, weir_member_text(one, "source")))
            weir_buffer_printf(&text, ", stored in %.*s", WEIR_ARG(stored));
    }
    weir_value *value = weir_string_from(weir_buffer_str(&text));
    weir_buffer_deinit(&text);
    return value;
}

static bool conclude(void *arg, weir_run *run, weir_value *result, weir_error *error) {
    weir_records_list *list = arg;
    weir_records_entry *entry = entry_of(list, run);
    weir_value *summary = NULL;
    if (!entry) return true;
    bool ok = entry->broken || weir_sources_store(entry->sources, &summary, error);
    bool text = weir_cli_form(list->cli, "text");
    if (text && summary) weir_member_put(result, "results", text_of(summary));
    if (text && !summary) weir_member_put_text(result, "results", WEIR_STR("nothing was stored"));
    if (summary) weir_member_put(result, "records", summary);
    return ok;
}

void weir_records_follow(weir_records_list *list, weir_follow *follow) {
    list->cli = follow->cli;
    follow->give = give;
    follow->conclude = conclude;
    follow->give_arg = list;
}

bool weir_records_recover(weir_records_list *list, weir_engine *engine, const char *name,
                          weir_run **run, weir_error *error) {
    weir_sources *sources;
    if (!weir_sources_recall(engine, name, &sources, error)) return false;
    if (!weir_run_recover(engine, name, run, error)) {
        weir_sources_close(sources);
        return false;
    }
    if (sources)
        *weir_vector_push(&list->entries) = (weir_records_entry){.run = *run, .sources = sources};
    return true;
}

void weir_records_close(weir_records_list *list) {
    for (size_t i = 0; i < list->entries.count; i++)
        weir_sources_close(list->entries.items[i].sources);
    weir_vector_deinit(&list->entries);
}

/* --- the command ---------------------------------------------------------------------------------- */

static int start_and_follow(records *r, const weir_value *request) {
    weir_error error;
    weir_engine *engine;
    weir_run *run = NULL;
    size_t said = 0;
    weir_follow *follow = &r->follow;
    if (!weir_cli_open(follow->cli, false, &follow->callbacks, &engine, &error))
        return weir_follow_fail(follow, &error, false);
    int code;
    if (weir_run_start(engine, request, weir_output_problem_counted, &said, &run, &error))
        code = 0;
    else
        code = weir_follow_fail(follow, &error, said > 0);
    r->list.entries.items[0].run = run;
    if (run) code = weir_follow_run(follow, &run, 1, 0);
    weir_records_close(&r->list);
    if (run) weir_run_close(run);
    weir_close(engine);
    return code;
}

int weir_run_records_command(weir_cli *cli) {
    weir_error error;
    weir_value *request = NULL, *open = NULL;
    records r = {0};
    if (!weir_cli_has(cli, WEIR_FLAG_SOURCE)) {
        weir_fail(&error, WEIR_USAGE, "which records?");
        weir_error_hint(&error, "write `weir run records FILE --source people.csv`");
        return weir_cli_fail(&error);
    }
    if (!weir_cli_request(cli, &request, &error)) return weir_cli_fail(&error);
    int code;
    weir_sources *sources;
    if (open_sources(cli, request, &sources, &error)) {
        *weir_vector_push(&r.list.entries) = (weir_records_entry){.sources = sources};
        open = without_inputs(request, sources);
    }
    if (open && weir_follow_init(&r.follow, cli, false, &error)) {
        weir_records_follow(&r.list, &r.follow);
        r.follow.callbacks.result = take;
        r.follow.callbacks.results_go = true;
        code = weir_follow_deinit(&r.follow, start_and_follow(&r, open));
    } else {
        code = weir_cli_fail(&error);
    }
    weir_records_close(&r.list);
    weir_value_unref(request);
    weir_value_unref(open);
    return code;
}
