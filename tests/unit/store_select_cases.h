/* What every kind of store does with selections, labels and ends. As store_cases.h, which comes before it. */
#ifndef WEIR_TESTS_STORE_SELECT_CASES_H
#define WEIR_TESTS_STORE_SELECT_CASES_H

/* a to h, in this order. */
static void append_eight(void) {
    static const struct {
        const char *phase, *kind, *file, *parent, *labels;
    } rows[] = {
        {"Succeeded", "dataflow", "flow.json", "", "{\"team\":\"red\",\"n\":\"1\"}"},
        {"Failed", "workflow", "a/flow.json", "", "{\"team\":\"blue\"}"},
        {"Running", "dataflow", "other.yaml", "", ""},
        {"Succeeded", "dataflow", "flow.json", "c", "{\"team\":\"red\"}"},
        {"Error", "pipeline", "b/myflow.json", "", "{\"a/b.c-d\":\"\"}"},
        {"Failed", "dataflow", "[x]%_.json", "c", "{\"team\":\"it's \\\"é\\\"\"}"},
        {"Running", "dataflow", "flow.json", "", "{\"team\":\"red\",\"n\":\"2\"}"},
        {"Succeeded", "dataflow", "flow.json", "", ""},
    };
    completion c = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char id[] = "id-0", name[] = "a";
        id[3] = (char)('0' + i);
        name[0] = (char)('a' + i);
        weir_run_record record = record_of(id, name, rows[i].phase, 1000 + 10 * i);
        if (i == 4) record.created_us = 900; /* the clock went back */
        record.kind = weir_str_from(rows[i].kind);
        record.file = weir_str_from(rows[i].file);
        record.parent = weir_str_from(rows[i].parent);
        record.labels = weir_str_from(rows[i].labels);
        append_to(id, 1, "x", &record, &c);
        wait_for(&c, (int)i + 1);
    }
    assert_int_equal(c.failed, 0);
}

static bool join_letters(void *arg, const weir_run_record *record) {
    assert_true(record->number > 0);
    weir_buffer_str_append(arg, record->name);
    return true;
}

static void expect_selected(const weir_selection *selection, const char *expected) {
    weir_buffer all = {0};
    weir_buffer_text(&all, "");
    if (!weir_store_select(store, selection, join_letters, &all, &error))
        fail_msg("%s", error.message);
    assert_string_equal(all.data, expected);
    weir_buffer_deinit(&all);
}

static void expect_labelled(const char *terms, const char *expected) {
    weir_selection s = {0};
    for (weir_str rest = weir_str_from(terms); rest.length;) {
        size_t end = weir_str_find(rest, WEIR_STR(","), 0);
        assert_true(weir_label_term_parse(weir_str_slice(rest, 0, end), &s.labels[s.label_count++],
                                          &error));
        rest = weir_str_slice(rest, end == SIZE_MAX ? rest.length : end + 1, rest.length);
    }
    expect_selected(&s, expected);
}

#define SELECT(expected, ...) expect_selected(&(weir_selection){__VA_ARGS__}, expected)
#define PHASES(...) .phases = {__VA_ARGS__}

static void runs_are_selected(void **state) {
    (void)state;
    SELECT("", .limit = 3);
    append_eight();
    SELECT("hgfedcba", .limit = 0);
    SELECT("abcdefgh", .oldest_first = true);
    SELECT("hgf", .limit = 3);
    SELECT("fb", PHASES(WEIR_STR("Failed")), .phase_count = 1);
    SELECT("feb", PHASES(WEIR_STR("Failed"), WEIR_STR("Error")), .phase_count = 2);
    SELECT("be", PHASES(WEIR_STR("Failed"), WEIR_STR("Error")), .phase_count = 2, .limit = 2,
           .oldest_first = true);
    SELECT("hfdba", PHASES(WEIR_STR("Failed"), WEIR_STR("Succeeded")), .phase_count = 2);
    SELECT("e", .kind = WEIR_STR("pipeline"));
    SELECT("fd", .by_parent = true, .parent = WEIR_STR("c"));
    SELECT("", .by_parent = true, .parent = WEIR_STR("a"));
    SELECT("f", .by_parent = true, .parent = WEIR_STR("c"), PHASES(WEIR_STR("Failed")),
           .phase_count = 1);
    SELECT("hgecba", .by_parent = true);
    SELECT("gc", .by_parent = true, PHASES(WEIR_STR("Running")), .phase_count = 1);
    SELECT("hgf", .since_us = 1050);
    SELECT("edcba", .until_us = 1030);
    SELECT("fdc", .since_us = 1020, .until_us = 1050);
    SELECT("", .since_us = 5000);
    SELECT("", .until_us = 5);
    SELECT("e", .until_us = 950, .by_parent = true, .limit = 1);
}

static void texts_are_matched_by_patterns(void **state) {
    (void)state;
    append_eight();
    SELECT("b", .name = WEIR_STR("b"));
    SELECT("hgfedcba", .name = WEIR_STR("?"));
    SELECT("", .name = WEIR_STR("??"));
    SELECT("hgdba", .file = WEIR_STR("flow.json"));
    SELECT("b", .file = WEIR_STR("a/flow.json"));
    SELECT("hgedba", .file = WEIR_STR("*flow.json"));
    SELECT("eb", .file = WEIR_STR("*/*flow.json"));
    SELECT("e", .file = WEIR_STR("my*"));
    SELECT("f", .file = WEIR_STR("[x]%_.json"));
    SELECT("f", .file = WEIR_STR("[?]?_*"));
    SELECT("", .file = WEIR_STR("%"));
    SELECT("", .file = WEIR_STR("[a-z]low.json"));
}

static void labels_are_kept_and_asked_for(void **state) {
    (void)state;
    append_eight();
    expect_labelled("team=red", "gda");
    expect_labelled("team=red,n=2", "g");
    expect_labelled("team=red,n", "ga");
    expect_labelled("team=red,!n", "d");
    expect_labelled("team=red,n!=2", "da");
    expect_labelled("team!=red", "hfecb");
    expect_labelled("team", "gfdba");
    expect_labelled("!team", "hec");
    expect_labelled("a/b.c-d", "e");
    expect_labelled("a/b.c-d=", "e");
    expect_labelled("team=it's \"é\"", "f");
    expect_labelled("team=nobody", "");
    SELECT("ga", .labels = {{.key = WEIR_STR("team"), .value = WEIR_STR("red")}}, .label_count = 1,
           .by_parent = true);
    SELECT("a", .labels = {{.key = WEIR_STR("team"), .value = WEIR_STR("red")}}, .label_count = 1,
           .limit = 1, .oldest_first = true);
    SELECT("da", .labels = {{.key = WEIR_STR("team"), .value = WEIR_STR("red")}}, .label_count = 1,
           PHASES(WEIR_STR("Succeeded"), WEIR_STR("Error")), .phase_count = 2);
    /* A later record changes the phase, not the labels. */
    completion c = {0};
    weir_run_record record = record_of("id-6", "g", "Failed", 1);
    record.labels = WEIR_STR("{\"team\":\"red\",\"n\":\"2\"}");
    append_to("id-6", 2, "y", &record, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    expect_labelled("team=red,n=2", "g");
    SELECT("gfb", PHASES(WEIR_STR("Failed")), .phase_count = 1);
}

static bool note_number(void *arg, const weir_run_record *record) {
    *(uint64_t *)arg = record->number;
    return true;
}

static void a_page_goes_on_where_the_last_ended(void **state) {
    (void)state;
    append_eight();
    uint64_t number = 0;
    completion c = {0};
    assert_true(
        weir_store_select(store, &(weir_selection){.limit = 3}, note_number, &number, &error));
    weir_run_record record = record_of("new", "i", "Running", 1);
    append_to("new", 1, "x", &record, &c);
    wait_for(&c, 1);
    SELECT("edc", .after = number, .limit = 3);
    SELECT("ghi", .after = number, .oldest_first = true);
    SELECT("eb", .after = number, PHASES(WEIR_STR("Failed"), WEIR_STR("Error")), .phase_count = 2);
    /* The run that it names may go. */
    assert_true(weir_store_delete(store, &WEIR_STR("id-5"), 1, &error));
    SELECT("edc", .after = number, .limit = 3);
}

static void the_version_says_when_to_look(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record record = record_of("a", "kept", "Running", 1);
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    uint64_t before = weir_store_version(store);
    assert_true(weir_store_version(store) == before);
    append_to("a", 2, "two", NULL, &c);
    wait_for(&c, 2);
    assert_true(!before || weir_store_version(store) != before);
}

static bool note_leftover(void *arg, weir_str run, weir_str owner) {
    weir_buffer_printf(arg, "%.*s of %.*s ", WEIR_ARG(run), WEIR_ARG(owner));
    return true;
}

static void what_is_deleted_is_gone(void **state) {
    (void)state;
    append_eight();
    weir_str two[] = {WEIR_STR("id-0"), WEIR_STR("id-3")};
    assert_true(weir_store_delete(store, two, 2, &error));
    SELECT("hgfecb", .limit = 0);
    expect_labelled("team=red", "g");
    expect_batches("id-0", 1, "");
    expect_batches("id-1", 1, "1:x ");
    expect_found("a", NULL);
    assert_true(weir_store_delete(store, two, 2, &error)); /* and is so however often */
    uint64_t number = 0, later = 0;
    weir_str newest = WEIR_STR("id-7");
    assert_true(
        weir_store_select(store, &(weir_selection){.limit = 1}, note_number, &number, &error));
    assert_true(weir_store_delete(store, &newest, 1, &error));
    weir_buffer left = {0};
    weir_buffer_text(&left, "");
    assert_true(weir_store_leftovers(store, note_leftover, &left, &error));
    if (left.length) assert_non_null(strstr(left.data, "id-3 of here:1 "));
    assert_true(weir_store_forget(store, two[0], &error));
    assert_true(weir_store_forget(store, two[1], &error));
    assert_true(weir_store_forget(store, newest, &error));
    weir_buffer_clear(&left);
    assert_true(weir_store_leftovers(store, note_leftover, &left, &error));
    assert_int_equal(left.length, 0);
    weir_buffer_deinit(&left);
    /* The name is free again, the number is not. */
    completion c = {0};
    weir_run_record again = record_of("other", "a", "Running", 1);
    append_to("other", 1, "x", &again, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    expect_found("a", "other");
    assert_true(
        weir_store_select(store, &(weir_selection){.limit = 1}, note_number, &later, &error));
    assert_true(later > number);
}

#define SELECT_CASES(X)                                                                            \
    X(runs_are_selected)                                                                           \
    X(texts_are_matched_by_patterns)                                                               \
    X(labels_are_kept_and_asked_for)                                                               \
    X(a_page_goes_on_where_the_last_ended)                                                         \
    X(the_version_says_when_to_look)                                                               \
    X(what_is_deleted_is_gone)

#endif
