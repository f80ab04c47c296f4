/* Records: what names of sources mean, rows and objects that are read one after the other, and that what is written reads the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/json.h"
#include "folder.h"
#include "record/record.h"

static int make(void **state) {
    (void)state;
    return make_folder();
}

static int clear(void **state) {
    (void)state;
    return remove_folder();
}

static void expect_text(const char *found, const char *wanted) {
    if (wanted)
        assert_string_equal(found, wanted);
    else
        assert_null(found);
}

static void expect_place(const char *text, weir_record_kind kind, const char *path,
                         const char *table, const char *key, const char *tag) {
    weir_record_place place;
    weir_error error;
    assert_true(weir_record_place_parse(&place, text, &error));
    assert_int_equal(place.kind, kind);
    expect_text(place.path, path);
    expect_text(place.table, table);
    expect_text(place.key, key);
    expect_text(place.tag, tag);
    weir_record_place_deinit(&place);
}

static void expect_no_place(const char *text, const char *part) {
    weir_record_place place;
    weir_error error;
    assert_false(weir_record_place_parse(&place, text, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    assert_non_null(strstr(error.message, part));
}

static void expect_without_password(const char *text, const char *wanted) {
    weir_buffer out = {0};
    weir_record_place_without_password(weir_str_from(text), &out);
    assert_string_equal(out.data, wanted);
    weir_buffer_deinit(&out);
}

static void test_what_is_kept_of_places(void **state) {
    (void)state;
    expect_without_password("a:b@c.csv?key=k", "a:b@c.csv?key=k");
    expect_without_password("postgresql://u:p@h:1/d?table=t", "postgresql://u@h:1/d?table=t");
    expect_without_password("postgresql://u@h:1/d", "postgresql://u@h:1/d");
    expect_without_password("postgres://h/d?password=p&table=a@b:c&sslpassword=q&key=k",
                            "postgres://h/d?table=a@b:c&key=k");
    expect_without_password("postgres://h/d?password=p", "postgres://h/d");
}

static void test_places_beneath_a_folder(void **state) {
    static const char *const cases[][2] = {{"a.csv", "/x/a.csv"},
                                           {"/a.json", "/a.json"},
                                           {"sqlite:b?table=t", "/x/b"},
                                           {"postgresql://h/d?table=t", "postgresql://h/d"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_record_place place;
        weir_error error;
        assert_true(weir_record_place_parse(&place, cases[i][0], &error));
        weir_record_place_beneath(&place, WEIR_STR(""));
        weir_record_place_beneath(&place, WEIR_STR("/x"));
        assert_string_equal(place.path, cases[i][1]);
        weir_record_place_deinit(&place);
    }
}

static void test_what_places_mean(void **state) {
    (void)state;
    expect_place("a.csv", WEIR_RECORDS_CSV, "a.csv", NULL, NULL, NULL);
    expect_place("csv:data?key=n%20m", WEIR_RECORDS_CSV, "data", NULL, "n m", NULL);
    expect_place("json:///dev/stdin?tag=t", WEIR_RECORDS_JSON, "/dev/stdin", NULL, NULL, "t");
    expect_place("a%3F.json", WEIR_RECORDS_JSON, "a?.json", NULL, NULL, "untagged");
    expect_place("sqlite://a.x?table=t", WEIR_RECORDS_SQLITE, "a.x", "t", NULL, NULL);
    expect_place("postgresql://u:p@h/d?table=t&host=x&key=k&port=1", WEIR_RECORDS_POSTGRESQL,
                 "postgresql://u:p@h/d?host=x&port=1", "t", "k", NULL);
    expect_no_place("", "of what kind");
    expect_no_place("a.txt", "of what kind");
    expect_no_place("csv:", "names no file");
    expect_no_place("a.db", "which table");
    expect_no_place("a.csv?table=", "has no value");
    expect_no_place("a.csv?x=1", "says nothing of records");
    expect_no_place("a.csv?delimiter=%22", "one ASCII character");
}

static void test_a_password_is_not_shown(void **state) {
    (void)state;
    weir_record_place place;
    weir_error error;
    assert_true(weir_record_place_parse(
        &place, "postgresql://me:s3cret@host/db?table=t&password=s3cret", &error));
    assert_string_equal(place.shown, "postgresql://me@host/db");
    weir_record_place_deinit(&place);
}

static void put_file(const char *name, const char *text) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    fclose(file);
}

static void expect_file(const char *name, const char *wanted) {
    char path[256], text[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    assert_string_equal(text, wanted);
}

static weir_record_place place_of(const char *name) {
    char path[256];
    weir_record_place place;
    weir_error error;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(weir_record_place_parse(&place, path, &error));
    return place;
}

/* All records, as JSON; `texts` as of the reader. */
static void expect_records(const char *name, bool texts, const char *wanted) {
    weir_record_place place = place_of(name);
    weir_record_reader *reader;
    weir_error error;
    weir_buffer all = {0};
    weir_value *record;
    assert_true(weir_record_reader_open(&place, texts, false, &reader, &error));
    while (weir_record_reader_next(reader, &record, &error) && record) {
        weir_json_format(record, 0, &all);
        weir_value_unref(record);
    }
    assert_null(record);
    assert_string_equal(all.data ? all.data : "", wanted);
    weir_buffer_deinit(&all);
    weir_record_reader_close(reader);
    weir_record_place_deinit(&place);
}

static void test_rows_are_records(void **state) {
    (void)state;
    put_file("a.csv", "\xef\xbb\xbfname,n,\"x y\"\r\n\r\nada,007,\"[1, "
                      "\"\"b\"\"]\"\r\ngrace,-1.5,\n\"q\n,\",,True");
    expect_records("a.csv", false,
                   "{\"key\":\"0\",\"features\":{\"name\":\"ada\",\"n\":\"007\",\"x y\":[1,\"b\"]}}"
                   "{\"key\":\"1\",\"features\":{\"name\":\"grace\",\"n\":-1.5}}"
                   "{\"key\":\"2\",\"features\":{\"name\":\"q\\n,\",\"x y\":true}}");
    expect_records("a.csv?key=name", true,
                   "{\"key\":\"ada\",\"features\":{\"n\":\"007\",\"x y\":\"[1, \\\"b\\\"]\"}}"
                   "{\"key\":\"grace\",\"features\":{\"n\":\"-1.5\"}}"
                   "{\"key\":\"q\\n,\",\"features\":{\"x y\":\"True\"}}");
    put_file("b.csv", "");
    expect_records("b.csv", false, "");
    put_file("c.csv", "key;n\na;1\n");
    expect_records("c.csv?delimiter=;", false, "{\"key\":\"a\",\"features\":{\"n\":1}}");
}

static void test_members_are_records(void **state) {
    (void)state;
    put_file("a.json",
             " {\"x\": {\"}\": [\"{\\\"\"]}, \"untagged\" : { \"a\\n\" : {\"features\":{\"n\":1},\n"
             "\"more\":[{}]} , \"b\":{}}}");
    expect_records("a.json", false,
                   "{\"features\":{\"n\":1},\"more\":[{}],\"key\":\"a\\n\"}"
                   "{\"key\":\"b\",\"features\":{}}");
    expect_records("a.json?tag=none", false, "");
    put_file("b.json", " \n");
    expect_records("b.json", false, "");
    put_file("c.json", "{}");
    expect_records("c.json", false, "");
}

/* Reads `from`, gives each record the feature `new`, and stores all in `to`. */
static void copy(const char *from, const char *to, bool texts) {
    weir_record_place source = place_of(from), place = place_of(to);
    weir_record_reader *reader;
    weir_record_spool spool;
    weir_error error;
    weir_value *record, *changed = weir_object_new();
    weir_member_put(changed, "new", weir_int_new(7));
    assert_true(weir_record_reader_open(&source, texts, false, &reader, &error));
    assert_true(weir_record_spool_open(&spool, &error));
    weir_member_put(spool.columns, "key", weir_null_new());
    while (weir_record_reader_next(reader, &record, &error) && record) {
        assert_true(weir_record_spool_put(&spool, record, changed, &error));
        weir_value_unref(record);
    }
    assert_true(weir_record_store(&place, &spool, true, &error));
    weir_value_unref(changed);
    weir_record_spool_close(&spool);
    weir_record_reader_close(reader);
    weir_record_place_deinit(&source);
    weir_record_place_deinit(&place);
}

static void test_what_is_written_reads_the_same(void **state) {
    (void)state;
    put_file("a.csv", "key,n,t\nx,007,\"a,\"\"b\"\n\"y\nz\",1.50,\n");
    copy("a.csv", "a.csv", true);
    expect_file("a.csv", "key,n,t,new\nx,007,\"a,\"\"b\",7\n\"y\nz\",1.50,,7\n");
    put_file("a.json", "{\"x\": 0}");
    copy("a.csv", "b.json", false);
    expect_records("b.json", false,
                   "{\"key\":\"x\",\"features\":{\"n\":\"007\",\"t\":\"a,\\\"b\",\"new\":7}}"
                   "{\"key\":\"y\\nz\",\"features\":{\"n\":1.5,\"new\":7}}");
    copy("b.json", "c.csv", false);
    expect_file("c.csv", "key,n,t,new\nx,007,\"a,\"\"b\",7\n\"y\nz\",1.5,,7\n");
    copy("c.csv", "d.db?table=t", false);
    copy("d.db?table=t", "d.db?table=again", false);
    expect_records("d.db?table=again", false,
                   "{\"key\":\"x\",\"features\":{\"n\":\"007\",\"t\":\"a,\\\"b\",\"new\":7}}"
                   "{\"key\":\"y\\nz\",\"features\":{\"n\":1.5,\"new\":7}}");
}

static void test_the_old_file_stays_where_the_new_one_fails(void **state) {
    (void)state;
    put_file("a.json", "{\"untagged\": {\"a\": {\"features\": {}}}, \"other\": {}");
    weir_record_place place = place_of("a.json");
    weir_record_spool spool;
    weir_error error;
    assert_true(weir_record_spool_open(&spool, &error));
    assert_false(weir_record_store(&place, &spool, false, &error));
    expect_file("a.json", "{\"untagged\": {\"a\": {\"features\": {}}}, \"other\": {}");
    assert_non_null(strstr(error.message, "the file ends within a value"));
    weir_record_spool_close(&spool);
    weir_record_place_deinit(&place);
}

static void test_what_cells_mean(void **state) {
    (void)state;
    static const char *const cells[][2] = {
        {"1", "1"},          {"-0.5e3", "-500.0"},   {"01", "\"01\""},
        {"", "\"\""},        {"true", "true"},       {"TRUE", "\"TRUE\""},
        {"[1, 2]", "[1,2]"}, {"[1, 2", "\"[1, 2\""}, {"{\"a\": null}", "{\"a\":null}"}};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        weir_buffer text = {0};
        weir_value *value = weir_record_cell(weir_str_from(cells[i][0]));
        weir_json_format(value, 0, &text);
        assert_string_equal(text.data, cells[i][1]);
        weir_value_unref(value);
        weir_buffer_deinit(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_places_mean),
        cmocka_unit_test(test_what_is_kept_of_places),
        cmocka_unit_test(test_places_beneath_a_folder),
        cmocka_unit_test(test_a_password_is_not_shown),
        cmocka_unit_test_setup_teardown(test_rows_are_records, make, clear),
        cmocka_unit_test_setup_teardown(test_members_are_records, make, clear),
        cmocka_unit_test_setup_teardown(test_what_is_written_reads_the_same, make, clear),
        cmocka_unit_test_setup_teardown(test_the_old_file_stays_where_the_new_one_fails, make,
                                        clear),
        cmocka_unit_test(test_what_cells_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
