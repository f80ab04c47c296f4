/* Names of images, and the store of those that are here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/json.h"
#include "image_files.h"
#include "shell.h"

/* --- names ---------------------------------------------------------------------------------- */

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_names_are_read_as_docker_reads_them(void **state) {
    static const struct {
        const char *text, *whole; /* NULL: refused */
    } cases[] = {
        {"busybox", "docker.io/library/busybox:latest"},
        {"busybox:1.36", "docker.io/library/busybox:1.36"},
        {"library/busybox", "docker.io/library/busybox:latest"},
        {"docker.io/busybox", "docker.io/library/busybox:latest"},
        {"index.docker.io/busybox", "docker.io/library/busybox:latest"},
        {"docker/whalesay:latest", "docker.io/docker/whalesay:latest"},
        {"quay.io/argoproj/argosay:v2", "quay.io/argoproj/argosay:v2"},
        {"localhost/a", "localhost/a:latest"},
        {"localhost:5000/a/b/c:x_1.2-3", "localhost:5000/a/b/c:x_1.2-3"},
        {"127.0.0.1:5000/a", "127.0.0.1:5000/a:latest"},
        {"[::1]:5000/a", "[::1]:5000/a:latest"},
        {"[2001:DB8::1]/a", "[2001:DB8::1]/a:latest"},
        {"Registry/a", "Registry/a:latest"},
        {"a.b-c.d/e", "a.b-c.d/e:latest"},
        {"a__b/c-----d/e.f_g", "docker.io/a__b/c-----d/e.f_g:latest"},
        {"a:_", "docker.io/library/a:_"},
        {"a@sha256:" HEX, "docker.io/library/a@sha256:" HEX},
        {"a:b@sha256:" HEX, "docker.io/library/a:b@sha256:" HEX},
        {"localhost:5000/a@sha256:" HEX, "localhost:5000/a@sha256:" HEX},
        {"host:80/" HEX, "host:80/" HEX ":latest"},
        {"x/" HEX, "docker.io/x/" HEX ":latest"},
        {"", NULL},
        {HEX, NULL},
        {"docker.io/" HEX, NULL},
        {"Busybox", NULL},
        {"a/B", NULL},
        {"a b", NULL},
        {"a/", NULL},
        {"/a", NULL},
        {"a//b", NULL},
        {"a..b", NULL},
        {"a___b", NULL},
        {"a._b", NULL},
        {"-a", NULL},
        {"a-", NULL},
        {"_a/b", NULL},
        {"a:", NULL},
        {"a:-b", NULL},
        {"a:.b", NULL},
        {"a:b:c", NULL},
        {"a@", NULL},
        {"a@sha256:abc", NULL},
        {"a@sha512:" HEX HEX, NULL},
        {"a@sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", NULL},
        {"a@sha256:" HEX "@sha256:" HEX, NULL},
        {"@sha256:" HEX, NULL},
        {"localhost:0/a", NULL},
        {"localhost:65536/a", NULL},
        {"localhost:/a", NULL},
        {"localhost:12x/a", NULL},
        {"localhost:5000/", NULL},
        {"localhost:5000", "docker.io/library/localhost:5000"},
        {"-a.b/c", NULL},
        {"a-.b/c", NULL},
        {"a.b./c", NULL},
        {"a..b/c", NULL},
        {".a/c", NULL},
        {"[/a.b", NULL},
        {"[::g]/a", NULL},
        {"https://quay.io/a", NULL},
        {"docker://a", NULL},
        {"../a", NULL},
        {"./a", NULL},
        {"a\n", NULL},
        {"\xc3\xa4", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_image_name name = {.tag = "untouched"}, again;
        weir_error error = {0};
        bool ok = weir_image_name_read(weir_str_from(cases[i].text), &name, &error);
        if (ok != !!cases[i].whole) fail_msg("%s: %s", cases[i].text, error.message);
        if (!ok) {
            assert_int_equal(error.code, WEIR_INVALID);
            assert_true(error.message[0]);
            assert_string_equal(name.tag, "untouched");
            continue;
        }
        weir_buffer whole = {0};
        weir_image_name_append(&name, &whole);
        assert_string_equal(whole.data, cases[i].whole);
        assert_true(weir_image_name_read(weir_buffer_str(&whole), &again, &error));
        assert_memory_equal(&name, &again, sizeof name);
        weir_buffer_deinit(&whole);
    }
}

static void refuse_name(const char *text, const char *hint) {
    weir_image_name name;
    weir_error error = {0};
    assert_false(weir_image_name_read(weir_str_from(text), &name, &error));
    if (!strstr(error.hint, hint)) fail_msg("%s: %s", text, error.hint);
}

static void test_a_wrong_name_has_a_hint(void **state) {
    char text[2048] = {0};
    weir_image_name name;
    weir_error error;
    (void)state;
    refuse_name("BusyBox", "lower case");
    refuse_name(HEX, "NAME@sha256:DIGITS");
    refuse_name("https://quay.io/a", "leave out");
    memset(text, 'a', 247);
    assert_false(weir_image_name_read(weir_str_from(text), &name, &error)); /* docker.io/library/ */
    text[237] = '\0';
    assert_true(weir_image_name_read(weir_str_from(text), &name, &error));
    memset(text, 'a', 2000);
    assert_false(weir_image_name_read(weir_str_from(text), &name, &error));
    memcpy(text, "a:", 2);
    text[130] = '\0';
    assert_true(weir_image_name_read(weir_str_from(text), &name, &error));
    memset(text + 130, 'a', 1);
    assert_false(weir_image_name_read(weir_str_from(text), &name, &error));
}

/* --- the store ------------------------------------------------------------------------------ */

static void test_an_image_that_was_put_in_is_found(void **state) {
    weir_image *image;
    (void)state;
    assert_int_equal(find("a", &image), WEIR_NOT_FOUND);
    assert_string_equal(shell("ls"), ""); /* looking makes nothing */
    static const char *const programs[] = {NULL, "gzip -nc", "zstd -c", "xz -c"};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        char pinned[128], text[16];
        weir_error error;
        snprintf(text, sizeof text, "hello %zu", i);
        made m = put_image(text, programs[i]);
        weir_image_name name = named("a");
        check(weir__image_name_it(store, &name, m.manifest, NULL, &error), &error);
        assert_int_equal(find("a", &image), WEIR_OK);
        assert_string_equal(image->digest, m.manifest);
        assert_int_equal(image->layer_count, 1);
        assert_string_equal(read_layer(image, 0, "etc/motd"), text);
        assert_true(weir_str_is(weir_member_text(image->config, "os"), "linux"));
        weir_image_free(image);
        assert_int_equal(find("b", &image), WEIR_NOT_FOUND);
        snprintf(pinned, sizeof pinned, "a@%s", m.manifest);
        assert_int_equal(find(pinned, &image), WEIR_OK);
        weir_image_free(image);
    }
}

static void test_a_name_moves(void **state) {
    weir_image *image;
    char old[128];
    (void)state;
    made first = put_named("a:1", "one"), second = put_named("a:1", "two");
    assert_int_equal(find("a:1", &image), WEIR_OK);
    assert_string_equal(image->digest, second.manifest);
    weir_image_free(image);
    snprintf(old, sizeof old, "a@%s", first.manifest);
    assert_int_equal(find(old, &image), WEIR_OK); /* until it is pruned */
    assert_string_equal(read_layer(image, 0, "etc/motd"), "one");
    weir_image_free(image);
}

/* --- housekeeping --------------------------------------------------------------------------- */

static weir_code remove_named(const char *text) {
    weir_image_name name = named(text);
    weir_error error = {0};
    bool ok = weir_image_remove(store, &name, &error);
    assert_true(ok == !error.code);
    return error.code;
}

/* The names that go, with a blank before each. */
static const char *prune(uint64_t bytes_max, uint64_t since_us) {
    static char names[1024];
    weir_value *told;
    weir_error error;
    check(weir_image_prune(store, bytes_max, since_us, &told, &error), &error);
    const weir_value *removed = weir_member_named(told, "removed");
    *names = '\0';
    for (size_t i = 0; i < weir_value_count(removed); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                 weir_string_get(weir_array_at(removed, i)).data);
    weir_value_unref(told);
    return names;
}

static uint64_t pruned(const char *key) {
    weir_value *told;
    weir_error error;
    check(weir_image_prune(store, 0, 0, &told, &error), &error);
    uint64_t number = weir_member_count(told, key);
    weir_value_unref(told);
    return number;
}

/* How many blobs, layers and files beside them there are. */
static const char *count_files(void) {
    return shell("echo $(ls images/blobs/sha256 | wc -l) $(ls images/layers | wc -l) $(ls "
                 "images/images | wc -l) $(ls images/new images/partial | grep -c -- - )");
}

static void test_what_is_removed_leaves_nothing(void **state) {
    weir_image *image;
    (void)state;
    assert_int_equal(remove_named("a"), WEIR_NOT_FOUND);
    assert_string_equal(prune(0, 0), "");
    put_named("a", "one");
    assert_string_equal(count_files(), "3 2 1 0\n");
    put_named("b", "one");
    put_named("c", "two");
    assert_string_equal(count_files(), "6 4 2 0\n");
    assert_int_equal(remove_named("a"), WEIR_OK);
    assert_int_equal(remove_named("a"), WEIR_NOT_FOUND);
    assert_string_equal(count_files(), "6 4 2 0\n");
    assert_int_equal(find("b", &image), WEIR_OK);
    assert_int_equal(remove_named("b"), WEIR_OK); /* though it is held */
    assert_int_equal(remove_named("c"), WEIR_OK);
    assert_string_equal(count_files(), "3 2 1 0\n");
    assert_string_equal(read_layer(image, 0, "etc/motd"), "one");
    assert_string_equal(prune(0, 0), "");
    weir_image_free(image);
    assert_int_equal(strlen(prune(0, 0)), 72);
    assert_string_equal(count_files(), "0 0 0 0\n");
}

static void test_an_image_is_removed_by_its_digest(void **state) {
    char text[128];
    (void)state;
    made m = put_named("a", "one");
    put_named("b", "one");
    put_named("c", "two");
    snprintf(text, sizeof text, "x@%s", m.manifest);
    assert_int_equal(remove_named(text), WEIR_OK);
    assert_string_equal(count_files(), "3 2 1 0\n");
}

static void use_at(made m, const char *when) {
    char line[256];
    snprintf(line, sizeof line, "touch -d '%s' images/images/%s", when, m.manifest + 7);
    shell(line);
}

static void test_what_was_not_used_for_longest_goes_first(void **state) {
    weir_image *image;
    (void)state;
    made a = put_named("a", "one"), b = put_named("b", "two"), c = put_named("c", "three");
    use_at(a, "2026-01-02");
    use_at(b, "2026-01-01");
    use_at(c, "2026-01-03");
    uint64_t all = pruned("left");
    assert_string_equal(prune(all, 0), "");
    assert_string_equal(prune(all - 1, 0), " docker.io/library/b:latest");
    assert_int_equal(find("a", &image), WEIR_OK); /* used now, and held */
    assert_string_equal(prune(1, 0), " docker.io/library/c:latest");
    weir_image_free(image);
    assert_string_equal(prune(0, UINT64_C(1000000)), "");
    assert_string_equal(prune(0, INT64_MAX), " docker.io/library/a:latest");
    assert_string_equal(count_files(), "0 0 0 0\n");
    assert_int_equal(pruned("left"), 0);
}

static void test_what_is_put_in_is_not_pruned_meanwhile(void **state) {
    weir__image_work *work;
    weir_error error;
    (void)state;
    check(weir__image_enter(store, &work, &error), &error);
    made m = put_image("one", NULL);
    prune(0, 0);
    assert_string_equal(count_files(), "3 2 0 0\n");
    shell("touch -d '2 days ago' images/blobs/sha256/* images/layers/*.lock");
    assert_true(weir__image_has_blob(store, m.layer)); /* so somebody wants it */
    prune(0, 0);
    assert_string_equal(count_files(), "1 0 0 0\n");
    weir__image_leave(work);
    weir__image_leave(NULL);
    prune(0, 0);
    assert_string_equal(count_files(), "0 0 0 0\n");
}

static void test_what_interrupted_work_left_is_removed(void **state) {
    (void)state;
    put_named("a", "one");
    shell(
        "cd images; echo x >partial/" HEX "; touch -d '23 hours ago' partial/*; echo x "
        ">partial/new-abcdef; mkdir -p new/layer-abcdef/x new/gone-0-1/y; chmod 0 new/gone-0-1/y; "
        "touch -d '1 minute ago' new/layer-abcdef");
    prune(0, 0);
    assert_string_equal(shell("ls -A images/partial; ls -A images/new"), HEX "\n");
    shell("touch -d '25 hours ago' images/partial/*");
    prune(0, 0);
    assert_string_equal(shell("ls -A images/partial; ls -A images/new"), "");
}

static void test_lists_and_shows(void **state) {
    weir_value *list, *shown;
    weir_error error = {0};
    weir_buffer text = {0};
    (void)state;
    check(weir_image_list(store, &list, &error), &error);
    assert_int_equal(weir_value_count(list), 0);
    weir_value_unref(list);
    made a = put_named("a", "one");
    put_named("b", "two");
    use_at(a, "2026-01-01T00:00:00Z");
    check(weir_image_list(store, &list, &error), &error);
    weir_json_format(list, 0, &text);
    assert_int_equal(weir_value_count(list), 2);
    const weir_value *last = weir_array_at(list, 1);
    assert_true(weir_str_is(weir_member_text(last, "name"), "docker.io/library/a:latest"));
    assert_true(weir_str_is(weir_member_text(last, "digest"), a.manifest));
    assert_true(weir_str_is(weir_member_text(last, "used"), "2026-01-01T00:00:00.000Z"));
    assert_true(weir_str_is(weir_member_text(last, "created"), "2026-01-02T03:04:05Z"));
    assert_true(weir_str_is(weir_member_text(last, "architecture"), "amd64"));
    assert_int_equal(weir_member_count(last, "layers"), 1);
    assert_int_equal(weir_member_count(last, "unpacked_size"), 3);
    weir_value_unref(list);
    weir_buffer_deinit(&text);
    weir_image_name name = named("a"), other = named("c");
    assert_false(weir_image_show(store, &other, &shown, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    check(weir_image_show(store, &name, &shown, &error), &error);
    const weir_value *layer = weir_array_at(weir_member_named(shown, "layers"), 0);
    assert_true(weir_str_is(weir_member_text(layer, "diff_id"), a.diff_id));
    assert_true(weir_str_is(weir_member_text(layer, "digest"), a.layer));
    assert_true(weir_is(weir_member_named(shown, "config"), WEIR_OBJECT));
    weir_value_unref(shown);
}

/* --- several at once, and killed ones ------------------------------------------------------- */

/* One of a few images, whose layers several have. */
static bool put_one(unsigned which, weir_error *error) {
    char text[32], name[32];
    weir__image_work *work;
    snprintf(text, sizeof text, "text %u", which % 5);
    snprintf(name, sizeof name, "i%u", which % 7);
    check(weir__image_enter(store, &work, error), error);
    made m = put_image(text, which % 2 ? "gzip -nc" : NULL);
    weir_image_name n = named(name);
    bool ok = weir__image_name_it(store, &n, m.manifest, NULL, error);
    weir__image_leave(work);
    return ok;
}

/* Whatever is found is whole. */
static void find_one(unsigned which) {
    char name[32];
    weir_image *image;
    snprintf(name, sizeof name, "i%u", which % 7);
    if (find(name, &image) != WEIR_OK) return;
    weir_assert(memcmp(read_layer(image, 0, "etc/motd"), "text ", 5) == 0);
    weir_image_free(image);
}

static void work_at_random(unsigned seed, int steps) {
    weir_error error;
    for (int i = 0; i < steps; i++) {
        unsigned number = seed = seed * 1103515245 + 12345;
        char name[32];
        snprintf(name, sizeof name, "i%u", (number >> 20) % 7);
        switch ((number >> 16) % 8) {
        case 0: prune(number % 3, 0); break;
        case 1: (void)remove_named(name); break;
        case 2:
        case 3:
        case 4: check(put_one(number >> 20, &error), &error); break;
        default: find_one(number >> 20);
        }
    }
}

static void check_all(void) {
    weir_value *list;
    weir_error error;
    check(weir_image_list(store, &list, &error), &error);
    for (size_t i = 0; i < weir_value_count(list); i++) {
        weir_image *image;
        char by[128];
        snprintf(by, sizeof by, "x@%s", weir_member_text(weir_array_at(list, i), "digest").data);
        assert_int_equal(find(by, &image), WEIR_OK);
        assert_memory_equal(read_layer(image, 0, "etc/motd"), "text ", 5);
        weir_image_free(image);
    }
    weir_value_unref(list);
}

static void test_several_processes_use_one_store(void **state) {
    enum { PROCESSES = 4 };
    pid_t children[PROCESSES];
    (void)state;
    for (int i = 0; i < PROCESSES; i++)
        if ((children[i] = fork()) == 0) {
            in_child = true;
            work_at_random((unsigned)i + 1, 25);
            _exit(0);
        }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    check_all();
    prune(1, 0);
    assert_string_equal(count_files(), "0 0 0 0\n");
}

static void test_killed_at_any_time_nothing_is_half(void **state) {
    (void)state;
    for (unsigned i = 0; i < 25; i++) {
        pid_t child = fork();
        if (child == 0) {
            in_child = true;
            work_at_random(i + 100, 1000);
            _exit(0);
        }
        usleep(3000 + i * 7919 % 97 * 1000);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        check_all();
    }
    shell("find images/new -mindepth 1 -maxdepth 1 -exec touch -d '1 minute ago' {} +");
    prune(1, 0);
    assert_string_equal(shell("ls images/blobs/sha256 images/layers images/images images/new | "
                              "grep -v : | grep -v lock"),
                        "\n\n\n");
}

/* A blob that comes from two sides comes once; what was left is gone on with. */
static void test_a_blob_is_gone_on_with(void **state) {
    char digest[72], other[72];
    weir__image_part *part, *second;
    weir_error error;
    uint64_t offset;
    weir_str text = WEIR_STR("what comes in two parts");
    (void)state;
    digest_of(text, digest);
    assert_false(weir__image_part_open(store, "sha256:12", 9, NULL, &part, &offset, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    check(weir__image_part_open(store, digest, text.length, NULL, &part, &offset, &error), &error);
    check(weir__image_part_write(part, text.data, 10, &error), &error);
    weir__image_part_leave(part);
    assert_false(weir__image_has_blob(store, digest));
    pid_t child = fork();
    if (child == 0) { /* comes later, and waits until it is there */
        usleep(50000);
        bool ok = weir__image_part_open(store, digest, 99, NULL, &second, &offset, &error);
        _exit(ok && !second && weir__image_has_blob(store, digest) ? 0 : 1);
    }
    check(weir__image_part_open(store, digest, text.length, NULL, &part, &offset, &error), &error);
    assert_int_equal(offset, 10);
    assert_false(weir__image_part_write(part, text.data, text.length, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    check(weir__image_part_write(part, text.data + 10, text.length - 10, &error), &error);
    usleep(100000);
    check(weir__image_part_commit(part, &error), &error);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    weir_buffer got = {0};
    check(weir__image_get(store, digest, 100, &got, &error), &error);
    assert_true(weir_str_equal(weir_buffer_str(&got), text));
    weir_buffer_deinit(&got);
    assert_false(weir__image_get(store, digest, 5, &got, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    digest_of(WEIR_STR("another"), other);
    assert_false(weir__image_get(store, other, 5, &got, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    check(weir__image_part_open(store, other, 100, NULL, &part, &offset, &error), &error);
    check(weir__image_part_write(part, "wrong", 5, &error), &error);
    check(weir__image_part_restart(part, &error), &error);
    check(weir__image_part_write(part, "anothe", 6, &error), &error);
    assert_false(weir__image_part_commit(part, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_string_equal(shell("ls -A images/partial; ls images/blobs/sha256 | wc -l"), "1\n");
    assert_false(weir__image_put(store, text, other, &error));
    weir_buffer_deinit(&got);
}

static void test_a_wrong_layer_leaves_nothing(void **state) {
    char wrong[72];
    weir_buffer tar = {0};
    char blob[72];
    weir_error error = {0};
    (void)state;
    tar_file(&tar, "a", "text");
    tar_end(&tar);
    put_blob(weir_buffer_str(&tar), blob);
    digest_of(WEIR_STR("another"), wrong);
    assert_false(weir__image_unpack(store, blob, NULL, wrong, NULL, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_string_equal(shell("ls -A images/new; ls images/layers | grep -v lock"), "");
    static const char *const kinds[] = {"application/vnd.cncf.helm.chart.content.v1",
                                        "application/vnd.oci.image.layer.v1.tar+encrypted"};
    for (size_t i = 0; i < 2; i++) {
        assert_false(weir__image_unpack(store, blob, kinds[i], blob, NULL, &error));
        assert_int_equal(error.code, WEIR_UNSUPPORTED);
    }
    assert_false(weir__image_unpack(store, wrong, NULL, wrong, NULL, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    weir_buffer_deinit(&tar);
}

/* What others wrote into the folder. */
static void test_a_damaged_index_is_told(void **state) {
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{\"manifests\": {}}",
                                        "{\"manifests\": [1]}",
                                        "{\"manifests\": [{\"digest\": \"sha256:../../x\"}]}"};
    weir_image *image;
    weir_image_name name = named("a");
    (void)state;
    put_named("a", "text 1");
    shell("cp images/index.json good");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char line[256];
        weir_error error = {0};
        snprintf(line, sizeof line, "printf '%s' >images/index.json", texts[i]);
        shell(line);
        assert_false(weir_image_find(store, &name, &image, &error));
        assert_true(error.code == WEIR_INVALID || error.code == WEIR_SYNTAX);
        weir_value *told;
        assert_false(weir_image_prune(store, 1, 0, &told, &error)); /* and nothing is removed */
    }
    shell("cp good images/index.json");
    assert_int_equal(find("a", &image), WEIR_OK);
    weir_image_free(image);
    shell(
        "chmod u+w images/blobs/sha256/*; for b in images/blobs/sha256/*; do echo '{}' >$b; done");
    assert_int_equal(find("a", &image), WEIR_INVALID);
    shell("rm images/blobs/sha256/*");
    assert_int_equal(find("a", &image), WEIR_NOT_FOUND);
    assert_string_equal(prune(0, 0), " docker.io/library/a:latest");
    assert_string_equal(count_files(), "0 0 0 0\n");
}

static void test_a_layer_that_is_gone_is_put_in_again(void **state) {
    weir_image *image;
    (void)state;
    put_named("a", "text 1");
    shell("rm -r images/layers/*");
    assert_int_equal(find("a", &image), WEIR_NOT_FOUND);
    put_named("a", "text 1");
    assert_int_equal(find("a", &image), WEIR_OK);
    weir_image_free(image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_read_as_docker_reads_them),
        cmocka_unit_test(test_a_wrong_name_has_a_hint),
        cmocka_unit_test_setup_teardown(test_an_image_that_was_put_in_is_found, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_a_name_moves, set_up_store, tear_down_store),
        cmocka_unit_test_setup_teardown(test_what_is_removed_leaves_nothing, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_an_image_is_removed_by_its_digest, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_what_was_not_used_for_longest_goes_first, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_what_is_put_in_is_not_pruned_meanwhile, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_what_interrupted_work_left_is_removed, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_lists_and_shows, set_up_store, tear_down_store),
        cmocka_unit_test_setup_teardown(test_several_processes_use_one_store, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_killed_at_any_time_nothing_is_half, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_a_blob_is_gone_on_with, set_up_store, tear_down_store),
        cmocka_unit_test_setup_teardown(test_a_wrong_layer_leaves_nothing, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_a_damaged_index_is_told, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_a_layer_that_is_gone_is_put_in_again, set_up_store,
                                        tear_down_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
