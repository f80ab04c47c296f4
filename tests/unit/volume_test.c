/* Volumes of attempts: where their mounts lead, and where they cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/json.h"
#include "executor/sandbox.h"
#include "executor/volume.h"

typedef struct bench {
    char folder[64];
    char volumes[96], scratch[96], claims[96];
    weir_secrets secrets;
    weir_arena arena;
} bench;

static int set_up(void **state) {
    static bench b;
    weir_error error;
    b = (bench){.folder = "/tmp/weir-volume-XXXXXX"};
    if (!mkdtemp(b.folder)) return -1;
    snprintf(b.volumes, sizeof b.volumes, "%s/volumes/RUN", b.folder);
    snprintf(b.scratch, sizeof b.scratch, "%s/volumes/RUN/.scratch/0.1", b.folder);
    snprintf(b.claims, sizeof b.claims, "%s/claims", b.folder);
    weir_arena_init(&b.arena);
    *state = &b;
    return weir_secrets_add(&b.secrets, WEIR_STR("s.user"), WEIR_STR("somebody"), &error) &&
                   weir_secrets_add(&b.secrets, WEIR_STR("s.key"), WEIR_STR("hidden"), &error) &&
                   weir_secrets_add(&b.secrets, WEIR_STR("other.key"), WEIR_STR("not this"), &error)
               ? 0
               : -1;
}

static int tear_down(void **state) {
    bench *b = *state;
    weir_sandbox_remove(b->folder);
    weir_secrets_deinit(&b->secrets);
    weir_arena_deinit(&b->arena);
    return 0;
}

static weir_value *json(const char *text) {
    weir_value *value = NULL;
    weir_error error;
    assert_true(weir_json_parse(weir_str_from(text), WEIR_STR("test"), &value, &error));
    return value;
}

static bool find(bench *b, const char *mount, weir_mount *out, weir_error *error) {
    const weir_sandbox_folders folders = {b->volumes, b->scratch, b->claims};
    weir_value *value = json(mount);
    *out = (weir_mount){0};
    assert_true(weir_volume_is(value));
    bool ok = weir_volume_find(&folders, &b->secrets, value, &b->arena, out, error);
    weir_value_unref(value);
    return ok;
}

/* The path below the test's folder that the mount shows. */
static void expect_path(bench *b, const char *mount, const char *path, const char *beneath) {
    weir_mount out;
    weir_error error;
    struct stat info;
    char whole[4200];
    assert_true(find(b, mount, &out, &error));
    snprintf(whole, sizeof whole, "%s/%s", b->folder, path);
    assert_string_equal(out.source.data, whole);
    assert_string_equal(out.beneath.length ? out.beneath.data : "", beneath);
    snprintf(whole, sizeof whole, "%s/%s/%s", b->folder, path, beneath);
    assert_int_equal(stat(whole, &info), 0);
    assert_true(S_ISDIR(info.st_mode) && (info.st_mode & 0777) == 0777);
}

static void each_kind_is_a_folder(void **state) {
    expect_path(*state, "{\"volume\":\"work\"}", "volumes/RUN/work", "");
    expect_path(*state, "{\"scratch\":\"work\"}", "volumes/RUN/.scratch/0.1/work", "");
    expect_path(*state, "{\"claim\":\"my-claim\"}", "claims/my-claim", "");
    expect_path(*state, "{\"claim\":\"my-claim\",\"sub_path\":\"a/b//c/\"}", "claims/my-claim",
                "a/b//c/");
    expect_path(*state, "{\"volume\":\"work\"}", "volumes/RUN/work", "");
}

static void what_a_file_says_is_written(void **state) {
    bench *b = *state;
    static const struct {
        const char *path, *text;
        mode_t mode;
    } files[] = {{"deep/a", "alpha", 0600},
                 {"user", "somebody", 0400},
                 {"key", "hidden", 0400},
                 {"b", "second", 0644}};
    weir_mount out;
    weir_error error;
    assert_true(
        find(b,
             "{\"files\":[{\"path\":\"deep/a\",\"content\":\"alpha\",\"mode\":384},"
             "{\"secret\":\"s\",\"mode\":256},{\"path\":\"b\",\"content\":\"first\"},"
             "{\"path\":\"b\",\"content\":\"second\"},{\"secret\":\"none\",\"optional\":true},"
             "{\"path\":\"n\",\"content\":{\"secret\":\"s.n\",\"optional\":true}},"
             "{\"path\":\"m\",\"content\":{\"machine\":\"name\"}}]}",
             &out, &error));
    char path[4200], text[64];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct stat info;
        snprintf(path, sizeof path, "%s/%s", out.source.data, files[i].path);
        FILE *file = fopen(path, "re");
        assert_non_null(file);
        assert_non_null(fgets(text, sizeof text, file));
        fclose(file);
        assert_string_equal(text, files[i].text);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, files[i].mode);
    }
    snprintf(path, sizeof path, "%s/n", out.source.data);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void nothing_leads_out(void **state) {
    bench *b = *state;
    weir_mount out;
    weir_error error;
    char link[128];
    assert_true(find(b, "{\"volume\":\"v\"}", &out, &error));
    snprintf(link, sizeof link, "%s/out", out.source.data);
    assert_int_equal(symlink("/etc", link), 0);
    snprintf(link, sizeof link, "%s/up", out.source.data);
    assert_int_equal(symlink("../..", link), 0);
    snprintf(link, sizeof link, "%s/in", out.source.data);
    assert_int_equal(symlink("real", link), 0);
    static const char *const wrong[] = {
        "{\"volume\":\"..\"}",
        "{\"volume\":\"a/b\"}",
        "{\"volume\":\".scratch\"}",
        "{\"claim\":\"../x\"}",
        "{\"claim\":\"\"}",
        "{\"scratch\":\".\"}",
        "{\"volume\":\"v\",\"sub_path\":\"../w\"}",
        "{\"volume\":\"v\",\"sub_path\":\"a/../../w\"}",
        "{\"volume\":\"v\",\"sub_path\":\"/etc\"}",
        "{\"volume\":\"v\",\"sub_path\":\"out\"}",
        "{\"volume\":\"v\",\"sub_path\":\"out/made-by-a-test\"}",
        "{\"volume\":\"v\",\"sub_path\":\"up/w\"}",
        "{\"host\":\"etc\"}",
        "{\"files\":[{\"path\":\"../x\",\"content\":\"c\"}]}",
        "{\"files\":[{\"path\":\"/x\",\"content\":\"c\"}]}",
        "{\"files\":[{\"path\":\"x\",\"content\":{\"secret\":\"none\"}}]}",
        "{\"files\":[{\"secret\":\"none\"}]}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (find(b, wrong[i], &out, &error)) fail_msg("%s leads to %s", wrong[i], out.source.data);
        if (error.code != WEIR_INVALID) fail_msg("%s: %s", wrong[i], error.message);
    }
    assert_int_not_equal(access("/etc/made-by-a-test", F_OK), 0);
    assert_false(find(b, "{\"host\":\"/there/is/none\"}", &out, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    /* A link within leads on. */
    assert_true(find(b, "{\"volume\":\"v\",\"sub_path\":\"real\"}", &out, &error));
    assert_true(find(b, "{\"volume\":\"v\",\"sub_path\":\"in/more\"}", &out, &error));
}

/* Somebody who changes what is there all the time. */
typedef struct attacker {
    char link[160], victim[96];
    atomic_bool over;
} attacker;

static void *attack(void *arg) {
    attacker *a = arg;
    while (!atomic_load(&a->over)) {
        if (symlink(a->victim, a->link) < 0) rmdir(a->link);
        unlink(a->link);
    }
    return NULL;
}

static void who_changes_a_volume_meanwhile_gains_nothing(void **state) {
    bench *b = *state;
    attacker a = {.over = false};
    pthread_t thread;
    weir_mount out;
    weir_error error;
    struct stat info;
    assert_true(find(b, "{\"volume\":\"v\"}", &out, &error));
    snprintf(a.link, sizeof a.link, "%s/d", out.source.data);
    snprintf(a.victim, sizeof a.victim, "%s/victim", b->folder);
    assert_int_equal(mkdir(a.victim, 0700), 0);
    assert_int_equal(pthread_create(&thread, NULL, attack, &a), 0);
    for (int i = 0; i < 3000; i++)
        (void)!find(b, "{\"volume\":\"v\",\"sub_path\":\"d\"}", &out, &error);
    atomic_store(&a.over, true);
    pthread_join(thread, NULL);
    assert_int_equal(stat(a.victim, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
}

static void a_link_to_nothing_is_no_folder(void **state) {
    bench *b = *state;
    weir_mount out;
    weir_error error;
    char link[128];
    assert_true(find(b, "{\"volume\":\"v\"}", &out, &error));
    snprintf(link, sizeof link, "%s/d", out.source.data);
    assert_int_equal(symlink("nothing", link), 0);
    assert_false(find(b, "{\"volume\":\"v\",\"sub_path\":\"d\"}", &out, &error));
    assert_int_equal(error.code, WEIR_INVALID);
}

static void files_have_a_limit(void **state) {
    bench *b = *state;
    weir_mount out;
    weir_error error;
    weir_buffer text = {0};
    weir_buffer_text(&text, "{\"files\":[{\"path\":\"x\",\"content\":\"");
    for (int i = 0; i < WEIR_SANDBOX_CONTENT_BYTES_MAX; i++) weir_buffer_byte(&text, 'x');
    weir_buffer_text(&text, "y\"}]}");
    assert_false(find(b, text.data, &out, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    weir_buffer_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_kind_is_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_file_says_is_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_changes_a_volume_meanwhile_gains_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_link_to_nothing_is_no_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_have_a_limit, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
