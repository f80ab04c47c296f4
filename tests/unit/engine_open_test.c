/* Opening an engine as an embedder does: its options, and plugins of files, folders and the state. */
#include "embedding.h"

static void expect_refused(weir_options options, weir_code code, const char *message) {
    assert_false(open_with(options));
    if (error.code != code) print_message("%s\n", error.message);
    assert_int_equal(error.code, code);
    assert_null(engine);
    if (!strstr(error.message, message)) print_message("%s\n", error.message);
    assert_non_null(strstr(error.message, message));
}

static weir_options with_plugin(const char *path) {
    static const char *plugins[2];
    plugins[0] = path;
    return (weir_options){.durability = WEIR_DURABILITY_NONE, .plugins = plugins};
}

static void wrong_options_are_refused(void **state) {
    (void)state;
    expect_refused((weir_options){0}, WEIR_USAGE, "state");
    expect_refused((weir_options){.durability = WEIR_DURABILITY_BATCH}, WEIR_USAGE, "state");
    const char *file = write_file("plain", "this is no state\n");
    expect_refused((weir_options){.state = file}, WEIR_IO, "plain");
    const char *const secrets[] = {"token", "abc", NULL};
    expect_refused((weir_options){.durability = WEIR_DURABILITY_NONE, .secrets = secrets},
                   WEIR_INVALID, "token");
    assert_null(strstr(error.message, "abc"));
}

static void what_is_no_plugin_is_refused(void **state) {
    (void)state;
    Dl_info libc;
    expect_refused(with_plugin(in_folder("absent.so")), WEIR_PLUGIN, "absent.so");
    expect_refused(with_plugin(write_file("text.so", "no object\n")), WEIR_PLUGIN, "text.so");
    expect_refused(with_plugin(folder), WEIR_PLUGIN, "");
    assert_true(dladdr((void *)(uintptr_t)&getpid, &libc));
    const char *library = strchr(libc.dli_fname, '/') ? libc.dli_fname : "libc.so.6";
    expect_refused(with_plugin(library), WEIR_PLUGIN, "weir_plugin_open");
    expect_refused(with_plugin(built("old_plugin.so")), WEIR_PLUGIN, "ABI");
    assert_non_null(strstr(error.message, "old_plugin.so"));
    assert_string_not_equal(error.hint, "");
}

static void a_plugin_given_twice_is_loaded_once(void **state) {
    (void)state;
    char path[4200];
    snprintf(path, sizeof path, "%s", built("corpus_operations.so"));
    const char *const twice[] = {path, path, NULL};
    assert_true(open_with((weir_options){
        .state = state_folder, .durability = WEIR_DURABILITY_FULL, .plugins = twice}));
    const char *file =
        write_file("flow.yaml", "definitions: {A: {primitive: int}, B: {primitive: int}}\n"
                                "operations:\n  n: {name: neg, inputs: {a: A}, outputs: {result: "
                                "B}}\nseed: [{value: 1, definition: A}]\n");
    succeed(start(request_for(file, "r")));
    reopen(); /* without it: the run knows what it needs */
    weir_value *run;
    assert_true(weir_get(engine, "r", &run, &error));
    assert_string_equal(text_of(run, "phase"), "Succeeded");
    weir_value_unref(run);
}

static void copy_file(const char *from, const char *to) {
    char data[65536];
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    for (size_t got; (got = fread(data, 1, sizeof data, in)) > 0;)
        assert_int_equal(fwrite(data, 1, got, out), got);
    fclose(in);
    fclose(out);
    assert_int_equal(chmod(to, 0600), 0);
}

static bool has_operation(const char *name) {
    weir_value *list = weir_operations(engine);
    bool found = false;
    for (size_t i = 0; i < weir_value_count(list); i++)
        found |= strcmp(text_of(weir_array_at(list, i), "name"), name) == 0;
    weir_value_unref(list);
    return found;
}

/* Kept until the next is made. */
static const char *make_plugins(const char *name, mode_t mode) {
    static char path[160];
    snprintf(path, sizeof path, "%s", in_folder(name));
    assert_int_equal(mkdir(path, mode), 0);
    return path;
}

static void a_folder_of_plugins_is_loaded(void **state) {
    (void)state;
    const char *plugins = make_plugins("plugins", 0755);
    expect_refused(with_plugin(plugins), WEIR_PLUGIN, "there is no plugin");
    copy_file(built("faulty.so"), in_folder("plugins/b.so"));
    copy_file(built("corpus_operations.so"), in_folder("plugins/a.so"));
    write_file("plugins/notes.txt", "no plugin, and not taken for one\n");
    write_file("plugins/.hidden.so", "nor this\n");
    assert_true(open_with(with_plugin(plugins)));
    assert_true(has_operation("faulty.fail") && has_operation("collatz"));
    weir_close(engine);
    engine = NULL;
    copy_file(built("faulty.so"), in_folder("plugins/c.so"));
    expect_refused(with_plugin(plugins), WEIR_PLUGIN, "there is already an operation");
    assert_non_null(strstr(error.message, "plugins/c.so"));
    copy_file(built("old_plugin.so"), in_folder("plugins/c.so"));
    expect_refused(with_plugin(plugins), WEIR_PLUGIN, "ABI");
    assert_non_null(strstr(error.message, "plugins/c.so"));
    assert_int_equal(remove(in_folder("plugins/c.so")) | mkdir(in_folder("plugins/c.so"), 0700), 0);
    expect_refused(with_plugin(plugins), WEIR_PLUGIN, "plugins/c.so is no file");
}

static void what_everybody_may_write_is_not_loaded(void **state) {
    (void)state;
    const char *plugins = make_plugins("plugins", 0700);
    copy_file(built("faulty.so"), in_folder("plugins/a.so"));
    assert_int_equal(chmod(in_folder("plugins/a.so"), 0666), 0);
    expect_refused(with_plugin(plugins), WEIR_PLUGIN, "everybody may write");
    assert_non_null(strstr(error.hint, "chmod o-w"));
    assert_int_equal(chmod(in_folder("plugins/a.so"), 0644) | chmod(plugins, 01777), 0);
    expect_refused(with_plugin(plugins), WEIR_PLUGIN, "everybody may write");
    assert_int_equal(chmod(plugins, 0755), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(in_folder("plugins/a.so"), 12345, 12345), 0);
        expect_refused(with_plugin(plugins), WEIR_PLUGIN, "another user's");
        assert_int_equal(chown(plugins, 12345, 12345), 0); /* their folder, and it was named */
    }
    assert_true(open_with(with_plugin(plugins)));
}

static void plugins_of_the_state_are_loaded(void **state) {
    (void)state;
    open_engine(WEIR_DURABILITY_FULL); /* makes the state */
    assert_false(has_operation("faulty.fail"));
    weir_close(engine);
    engine = NULL;
    const char *plugins = make_plugins("state/plugins", 0755);
    open_engine(WEIR_DURABILITY_FULL);
    weir_close(engine);
    engine = NULL;
    copy_file(built("faulty.so"), in_folder("state/plugins/a.so"));
    for (int durable = 0; durable < 2; durable++) {
        weir_options options = {.state = state_folder,
                                .durability =
                                    durable ? WEIR_DURABILITY_FULL : WEIR_DURABILITY_NONE};
        assert_true(open_with(options));
        assert_true(has_operation("faulty.fail"));
        weir_close(engine);
        engine = NULL;
        assert_int_equal(chmod(state_folder, 0755), 0); /* as one that came in a clone */
        expect_refused(options, WEIR_PLUGIN, "is open to others");
        assert_non_null(strstr(error.hint, "chmod 700"));
        assert_int_equal(chmod(state_folder, 0700), 0);
        if (geteuid() != 0) continue;
        assert_int_equal(chown(plugins, 12345, 12345), 0);
        expect_refused(options, WEIR_PLUGIN, "another user's");
        assert_int_equal(chown(plugins, 0, 0), 0);
    }
}

/* A folder that is named does not say that a plugin in it may be another than the run was started with. */
static void a_changed_plugin_of_a_folder_is_seen(void **state) {
    (void)state;
    weir_options options = with_plugin(make_plugins("plugins", 0700));
    copy_file(built("corpus_operations.so"), in_folder("plugins/a.so"));
    options.state = state_folder;
    options.durability = WEIR_DURABILITY_FULL;
    assert_true(open_with(options));
    weir_run *run = start(request_for(slow_workflow("0"), "r"));
    weir_run_close(run); /* not driven to its end */
    weir_close(engine);
    engine = NULL;
    FILE *file = fopen(in_folder("plugins/a.so"), "ab");
    fputs("more", file);
    fclose(file);
    assert_true(open_with(options));
    assert_false(weir_run_recover(engine, "r", &run, &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    weir_close(engine);
    engine = NULL;
    options.plugins = (const char *const[]){in_folder("plugins/a.so"), NULL};
    assert_true(open_with(options));
    assert_true(weir_run_recover(engine, "r", &run, &error));
    succeed(run);
}

/* What the options point to may go once the engine is open, but for `arg`. */
static void the_options_are_the_callers(void **state) {
    (void)state;
    copy_file(built("corpus_operations.so"), in_folder("a.so"));
    weir_run *run;
    for (int i = 0; i < 2; i++) {
        char *path = strdup(in_folder("a.so")), *of_state = strdup(state_folder),
             *secret = strdup("hush");
        const char **plugins = calloc(2, sizeof *plugins), **secrets = calloc(3, sizeof *secrets);
        plugins[0] = path;
        secrets[0] = secrets[1] = secret;
        assert_true(open_with((weir_options){.state = of_state,
                                             .durability = WEIR_DURABILITY_FULL,
                                             .plugins = plugins,
                                             .secrets = secrets}));
        free(plugins);
        free(secrets);
        free(path);
        free(of_state);
        free(secret);
        if (i == 0) {
            run = start(request_for(slow_workflow("0"), "r"));
            weir_run_close(run); /* not driven to its end */
            FILE *file = fopen(in_folder("a.so"), "ab");
            fputs("more", file);
            fclose(file);
        } else {
            assert_true(weir_run_recover(engine, "r", &run, &error));
            succeed(run);
        }
        weir_close(engine);
        engine = NULL;
    }
}

static void closing_nothing_is_fine(void **state) {
    (void)state;
    weir_close(NULL);
    weir_run_close(NULL);
    open_engine(WEIR_DURABILITY_FULL);
    struct stat info;
    assert_int_equal(stat(state_folder, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void operations_are_listed_by_name(void **state) {
    (void)state;
    assert_true(open_with(with_plugin(built("corpus_operations.so"))));
    weir_value *list = weir_operations(engine);
    bool collatz = false;
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *operation = weir_array_at(list, i);
        const char *name = text_of(operation, "name");
        if (i) assert_true(strcmp(text_of(weir_array_at(list, i - 1), "name"), name) < 0);
        assert_string_not_equal(text_of(operation, "about"), "");
        static const char *const arrays[] = {"inputs", "outputs", "config", "hints"};
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(weir_value_type(member(operation, arrays[k])), WEIR_ARRAY);
        if (strcmp(name, "collatz") != 0) continue;
        collatz = true;
        assert_string_equal(text_of(weir_array_at(member(operation, "inputs"), 0), "name"), "n");
        assert_int_equal(weir_value_count(member(operation, "hints")), 2);
    }
    assert_true(collatz);
    weir_value_unref(list);
}

#define ALONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        ALONE(wrong_options_are_refused),
        ALONE(what_is_no_plugin_is_refused),
        ALONE(a_plugin_given_twice_is_loaded_once),
        ALONE(a_folder_of_plugins_is_loaded),
        ALONE(what_everybody_may_write_is_not_loaded),
        ALONE(plugins_of_the_state_are_loaded),
        ALONE(a_changed_plugin_of_a_folder_is_seen),
        ALONE(the_options_are_the_callers),
        ALONE(closing_nothing_is_fine),
        ALONE(operations_are_listed_by_name),
    };
    return cmocka_run_group_tests_name("opening an engine", tests, NULL, NULL);
}
