/* The rest of the standard operations: what values were made from, files, time, chance, people; and that each describes
 * itself. */
#include "operation_call.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/document.h"

/* --- what values were made from ------------------------------------------------------------- */

typedef struct ancestry_case {
    const char *name, *spec, *collected, *ancestors, *wanted;
} ancestry_case;

static void expect_ancestry(const ancestry_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        weir_value *parameters = weir_object_new();
        weir_member_put(parameters, "spec", from_json(cases[i].spec));
        weir_call call;
        open_call(&call, cases[i].name, parameters, from_json(NULL));
        call.collected = from_json(cases[i].collected);
        call.ancestors = from_json(cases[i].ancestors);
        bool succeeded = run_call(&call);
        check_call(&call, succeeded, cases[i].wanted);
        close_call(&call);
    }
    expect_none_wrong();
}

#define R_BY_I "{\"out\":{\"group\":\"R\",\"by\":\"I\"}}"

static void values_are_grouped(void **state) {
    (void)state;
    static const ancestry_case cases[] = {
        {"group_by", R_BY_I, "{\"I\":[30,10,20],\"R\":[-30,-10,-20]}", "{\"R<I\":[[0],[1],[2]]}",
         "{\"out\":[-10,-20,-30]}"},
        {"group_by", R_BY_I, "{\"I\":[-2,1,5,0,0.5],\"R\":[1,2,3,4,5]}",
         "{\"R<I\":[[0],[1],[2],[3],[4]]}", "{\"out\":[1,4,5,2,3]}"},
        {"group_by", R_BY_I, "{\"I\":[\"b\",\"a\"],\"R\":[\"B\",\"A\"]}", "{\"R<I\":[[0],[1]]}",
         "{\"out\":[\"B\",\"A\"]}"},
        {"group_by", R_BY_I,
         "{\"I\":[\"b\",\"a\",\"b\",2,true,null,1,\"a\"],\"R\":[7,6,5,4,3,2,1,0]}",
         "{\"R<I\":[[7],[6],[5],[4],[3],[2],[1],[0]]}", "{\"out\":[6,3,2,0,7,1,4,5]}"},
        {"group_by", R_BY_I, "{\"I\":[1,1.0,0],\"R\":[\"x\",\"y\",\"z\",\"w\"]}",
         "{\"R<I\":[[0,1],[1],[2,0],[]]}", "{\"out\":[\"z\",\"x\",\"y\",\"z\"]}"},
        {"group_by", R_BY_I, "{\"I\":[9007199254740993,9007199254740992],\"R\":[1,2]}",
         "{\"R<I\":[[0],[1]]}", "{\"out\":[2,1]}"},
        {"group_by", "{}", "{}", "{}", "{}"},
        {"group_by", R_BY_I, "{\"I\":[0]}", "{}",
         "definition_not_in_context: no value of definition `R` came in this context"},
        {"group_by", R_BY_I, "{\"R\":[0],\"I\":[]}", "{}",
         "definition_not_in_context: no value of definition `I` came in this context"},
        {"group_by", "{\"out\":{\"group\":\"R\",\"by\":\"I\",\"nostrict\":true}}", "{\"I\":[0]}",
         "{}", "{}"},
        {"group_by", "{\"out\":{\"group\":\"R\",\"by\":\"I\",\"nostrict\":[\"R\"]}}", "{\"I\":[0]}",
         "{}", "{}"},
        {"group_by", "{\"out\":{\"group\":\"R\",\"by\":\"I\",\"nostrict\":[\"R\"]}}", "{\"R\":[0]}",
         "{}", "definition_not_in_context: no value of definition `I` came in this context"},
        {"group_by", R_BY_I, "{\"I\":[1,[2]],\"R\":[0]}", "{\"R<I\":[[0]]}",
         "invalid: a value of definition `I` is no key: found array"},
        {"group_by", "{\"out\":1}", "{}", "{}",
         "invalid: `spec`: `out` must be {group: …, by: …}, found int"},
        {"group_by", "{\"out\":{\"group\":\"R\"}}", "{}", "{}",
         "invalid: `spec`: `by` of `out` must be of type string, found nothing"},
        {"group_by", "[]", "{}", "{}",
         "invalid: parameter `spec` must be of type object, found array"},
    };
    expect_ancestry(cases, sizeof cases / sizeof *cases);
}

static void values_are_associated(void **state) {
    (void)state;
    static const char F_AND_G[] = "{\"F\":\"V\",\"G\":\"V\"}";
    const ancestry_case cases[] = {
        {"associate", "[\"K\",\"V\"]", "{\"K\":[\"a\",\"bcd\",\"ef\"],\"V\":[1,3,2]}",
         "{\"V<K\":[[0],[1],[2]]}", "{\"V\":{\"a\":1,\"bcd\":3,\"ef\":2}}"},
        {"associate", "[\"K\",\"V\"]", "{\"K\":[1,null,true,2.5],\"V\":[1,2,3,4,5]}",
         "{\"V<K\":[[0],[1],[2],[3],[]]}", "{\"V\":{\"1\":1,\"null\":2,\"true\":3,\"2.5\":4}}"},
        {"associate", "[\"K\",\"V\"]", "{\"K\":[\"a\"],\"V\":[1,2]}", "{\"V<K\":[[0],[0]]}",
         "{\"V\":{\"a\":2}}"},
        {"associate", "[\"K\",\"V\"]", "{\"K\":[\"a\"]}", "{}", "{\"V\":{}}"},
        {"associate", "[\"K\",\"V\"]", "{\"V\":[1]}", "{}", "{\"V\":{}}"},
        {"associate", "[\"K\",\"V\"]", "{\"K\":[[1,2,3]],\"V\":[3]}", "{\"V<K\":[[0]]}",
         "invalid: a value of definition `K` is no key: found array"},
        {"associate", "[\"K\",\"V\"]", "{\"K\":[[1],\"a\"],\"V\":[3]}", "{\"V<K\":[[1]]}",
         "{\"V\":{\"a\":3}}"},
        {"associate", "[\"K\"]", "{}", "{}", "invalid: parameter `spec` must be two names…"},
        {"associate", "[\"K\",1]", "{}", "{}", "invalid: parameter `spec` must be two names…"},
        {"associate_definition", F_AND_G,
         "{\"F\":[\"f1\"],\"G\":[\"g1\"],\"V\":[\"f1\",{\"v\":\"g1\"}]}",
         "{\"V<F\":[[0],[]],\"V<G\":[[],[0]]}", "{\"F\":\"f1\",\"G\":{\"v\":\"g1\"}}"},
        {"associate_definition", "{\"F\":\"V\"}", "{\"F\":[1,2],\"V\":[\"x\",\"y\",\"z\"]}",
         "{\"V<F\":[[0],[1],[]]}", "{\"F\":\"y\"}"},
        {"associate_definition", F_AND_G, "{\"F\":[1],\"G\":[1],\"V\":[2]}",
         "{\"V<F\":[[0]],\"V<G\":[[]]}", "{\"F\":2}"},
        {"associate_definition", F_AND_G, "{\"F\":[1],\"V\":[2]}", "{\"V<F\":[[0]]}",
         "{\"F\":{},\"G\":{}}"},
        {"associate_definition", "{\"F\":1}", "{}", "{}",
         "invalid: parameter `spec`: the definition for `F` must be of type string, found int"},
    };
    expect_ancestry(cases, sizeof cases / sizeof *cases);
}

/* --- files ---------------------------------------------------------------------------------- */

static void expect_bytes(const char *path, const char *wanted) {
    char found[256] = "";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    size_t length = fread(found, 1, sizeof found - 1, stream);
    fclose(stream);
    found[length] = '\0';
    assert_string_equal(found, wanted);
}

static mode_t mode_of(const char *path) {
    struct stat status;
    assert_int_equal(lstat(path, &status), 0);
    return status.st_mode;
}

static void files_are_written_and_hashed(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"files.write", "{\"path\":\"new.txt\",\"text\":\"äb\"}", NULL,
         "{\"path\":\"new.txt\",\"bytes\":3}"},
        {"files.write", "{\"text\":\"again\"}", "{\"path\":\"link\"}",
         "{\"path\":\"link\",\"bytes\":5}"},
        {"files.write", "{\"path\":\"none/x\",\"text\":\"\"}", NULL,
         "not_found: none/x: No such file or directory"},
        {"files.write", "{\"path\":\"folder\",\"text\":\"\"}", NULL, "invalid: folder: not a file"},
        {"files.write", "{\"path\":\"/dev/null\",\"text\":\"\"}", NULL,
         "invalid: /dev/null: not a file"},
        {"files.write", "{\"path\":\"x\"}", NULL,
         "invalid: `text` must be of type string, found nothing"},
        {"files.hash", "{\"path\":\"empty\"}", NULL,
         "{\"hash\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}"},
        {"files.hash", "{\"path\":\"abc\"}", "{\"algorithm\":\"sha1\"}",
         "{\"hash\":\"a9993e364706816aba3e25717850c26c9cd0d89d\"}"},
        {"files.hash", "{\"path\":\"abc\"}", "{\"algorithm\":\"md5\"}",
         "invalid: `algorithm` must be sha256, sha384, sha512 or sha1, found `md5`"},
        {"files.hash", "{\"path\":\"none\"}", NULL, "not_found: none: No such file or directory"},
        {"files.hash", "{\"path\":\"folder\"}", NULL, "invalid: folder: not a file"},
        {"csv.write", "{\"path\":\"t.csv\",\"rows\":[{\"a\":1,\"b\":\"x,y\"}]}", NULL,
         "{\"path\":\"t.csv\",\"bytes\":14}"},
        {"csv.read", "{\"path\":\"t.csv\"}", "{\"numbers\":true}",
         "{\"rows\":[{\"a\":1,\"b\":\"x,y\"}],\"columns\":[\"a\",\"b\"]}"},
        {"csv.read", "{\"path\":\"none\"}", NULL, "not_found: none: No such file or directory"},
    };
    char directory[] = "/tmp/weir-standard-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(mkdir("folder", 0700) | symlink("folder/target", "link"), 0);
    static const char *const made[][2] = {
        {"folder/target", "before"}, {"empty", ""}, {"abc", "abc"}};
    for (size_t i = 0; i < 3; i++) {
        FILE *stream = fopen(made[i][0], "wb");
        assert_non_null(stream);
        fputs(made[i][1], stream);
        fclose(stream);
    }
    assert_int_equal(chmod("folder/target", 0640), 0);
    mode_t mask = umask(027);
    EXPECT_CALLS(cases);
    umask(mask);
    expect_bytes("new.txt", "äb");
    expect_bytes("folder/target", "again");
    assert_true(S_ISLNK(mode_of("link")));
    assert_int_equal(mode_of("folder/target") & 0777, 0640);
    assert_int_equal(mode_of("new.txt") & 0777, 0640);
    /* Nothing else is left. */
    static const char *const all[] = {"new.txt", "folder/target", "link", "folder",
                                      "empty",   "abc",           "t.csv"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) assert_int_equal(remove(all[i]), 0);
    assert_int_equal(chdir("/") | rmdir(directory), 0);
}

static void a_cancelled_write_leaves_nothing(void **state) {
    (void)state;
    char directory[] = "/tmp/weir-standard-XXXXXX";
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    weir_call call;
    open_call(&call, "files.write", from_json("{\"path\":\"x\",\"text\":\"abc\"}"),
              from_json(NULL));
    call.cancelled = true;
    assert_false(run_call(&call));
    close_call(&call);
    assert_int_equal(chdir("/") | rmdir(directory), 0);
}

/* --- time ----------------------------------------------------------------------------------- */

static void times_are_read_and_written(void **state) {
    (void)state;
    static const operation_case cases[] = {
        {"time.now", NULL, NULL,
         "{\"time\":1795242600125000,\"text\":\"2026-11-21T06:30:00.125Z\"}"},
        {"time.parse", "{\"text\":\"2026-11-21T06:30:00.125Z\"}", NULL,
         "{\"time\":1795242600125000}"},
        {"time.parse", "{\"text\":\" 2026-11-21t08:30:00.1250009+02:00\\n\"}", NULL,
         "{\"time\":1795242600125000}"},
        {"time.parse", "{\"text\":\"1969-12-31 23:59:59.999999z\"}", NULL, "{\"time\":-1}"},
        {"time.parse", "{\"text\":\"0000-02-29T00:00:00Z\"}", NULL,
         "{\"time\":-62162121600000000}"},
        {"time.parse", "{\"text\":\"9999-12-31T23:59:59.999999Z\"}", NULL,
         "{\"time\":253402300799999999}"},
        {"time.parse", "{\"text\":\"2016-12-31T23:59:60Z\"}", NULL, "{\"time\":1483228800000000}"},
        {"time.parse", "{\"text\":\"9999-12-31T23:59:59-00:01\"}", NULL,
         "invalid: `9999-12-31T23:59:59-00:01` is not between the years 0 and 9999"},
        {"time.parse", "{\"text\":\"2026-02-29T00:00:00Z\"}", NULL, "invalid: `2026-02-29…"},
        {"time.parse", "{\"text\":\"2100-02-29T00:00:00Z\"}", NULL, "invalid: `2100-02-29…"},
        {"time.parse", "{\"text\":\"2026-13-01T00:00:00Z\"}", NULL, "invalid: …"},
        {"time.parse", "{\"text\":\"2026-11-21T24:00:00Z\"}", NULL, "invalid: …"},
        {"time.parse", "{\"text\":\"2026-11-21T06:30:00\"}", NULL, "invalid: …"},
        {"time.parse", "{\"text\":\"2026-11-21T06:30:00.Z\"}", NULL, "invalid: …"},
        {"time.parse", "{\"text\":\"2026-11-21T06:30:00+24:00\"}", NULL, "invalid: …"},
        {"time.parse", "{\"text\":\"2026-11-21T06:30:00Zx\"}", NULL, "invalid: …"},
        {"time.parse", "{\"text\":\"\"}", NULL,
         "invalid: `` is no time of RFC 3339, such as 2026-11-21T06:30:00.125Z"},
        {"time.format", "{\"time\":0}", NULL, "{\"text\":\"1970-01-01T00:00:00Z\"}"},
        {"time.format", "{\"time\":-1}", NULL, "{\"text\":\"1969-12-31T23:59:59.999999Z\"}"},
        {"time.format", "{\"time\":1795242600125000}", "{\"offset\":\"-03:30\"}",
         "{\"text\":\"2026-11-21T03:00:00.125-03:30\"}"},
        {"time.format", "{\"time\":1795242600125000}",
         "{\"offset\":\"+02:00\",\"format\":\"%d.%m.%Y %H:%M %z\"}",
         "{\"text\":\"21.11.2026 08:30 +0200\"}"},
        {"time.format", "{\"time\":0}", "{\"format\":\"\"}", "{\"text\":\"\"}"},
        {"time.format", "{\"time\":0}", "{\"format\":\"%1022Y\"}", "{\"text\":\"0000…"},
        {"time.format", "{\"time\":0}", "{\"format\":\"%2000Y\"}",
         "limit_exceeded: the text is larger than 1022 bytes"},
        {"time.format", "{\"time\":0}", "{\"offset\":\"2h\"}",
         "invalid: `offset` must be Z, or such as +02:00, found `2h`"},
        {"time.format", "{\"time\":9223372036854775807}", NULL,
         "invalid: `time` must be between the years 0 and 9999"},
        {"time.format", "{\"time\":-9223372036854775808}", NULL,
         "invalid: `time` must be between the years 0 and 9999"},
        {"time.format", "{\"time\":253402300799999999}", "{\"offset\":\"+00:01\"}",
         "invalid: `time` must be between the years 0 and 9999"},
        {"time.sleep", "{\"seconds\":-1}", NULL, "invalid: `seconds` must be from 0 to 315360000"},
        {"time.sleep", "{\"seconds\":1e300}", NULL,
         "invalid: `seconds` must be from 0 to 315360000"},
        {"time.sleep", "{\"seconds\":\"1\"}", NULL,
         "invalid: `seconds` must be of type int or float, found string"},
    };
    EXPECT_CALLS(cases);
}

static void wait_for(const weir_call *call, int milliseconds) {
    for (int i = 0; i < milliseconds && !call->completed; i++) usleep(1000);
}

static void sleepers_wake(void **state) {
    (void)state;
    enum { SLEEPERS = 50 };
    static weir_call calls[SLEEPERS], cancelled;
    open_call(&cancelled, "time.sleep", from_json("{\"seconds\":1000}"), from_json(NULL));
    assert_true(run_call(&cancelled));
    for (int i = 0; i < SLEEPERS; i++) {
        open_call(&calls[i], "time.sleep", from_json("{\"seconds\":0.2}"), from_json(NULL));
        assert_true(run_call(&calls[i]));
    }
    for (int i = 0; i < SLEEPERS; i++) {
        wait_for(&calls[i], 5000);
        assert_int_equal(calls[i].completed, 1);
        weir_buffer found = {0};
        weir_json_format(calls[i].outputs, 0, &found);
        assert_string_equal(found.data, "{\"seconds\":0.2}");
        weir_buffer_deinit(&found);
        close_call(&calls[i]);
    }
    assert_int_equal(cancelled.completed, 0);
    cancelled.cancelled = true;
    wait_for(&cancelled, 5000);
    assert_int_equal(cancelled.completed, -1);
    close_call(&cancelled);
}

/* --- chance --------------------------------------------------------------------------------- */

static weir_value *draw(weir_call *call, const char *name, const char *parameters,
                        const char *config) {
    uint64_t drawn = call->drawn;
    open_call(call, name, from_json(parameters), from_json(config));
    call->drawn = drawn;
    assert_true(run_call(call));
    weir_value *first = weir_value_ref(weir_object_at(call->outputs, 0));
    close_call(call);
    return first;
}

static void chance_stays_within_bounds(void **state) {
    (void)state;
    weir_call call = {.drawn = 1};
    int seen[6] = {0};
    for (int i = 0; i < 6000; i++) {
        weir_value *eyes = draw(&call, "random.int", NULL, "{\"least\":1,\"most\":6}");
        int64_t number = weir_int_get(eyes);
        assert_in_range(number, 1, 6);
        seen[number - 1]++;
        weir_value_unref(eyes);
        weir_value *part = draw(&call, "random.float", "{\"least\":-1,\"most\":2.5}", NULL);
        assert_true(weir_number_get(part) >= -1 && weir_number_get(part) < 2.5);
        weir_value_unref(part);
    }
    for (int i = 0; i < 6; i++) assert_in_range(seen[i], 850, 1150);
    weir_value *shuffled = draw(&call, "random.shuffle", "{\"list\":[0,1,2,3,4,5,6,7,8,9]}", NULL);
    int64_t sum = 0;
    bool moved = false;
    for (size_t i = 0; i < 10; i++) {
        int64_t number = weir_int_get(weir_array_at(shuffled, i));
        sum += (int64_t)1 << number;
        moved |= number != (int64_t)i;
    }
    assert_int_equal(sum, 1023);
    assert_true(moved);
    weir_value_unref(shuffled);
    weir_value *uuid = draw(&call, "random.uuid", NULL, NULL);
    weir_str text = weir_string_get(uuid);
    assert_int_equal(text.length, 36);
    assert_int_equal(text.data[14], '4');
    assert_non_null(strchr("89ab", text.data[19]));
    weir_value_unref(uuid);
    static const operation_case cases[] = {
        {"random.int", NULL, "{\"least\":5,\"most\":5}", "{\"number\":5}"},
        {"random.int", NULL, "{\"least\":6,\"most\":5}",
         "invalid: `most` must be from 6 to 9223372036854775807, found 5"},
        {"random.int", NULL, NULL, "invalid: `most` must be of type int, found nothing"},
        {"random.int", NULL, "{\"least\":-9223372036854775808,\"most\":9223372036854775807}",
         "{\"number\":…"},
        {"random.float", NULL, "{\"least\":1,\"most\":1}", "invalid: `least` must be below `most`"},
        {"random.float", NULL, "{\"least\":-1.7e308,\"most\":1.7e308}",
         "limit_exceeded: `most` is too far from `least`"},
        {"random.choice", "{\"list\":[[1]]}", NULL, "{\"item\":[1]}"},
        {"random.choice", "{\"list\":[]}", NULL, "invalid: the list is empty"},
        {"random.shuffle", "{\"list\":[]}", NULL, "{\"list\":[]}"},
    };
    EXPECT_CALLS(cases);
}

/* --- people --------------------------------------------------------------------------------- */

/* The standard descriptor is `other` until it is given back. */
static int swap(int standard, int other) {
    int kept = dup(standard);
    assert_true(kept >= 0 && dup2(other, standard) == standard);
    close(other);
    return kept;
}

static void give_back(int standard, int kept) {
    assert_int_equal(dup2(kept, standard), standard);
    close(kept);
}

static void lines_are_asked_for(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    static const char lines[] = "first\r\nzwölf\n\xff\nlast";
    assert_int_equal(write(ends[1], lines, sizeof lines - 1), sizeof lines - 1);
    close(ends[1]);
    int kept = swap(STDIN_FILENO, ends[0]);
    static const char ended[] = "io: standard input has ended; nobody can enter a value";
    static const operation_case cases[] = {
        {"AcceptUserInput", NULL, NULL, "{\"InputData\":\"first\"}"},
        {"AcceptUserInput", NULL, NULL, "{\"InputData\":\"zwölf\"}"},
        {"AcceptUserInput", NULL, NULL, "invalid: the line is not UTF-8"},
        {"AcceptUserInput", NULL, NULL, "{\"InputData\":\"last\"}"},
        {"AcceptUserInput", NULL, NULL, ended},
    };
    EXPECT_CALLS(cases);
    give_back(STDIN_FILENO, kept);
}

static void waiting_for_a_line_can_be_cancelled(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    int kept = swap(STDIN_FILENO, ends[0]);
    weir_call call;
    open_call(&call, "AcceptUserInput", from_json(NULL), from_json(NULL));
    call.cancelled = true;
    assert_false(run_call(&call));
    close_call(&call);
    give_back(STDIN_FILENO, kept);
    close(ends[1]);
}

static void values_are_printed(void **state) {
    (void)state;
    int ends[2];
    char found[256] = "";
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    int kept = swap(STDOUT_FILENO, ends[1]);
    static const operation_case cases[] = {
        {"print_output", "{\"data\":\"print_output example\"}", NULL, "{}"},
        {"print_output", "{\"data\":{\"a\":[1,null]}}", NULL, "{}"},
        {"print_output", NULL, NULL, "invalid: `data` is missing"},
    };
    EXPECT_CALLS(cases);
    give_back(STDOUT_FILENO, kept);
    assert_true(read(ends[0], found, sizeof found - 1) > 0);
    close(ends[0]);
    assert_string_equal(found, "print_output example\n{\"a\":[1,null]}\n");
}

/* --- descriptions --------------------------------------------------------------------------- */

static bool has_port(const weir_port *ports, weir_str name) {
    for (; ports->name; ports++)
        if (weir_str_is(name, ports->name)) return true;
    return false;
}

static void check_ports(const char *operation, const weir_port *ports) {
    weir_value *otherwise;
    assert_non_null(ports);
    for (; ports->name; ports++) {
        size_t length = strlen(ports->about ? ports->about : "");
        if (!ports->primitive || length < 3 || ports->about[length - 1] != '.')
            fail_msg("%s: `%s` says too little", operation, ports->name);
        if (!ports->otherwise) continue;
        if (!weir_json_parse(weir_str_from(ports->otherwise), WEIR_STR(""), &otherwise, NULL))
            fail_msg("%s: the default of `%s` is no JSON", operation, ports->name);
        weir_value_unref(otherwise);
    }
}

static void check_names(const char *operation, const weir_value *given, const weir_port *ports) {
    for (size_t i = 0; given && i < weir_value_count(given); i++)
        if (!has_port(ports, weir_object_key(given, i)))
            fail_msg("%s: its example has `%s`", operation, weir_object_key(given, i).data);
}

/* An example is YAML, has the operation, and names only what there is. */
static void check_example(const weir_operation *operation) {
    weir_document document;
    weir_error error;
    if (!weir_document_parse(&document, "example.yaml", weir_str_from(operation->example),
                             WEIR_YAML_CORE, &error))
        fail_msg("%s: %s", operation->name, error.message);
    const weir_value *operations = weir_member_named(document.roots.items[0], "operations");
    bool found = false;
    for (size_t i = 0; i < weir_value_count(operations); i++) {
        const weir_value *instance = weir_object_at(operations, i);
        if (!weir_str_is(weir_member_text(instance, "name"), operation->name)) continue;
        found = true;
        if (operation->inputs[0].name)
            check_names(operation->name, weir_member_named(instance, "inputs"), operation->inputs);
        check_names(operation->name, weir_member_named(instance, "outputs"), operation->outputs);
        const weir_value *configs = weir_member_named(document.roots.items[0], "configs");
        if (configs)
            check_names(operation->name, weir_member(configs, weir_object_key(operations, i)),
                        operation->config);
    }
    if (!found) fail_msg("%s: its example does not have it", operation->name);
    weir_document_deinit(&document);
}

static void operations_describe_themselves(void **state) {
    (void)state;
    size_t examples = 0;
    for (size_t i = 0; weir_standard_plugins[i]; i++) {
        const weir_plugin *plugin = weir_standard_plugins[i](fake_host());
        for (const weir_operation *const *at = plugin->operations; *at; at++) {
            size_t length = strlen((*at)->about);
            if ((*at)->about[length - 1] != '.' || length > 160)
                fail_msg("%s: its sentence", (*at)->name);
            check_ports((*at)->name, (*at)->inputs);
            check_ports((*at)->name, (*at)->outputs);
            check_ports((*at)->name, (*at)->config);
            if (!(*at)->example) continue;
            check_example(*at);
            examples++;
        }
    }
    assert_in_range(examples, 15, 100);
}

/* What is in a module is there, under its name. */
static void modules_have_their_operations(void **state) {
    (void)state;
    size_t count = 0;
    for (size_t i = 0; weir_standard_plugins[i]; i++) {
        const weir_plugin *plugin = weir_standard_plugins[i](fake_host());
        for (const weir_operation *const *at = plugin->operations; *at; at++) {
            bool (*run)(const weir_host *host, weir_call *call) = NULL;
            weir_error error;
            if (!(*at)->module) continue;
            if (!weir_module_function(*at, &run, &error)) fail_msg("%s", error.message);
            assert_non_null(run);
            count++;
        }
    }
    assert_in_range(count, 8, 100);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_grouped),
        cmocka_unit_test(values_are_associated),
        cmocka_unit_test(files_are_written_and_hashed),
        cmocka_unit_test(a_cancelled_write_leaves_nothing),
        cmocka_unit_test(times_are_read_and_written),
        cmocka_unit_test(sleepers_wake),
        cmocka_unit_test(chance_stays_within_bounds),
        cmocka_unit_test(lines_are_asked_for),
        cmocka_unit_test(waiting_for_a_line_can_be_cancelled),
        cmocka_unit_test(values_are_printed),
        cmocka_unit_test(operations_describe_themselves),
        cmocka_unit_test(modules_have_their_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
