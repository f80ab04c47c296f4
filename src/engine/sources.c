/* Records of sources as contexts of a dataflow's run, whose results become features. They are read as the run has room for them, and wait in
 * the order of their source until their results are there: so any number of them needs the memory of a few thousand. */
#include "engine/sources.h"

enum { WAITING_MAX = 4096, WAITING_MIN = 64, WAITING_OF_EACH = 4, AT_ONCE = 1024 };

/* --- opening -------------------------------------------------------------------------------------- */

static bool parse_place(const weir_sources *s, weir_record_place *place, const char *text,
                        weir_error *error) {
    if (!weir_record_place_parse(place, text, error)) return false;
    weir_record_place_beneath(place, weir_member_text(s->what, "folder"));
    return true;
}

static bool open_source(weir_sources *s, const char *text, weir_error *error) {
    weir__source *one = weir_vector_push(&s->sources);
    *one = (weir__source){0};
    return parse_place(s, &one->place, text, error);
}

static bool open_spool(weir_sources *s, weir__source *one, weir_error *error) {
    if (!s->stores) return true;
    bool shared = s->to.path != NULL;
    one->spool = shared ? &s->to_spool : &one->own;
    return one->spool->file || weir_record_spool_open(one->spool, error);
}

/* The columns that a CSV file has already come first, in their order; another has the keys first. */
static void begin_columns(const weir_sources *s, const weir__source *one) {
    const weir_record_place *place = s->to.path ? &s->to : &one->place;
    if (!one->spool || place->kind != WEIR_RECORDS_CSV) return;
    const weir_value *known = weir_record_reader_columns(one->reader);
    bool in_place = !s->to.path && known && weir_value_count(known);
    if (!in_place)
        weir_member_put(one->spool->columns, place->key ? place->key : "key", weir_null_new());
    for (size_t i = 0; in_place && i < weir_value_count(known); i++)
        weir_member_set(one->spool->columns, weir_object_key(known, i), weir_null_new());
}

static bool open_reader(weir_sources *s, weir__source *one, weir_error *error) {
    const weir_record_place *to = s->to.path ? &s->to : &one->place;
    bool texts = s->stores && one->place.kind == WEIR_RECORDS_CSV && to->kind == WEIR_RECORDS_CSV;
    bool may_lack = s->wanted.count > 0;
    one->was_there = stat(one->place.path, &one->before) == 0;
    if (!weir_record_reader_open(&one->place, texts, may_lack, &one->reader, error) ||
        !open_spool(s, one, error))
        return false;
    begin_columns(s, one);
    return true;
}

static const weir_value *texts_of(const weir_sources *s, const char *member) {
    const weir_value *list = weir_member_named(s->what, member);
    return weir_is(list, WEIR_ARRAY) ? list : NULL;
}

static void take_settings(weir_sources *s) {
    const weir_value *keys = texts_of(s, "keys"),
                     *most = weir_member_named(s->what, "max_contexts");
    for (size_t i = 0; i < weir_value_count(keys); i++)
        if (weir_map_add(&s->wanted, weir_string_get(weir_array_at(keys, i)), s->met.count))
            *weir_vector_push(&s->met) = false;
    const weir_value *update = weir_member_named(s->what, "update");
    s->stores = !update || weir_value_truth(update);
    s->waiting_max = WAITING_MAX;
    if (!weir_is(most, WEIR_INT)) return;
    uint64_t wanted = (uint64_t)weir_int_get(most) * WAITING_OF_EACH;
    s->waiting_max = wanted < WAITING_MIN   ? WAITING_MIN
                     : wanted > WAITING_MAX ? WAITING_MAX
                                            : wanted;
}

static bool check_twice(const weir_sources *s, weir_error *error) {
    for (size_t i = 0; i < s->sources.count; i++)
        for (size_t k = 0; k < i; k++)
            if (weir_record_place_equal(&s->sources.items[i].place, &s->sources.items[k].place))
                return weir_fail(error, WEIR_USAGE, "%s is a source twice",
                                 s->sources.items[i].place.shown);
    return true;
}

bool weir_sources_open(const weir_value *what, weir_sources **out, weir_error *error) {
    weir_sources *s = weir_alloc(sizeof *s);
    s->what = weir_value_ref((weir_value *)what);
    take_settings(s);
    weir_str to = weir_member_text(what, "to");
    bool ok = !to.length || parse_place(s, &s->to, to.data, error);
    const weir_value *sources = texts_of(s, "sources");
    for (size_t i = 0; ok && i < weir_value_count(sources); i++)
        ok = open_source(s, weir_string_get(weir_array_at(sources, i)).data, error);
    if (ok && !s->sources.count) ok = weir_fail(error, WEIR_USAGE, "of which source?");
    ok = ok && check_twice(s, error);
    for (size_t i = 0; ok && i < s->sources.count; i++)
        ok = open_reader(s, &s->sources.items[i], error);
    if (ok)
        *out = s;
    else
        weir_sources_close(s);
    return ok;
}

void weir_sources_close(weir_sources *s) {
    if (!s) return;
    weir__sources_forget(s);
    for (size_t i = 0; i < s->sources.count; i++) {
        weir_record_reader_close(s->sources.items[i].reader);
        weir_record_spool_close(&s->sources.items[i].own);
        weir_record_place_deinit(&s->sources.items[i].place);
    }
    for (size_t i = s->first; i < s->items.count; i++) {
        weir_value_unref(s->items.items[i].record);
        weir_value_unref(s->items.items[i].result);
    }
    weir_record_spool_close(&s->to_spool);
    weir_record_place_deinit(&s->to);
    weir_vector_deinit(&s->sources);
    weir_vector_deinit(&s->items);
    weir_map_deinit(&s->waiting);
    weir_map_deinit(&s->wanted);
    weir_vector_deinit(&s->met);
    weir_free(s->seen.hashes);
    weir_value_unref(s->what);
    weir_free(s);
}

/* --- keys ----------------------------------------------------------------------------------------- */

static uint64_t *place_of(weir_sources *s, uint64_t hash) {
    size_t at = hash & (s->seen.capacity - 1);
    while (s->seen.hashes[at] && s->seen.hashes[at] != hash) at = (at + 1) & (s->seen.capacity - 1);
    return &s->seen.hashes[at];
}

static void grow_seen(weir_sources *s) {
    uint64_t *before = s->seen.hashes;
    size_t count = s->seen.capacity;
    s->seen.capacity = count ? count * 2 : AT_ONCE;
    s->seen.hashes = weir_alloc(s->seen.capacity * sizeof *s->seen.hashes);
    for (size_t i = 0; i < count; i++)
        if (before[i]) *place_of(s, before[i]) = before[i];
    weir_free(before);
}

/* Whether the key is there for the first time. Eight bytes a key are kept: of 64 bits that nobody can foresee. */
static bool is_first(weir_sources *s, weir_str key) {
    uint64_t hash = weir_hash_seeded(key.data, key.length);
    if (!hash) hash = 1;
    if (s->seen.count * 2 >= s->seen.capacity) grow_seen(s);
    uint64_t *place = place_of(s, hash);
    if (*place) return false;
    *place = hash;
    s->seen.count++;
    return true;
}

static bool fail_at(const weir__source *one, weir_error *error) {
    uint32_t line = weir_record_reader_line(one->reader);
    if (line && !error->line) weir_error_place(error, weir_str_from(one->place.shown), line, 1);
    return false;
}

/* --- what is kept --------------------------------------------------------------------------------- */

static bool keep(weir_sources *s, weir__source_item *one, weir_error *error) {
    weir__source *of = &s->sources.items[one->source];
    bool any = weir_is(one->result, WEIR_OBJECT) && weir_value_count(one->result);
    const weir_value *changed = any ? one->result : NULL;
    of->changed += any;
    of->unfinished += one->result && !any;
    return !of->spool || weir_record_spool_put(of->spool, one->record, changed, error);
}

/* Those at the front that wait for nothing; `all`: also those that do, as they were. */
static bool keep_ready(weir_sources *s, bool all, weir_error *error) {
    bool ok = true;
    for (; ok && s->first < s->items.count; s->first++, s->number++) {
        weir__source_item *one = &s->items.items[s->first];
        if (one->waits && !all) break;
        s->sources.items[one->source].unfinished += one->waits;
        ok = keep(s, one, error);
        weir_map_remove(&s->waiting, weir_member_text(one->record, "key"));
        weir_value_unref(one->record);
        weir_value_unref(one->result);
        one->record = one->result = NULL;
    }
    if (s->first * 2 > s->items.count) {
        s->items.count -= s->first;
        memmove(s->items.items, s->items.items + s->first,
                s->items.count * sizeof(weir__source_item));
        s->first = 0;
    }
    return ok;
}

/* Takes the record, and its result, if it is there. */
static void push(weir_sources *s, weir_value *record, weir_value *result, size_t of, bool waits) {
    uint64_t number = s->number + (s->items.count - s->first);
    *weir_vector_push(&s->items) =
        (weir__source_item){.record = record, .result = result, .source = of, .waits = waits};
    if (waits) weir_map_set(&s->waiting, weir_member_text(record, "key"), number);
}

void weir_sources_take(weir_sources *s, weir_str context, const weir_value *result) {
    uint64_t number;
    if (!weir_map_get(&s->waiting, context, &number)) {
        if (s->recalled) weir__sources_note(s, context, result);
        return;
    }
    weir__source_item *one = &s->items.items[s->first + (size_t)(number - s->number)];
    weir_value_unref(one->result);
    one->result = weir_value_ref((weir_value *)result);
    one->waits = false;
}

/* --- contexts ------------------------------------------------------------------------------------- */

static void add_input(weir_value *inputs, const char *as, weir_value *value, weir_str definition) {
    weir_value *input = weir_object_new();
    weir_member_put(input, as, value);
    weir_member_put_text(input, "definition", definition);
    weir_array_append(inputs, input);
}

/* As a value: cells of CSV may be as they are written. */
static weir_value *feature_of(const weir__source *one, const weir_value *feature) {
    if (one->place.kind == WEIR_RECORDS_CSV && weir_is(feature, WEIR_STRING))
        return weir_record_cell(weir_string_get(feature));
    return weir_value_ref((weir_value *)feature);
}

static weir_value *features_of(const weir__source *one, const weir_value *features) {
    weir_value *all = weir_object_new();
    for (size_t i = 0; i < weir_value_count(features); i++)
        weir_member_set(all, weir_object_key(features, i),
                        feature_of(one, weir_object_at(features, i)));
    return all;
}

/* Of one feature: {name, definition}. */
static bool add_feature(const weir__source *one, const weir_value *wanted, const weir_value *record,
                        weir_value *inputs, weir_error *error) {
    weir_str name = weir_member_text(wanted, "name");
    const weir_value *features = weir_member_named(record, "features");
    const weir_value *feature = weir_member(features, name);
    if (!feature)
        return weir_fail(error, WEIR_INVALID, "record `%.*s` has no feature `%.*s`",
                         WEIR_ARG(weir_member_text(record, "key")), WEIR_ARG(name));
    add_input(inputs, "value", feature_of(one, feature), weir_member_text(wanted, "definition"));
    return true;
}

static bool add_inputs(const weir_sources *s, const weir__source *one, const weir_value *record,
                       weir_value *inputs, weir_error *error) {
    weir_str definition = weir_member_text(s->what, "definition"),
             whole = weir_member_text(s->what, "features");
    const weir_value *texts = weir_member_named(s->what, "texts"), *wanted = texts_of(s, "feature");
    for (size_t i = 0; weir_is(texts, WEIR_OBJECT) && i < weir_value_count(texts); i++)
        add_input(inputs, "text", weir_value_ref(weir_object_at(texts, i)),
                  weir_object_key(texts, i));
    if (definition.length)
        add_input(inputs, "value", weir_value_ref(weir_member_named(record, "key")), definition);
    if (whole.length)
        add_input(inputs, "value", features_of(one, weir_member_named(record, "features")), whole);
    for (size_t i = 0; i < weir_value_count(wanted); i++)
        if (!add_feature(one, weir_array_at(wanted, i), record, inputs, error)) return false;
    return true;
}

static bool open_context(weir_sources *s, weir_run *run, weir_value *record, weir_error *error) {
    const weir__source *one = &s->sources.items[s->at < s->sources.count ? s->at : 0];
    weir_value *inputs = weir_array_new();
    bool ok = add_inputs(s, one, record, inputs, error);
    push(s, record, NULL, (size_t)(one - s->sources.items), true);
    ok = ok && weir_context_open(run, weir_member_text(record, "key").data, inputs, false, error);
    weir_value_unref(inputs);
    return ok;
}

/* Whether it has all the features that need no run. */
static bool is_done(const weir_sources *s, const weir_value *record) {
    const weir_value *names = texts_of(s, "caching");
    const weir_value *features = weir_member_named(record, "features");
    for (size_t i = 0; i < weir_value_count(names); i++)
        if (!weir_member(features, weir_string_get(weir_array_at(names, i)))) return false;
    return weir_value_count(names) > 0;
}

static bool is_wanted(weir_sources *s, weir_str key) {
    uint64_t place;
    if (!s->wanted.count) return true;
    if (!weir_map_get(&s->wanted, key, &place)) return false;
    s->met.items[place] = true;
    return true;
}

/* Takes the record. Without a run it stays as it is, unless it had its turn before the process died. */
static bool give_one(weir_sources *s, weir_run *run, weir_value *record, size_t of,
                     weir_error *error) {
    bool given, wanted = is_wanted(s, weir_member_text(record, "key"));
    weir_value *result;
    if (!weir__sources_recollect(s, weir_member_text(record, "key"), &given, &result, error)) {
        weir_value_unref(record);
        return false;
    }
    bool skipped = !given && (!wanted || is_done(s, record));
    if (!given && !skipped && run) return open_context(s, run, record, error);
    s->sources.items[of].skipped += skipped;
    push(s, record, result, of, given && !result);
    return true;
}

static bool give_record(weir_sources *s, weir_run *run, weir_value *record, weir_error *error) {
    weir__source *one = &s->sources.items[s->at];
    weir_str key = weir_member_text(record, "key");
    one->read++;
    if (!is_first(s, key)) {
        weir_fail(error, WEIR_INVALID, "two records have the key `%.*s`", WEIR_ARG(key));
        weir_value_unref(record);
        return fail_at(one, error);
    }
    return give_one(s, run, record, s->at, error) || fail_at(one, error);
}

/* Rows that are numbered have no place for a key. */
static bool can_add(const weir__source *one, const weir_value *key, weir_error *error) {
    const weir_value *columns = weir_record_reader_columns(one->reader);
    const char *wanted = one->place.key ? one->place.key : "key";
    if (one->place.kind != WEIR_RECORDS_CSV || !columns || !weir_value_count(columns) ||
        weir_member_named(columns, wanted))
        return true;
    weir_fail(error, WEIR_NOT_FOUND, "%s has no record `%.*s`", one->place.shown,
              WEIR_ARG(weir_string_get(key)));
    weir_error_hint(error, "its rows are numbered from 0, as it has no column `%s`", wanted);
    return false;
}

/* Keys that no source has are records of the first, without features. Without a run those that had their turn. */
static bool give_missing(weir_sources *s, weir_run *run, weir_error *error) {
    const weir_value *keys = texts_of(s, "keys");
    for (size_t i = 0; i < weir_value_count(keys); i++) {
        uint64_t place;
        weir_value *key = weir_array_at(keys, i);
        if (!weir_map_get(&s->wanted, weir_string_get(key), &place) || s->met.items[place] ||
            (!run && !weir__sources_was_given(s, weir_string_get(key))))
            continue;
        if (!can_add(&s->sources.items[0], key, error)) return false;
        weir_value *record = weir_object_new();
        weir_member_put(record, "key", weir_value_ref(key));
        weir_member_put(record, "features", weir_object_new());
        s->sources.items[0].added++;
        if (!give_one(s, run, record, 0, error)) return false;
    }
    return true;
}

/* Reads some more records. */
static bool give_some(weir_sources *s, weir_run *run, weir_error *error) {
    bool ok = true;
    for (size_t i = 0; ok && i < AT_ONCE && s->at < s->sources.count; i++) {
        if (s->items.count - s->first >= s->waiting_max || !weir_run_has_room(run)) break;
        weir_value *record;
        ok = weir_record_reader_next(s->sources.items[s->at].reader, &record, error);
        if (ok && record) ok = give_record(s, run, record, error);
        if (ok && !record) s->at++;
        if (ok && i % WAITING_MIN == 0) ok = keep_ready(s, false, error);
    }
    return ok;
}

bool weir_sources_give(weir_sources *s, weir_run *run, weir_error *error) {
    bool ok = weir__sources_mark(s, run, error) && weir__sources_note_given(s, error) &&
              keep_ready(s, false, error);
    if (!ok || !weir__run_takes_contexts(run)) return ok;
    ok = give_some(s, run, error);
    if (ok && !s->ended && s->at >= s->sources.count) {
        s->ended = true;
        ok = give_missing(s, run, error);
        weir_run_end(run);
    }
    return ok;
}

/* --- storing -------------------------------------------------------------------------------------- */

/* What the run did not come to stays as it is; a file has to have it, too. */
static bool read_rest(weir_sources *s, weir_error *error) {
    bool ok = weir__sources_note_given(s, error) && keep_ready(s, true, error);
    for (; ok && s->at < s->sources.count; s->at++) {
        weir__source *one = &s->sources.items[s->at];
        weir_value *record = NULL;
        while (ok && (ok = weir_record_reader_next(one->reader, &record, error)) && record)
            ok = give_record(s, NULL, record, error) && keep_ready(s, true, error);
        if (!ok) break;
    }
    return ok && (s->ended || (give_missing(s, NULL, error) && keep_ready(s, true, error)));
}

static bool is_as_it_was(const weir__source *one, weir_error *error) {
    struct stat now;
    bool is_there = stat(one->place.path, &now) == 0;
    bool same =
        is_there == one->was_there &&
        (!is_there || (now.st_ino == one->before.st_ino && now.st_size == one->before.st_size &&
                       now.st_mtim.tv_sec == one->before.st_mtim.tv_sec &&
                       now.st_mtim.tv_nsec == one->before.st_mtim.tv_nsec));
    if (same) return true;
    weir_fail(error, WEIR_CONFLICT, "%s was changed while the run went on; it is left as it is now",
              one->place.shown);
    weir_error_hint(error, "run it again, or store the records elsewhere");
    return false;
}

static bool store_one(const weir_sources *s, weir__source *one, weir_error *error) {
    bool file = one->place.kind == WEIR_RECORDS_CSV || one->place.kind == WEIR_RECORDS_JSON;
    if (s->to.path || !one->changed) return true;
    if (file && !is_as_it_was(one, error)) return false;
    weir_record_reader_close(one->reader); /* a cursor's transaction ends */
    one->reader = NULL;
    return weir_record_store(&one->place, one->spool, false, error);
}

static weir_value *summary_of(const weir_sources *s) {
    weir_value *list = weir_array_new();
    for (size_t i = 0; i < s->sources.count; i++) {
        const weir__source *one = &s->sources.items[i];
        weir_value *line = weir_object_new();
        weir_member_put_text(line, "source", weir_str_from(one->place.shown));
        weir_member_put(line, "records", weir_int_new((int64_t)(one->read + one->added)));
        weir_member_put(line, "changed", weir_int_new((int64_t)one->changed));
        weir_member_put(line, "skipped", weir_int_new((int64_t)one->skipped));
        weir_member_put(line, "unfinished", weir_int_new((int64_t)one->unfinished));
        if (s->stores)
            weir_member_put_text(line, "stored",
                                 weir_str_from(s->to.path ? s->to.shown : one->place.shown));
        weir_array_append(list, line);
    }
    return list;
}

bool weir_sources_store(weir_sources *s, weir_value **summary, weir_error *error) {
    bool ok = read_rest(s, error);
    for (size_t i = 0; ok && s->stores && i < s->sources.count; i++)
        ok = store_one(s, &s->sources.items[i], error);
    if (ok && s->stores && s->to.path) ok = weir_record_store(&s->to, &s->to_spool, true, error);
    if (ok && s->engine) ok = weir__sources_unmark(s->engine, s->run, error);
    if (ok) *summary = summary_of(s);
    return ok;
}
