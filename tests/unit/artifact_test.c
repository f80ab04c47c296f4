/* Artifacts: the repository, and what is packed and unpacked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "artifact/work.h"
#include "data/json.h"
#include "shell.h"

static weir_repository *repository;
static int home; /* the test's folder */

static int set_up(void **state) {
    char kept[96];
    (void)state;
    if (make_folder() < 0) return -1;
    snprintf(kept, sizeof kept, "%s/kept/below", folder);
    repository = weir_repository_new(&(weir_repository_options){.folder = kept, .durable = true});
    home = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return home < 0;
}

static int tear_down(void **state) {
    (void)state;
    weir_repository_free(repository);
    close(home);
    return remove_folder();
}

static weir_artifact_place at(const char *key) {
    return (weir_artifact_place){.key = weir_str_from(key)};
}

static weir_code keep_as(const char *name, const char *key, weir_artifact_form form, int level,
                         weir_artifact_kept *kept) {
    weir_error error = {0};
    weir_artifact_place place = at(key);
    int from = openat(home, name, O_RDONLY | O_CLOEXEC);
    assert_true(from >= 0);
    bool ok = weir_repository_keep(repository, &place, from, name, form, level, NULL, kept, &error);
    assert_true(ok == !error.code);
    return error.code;
}

static void keep(const char *name, const char *key, weir_artifact_form form) {
    weir_artifact_kept kept;
    assert_int_equal(keep_as(name, key, form, -1, &kept), WEIR_OK);
    assert_int_equal(strlen(kept.sha256), 64);
}

static weir_code load_as(const char *key, const char *part, weir_artifact_form form,
                         const char *name, weir_error *error) {
    *error = (weir_error){0};
    weir_artifact_place place = at(key);
    bool ok = weir_repository_load(repository, &place, weir_str_from(part), form, home, name, NULL,
                                   error);
    assert_true(ok == !error->code);
    return error->code;
}

static void load(const char *key, const char *part, weir_artifact_form form, const char *name) {
    weir_error error;
    if (load_as(key, part, form, name, &error) != WEIR_OK) fail_msg("%s: %s", key, error.message);
}

static void refuse(const char *key, const char *part, weir_artifact_form form, weir_code code,
                   const char *why) {
    weir_error error;
    assert_int_equal(load_as(key, part, form, "refused", &error), code);
    if (!strstr(error.message, why)) fail_msg("%s, not %s", error.message, why);
    assert_string_equal(shell("ls -A | grep refused"), "");
}

static void files_and_folders_come_back(void **state) {
    (void)state;
    shell("mkdir -p d/e/empty; echo one >d/one; echo zwei >d/e/zw\xc3\xb6lf; chmod 750 d/e; chmod "
          "640 d/one; "
          "ln -s one d/link; mkfifo d/pipe; echo text >file; touch -d @1000000000 d/one file");
    static const struct {
        weir_artifact_form form, loaded;
        const char *key;
    } cases[] = {{WEIR_ARTIFACT_FOUND, WEIR_ARTIFACT_FOUND, "r/d.tgz"},
                 {WEIR_ARTIFACT_TAR, WEIR_ARTIFACT_TAR, "r/d.tgz"},
                 {WEIR_ARTIFACT_ZIP, WEIR_ARTIFACT_ZIP, "r/d.zip"},
                 {WEIR_ARTIFACT_PLAIN, WEIR_ARTIFACT_FOUND, "r/d"},
                 {WEIR_ARTIFACT_PLAIN, WEIR_ARTIFACT_PLAIN, "q/d"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_artifact_kept kept;
        assert_int_equal(keep_as("d", cases[i].key, cases[i].form, i == 1 ? 9 : -1, &kept),
                         WEIR_OK);
        assert_int_equal(kept.left_out, 1);
        load(cases[i].key, "", cases[i].loaded, "back");
        assert_string_equal(shell("rm d/pipe; diff -r --no-dereference d back; stat -c %a%Y "
                                  "back/one; stat -c %a back/e; "
                                  "readlink back/link; rm -r back; mkfifo d/pipe"),
                            "6401000000000\n750\none\n");
        keep("file", "r/f", cases[i].form);
        load("r/f", "", cases[i].loaded, "back");
        assert_string_equal(shell("cat back; stat -c %Y back; rm back"), "text\n1000000000\n");
    }
    /* Twice the same is the same. */
    weir_artifact_kept first, second;
    assert_int_equal(keep_as("d", "x", WEIR_ARTIFACT_TAR, -1, &first), WEIR_OK);
    assert_int_equal(keep_as("d", "x", WEIR_ARTIFACT_TAR, -1, &second), WEIR_OK);
    assert_string_equal(first.sha256, second.sha256);
    shell("find kept/below/x -size +0 | xargs sha256sum >sum");
    assert_memory_equal(shell("cat sum"), first.sha256, 64);
    assert_string_equal(shell("ls -A kept/below/.weir"), "");
}

static void sums_are_those_of_sha256sum(void **state) {
    (void)state;
    weir_artifact_kept kept;
    shell(
        "mkdir -p d/b; echo 1 >d/a; echo 2 >d/b/c; echo 3 >d/z; cd d; sha256sum a b/c z >../list");
    assert_int_equal(keep_as("d", "d", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_OK);
    assert_memory_equal(shell("sha256sum list"), kept.sha256, 64);
    assert_int_equal(kept.bytes, 6);
    assert_int_equal(keep_as("list", "l", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_OK);
    assert_memory_equal(shell("sha256sum list"), kept.sha256, 64);
}

static void parts_are_found(void **state) {
    (void)state;
    shell("mkdir -p d/x; echo sub >d/x/y.txt; echo other >d/o; ln -s ../o d/x/up");
    keep("d", "run/d.tgz", WEIR_ARTIFACT_TAR);
    keep("d", "run/d", WEIR_ARTIFACT_PLAIN);
    keep("d", "run/d.zip", WEIR_ARTIFACT_ZIP);
    static const struct {
        const char *key, *part, *command, *said;
    } cases[] = {{"run/d.tgz/x/y.txt", "", "cat back", "sub\n"},
                 {"run/d.tgz", "x/y.txt", "cat back", "sub\n"},
                 {"run/d.tgz/x", "y.txt", "cat back", "sub\n"},
                 {"run/d.tgz", "x/up", "cat back", "other\n"},
                 {"run/d.tgz", "/x/", "ls back", "up\ny.txt\n"},
                 {"run/d/x", "", "ls back", "up\ny.txt\n"},
                 {"run/d", "x/y.txt", "cat back", "sub\n"},
                 {"//run/./d/o", "", "cat back", "other\n"},
                 {"run", "d/x/y.txt", "cat back", "sub\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_error error;
        /* Of a folder alone its links lead out. */
        bool ok =
            load_as(cases[i].key, cases[i].part, WEIR_ARTIFACT_FOUND, "back", &error) == WEIR_OK;
        if (strstr(cases[i].said, "up")) {
            assert_int_equal(error.code, WEIR_INVALID);
            shell("rm -rf back");
            continue;
        }
        if (!ok) fail_msg("%s %s: %s", cases[i].key, cases[i].part, error.message);
        assert_string_equal(shell(cases[i].command), cases[i].said);
        shell("rm -r back");
    }
    load("run/d.zip/x/y.txt", "", WEIR_ARTIFACT_ZIP, "back");
    assert_string_equal(shell("cat back"), "sub\n");
    refuse("run/d.tgz/x/none", "", WEIR_ARTIFACT_FOUND, WEIR_NOT_FOUND, "no `d/x/none`");
    refuse("run/none", "", WEIR_ARTIFACT_FOUND, WEIR_NOT_FOUND,
           "no artifact with the key `run/none`");
    refuse("run/d/o/x", "", WEIR_ARTIFACT_FOUND, WEIR_NOT_FOUND, "there is no `x`");
    refuse("run/d.tgz", "../d", WEIR_ARTIFACT_FOUND, WEIR_INVALID, "`..`");
}

static void keys_do_not_lead_out(void **state) {
    (void)state;
    char many[300] = "", long_key[1100];
    weir_artifact_kept kept;
    shell("echo x >f; mkdir -p kept/below; ln -s ../.. kept/below/up; ln -s f kept/below/link");
    for (int i = 0; i < 70; i++) strcat(many, "a/");
    memset(long_key, 'k', sizeof long_key);
    long_key[1099] = '\0';
    const char *const keys[] = {"", "/", ".", "..", "a/../../b", "a/..", ".weir/x", many, long_key};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        assert_int_equal(keep_as("f", keys[i], WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_INVALID);
        refuse(keys[i], "", WEIR_ARTIFACT_FOUND, WEIR_INVALID, "key");
    }
    weir_artifact_place nul = {.key = {"a\0b", 3}};
    weir_error error;
    assert_false(weir_repository_remove(repository, &nul, &error));
    assert_int_equal(keep_as("f", "up/x", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_CONFLICT);
    refuse("up/f", "", WEIR_ARTIFACT_FOUND, WEIR_NOT_FOUND, "up/f");
    refuse("link", "", WEIR_ARTIFACT_FOUND, WEIR_NOT_FOUND, "link");
    assert_int_equal(keep_as("f", "link", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_OK);
    assert_string_equal(shell("cat f; test -L kept/below/link || echo file"), "x\nfile\n");
}

/* As keys with a common beginning in a bucket. */
static void folders_join(void **state) {
    (void)state;
    weir_artifact_kept kept;
    shell("mkdir -p a/s b/s; echo 1 >a/s/1; echo 2 >b/s/2; echo new >b/s/1; echo f >f");
    keep("a", "d", WEIR_ARTIFACT_PLAIN);
    keep("b", "d", WEIR_ARTIFACT_PLAIN);
    keep("f", "d/t/f", WEIR_ARTIFACT_PLAIN);
    assert_string_equal(shell("cd kept/below/d; grep . s/1 s/2 t/f"), "s/1:new\ns/2:2\nt/f:f\n");
    assert_int_equal(keep_as("f", "d", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_CONFLICT);
    assert_int_equal(keep_as("a", "d/t/f", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_CONFLICT);
    assert_int_equal(keep_as("f", "d/t/f/g", WEIR_ARTIFACT_PLAIN, -1, &kept), WEIR_CONFLICT);
    weir_value *list = NULL;
    weir_error error;
    weir_artifact_place place = at("d"), all = at("");
    assert_true(weir_repository_list(repository, &place, &list, &error));
    weir_buffer text = {0};
    weir_json_format(list, 0, &text);
    assert_string_equal(text.data, "[\"d/s/1\",\"d/s/2\",\"d/t/f\"]");
    weir_value_unref(list);
    place = at("d/s");
    assert_true(weir_repository_remove(repository, &place, &error));
    place = at("d/t/f");
    assert_true(weir_repository_remove(repository, &place, &error));
    assert_true(weir_repository_remove(repository, &place, &error));
    assert_true(weir_repository_list(repository, &all, &list, &error));
    assert_int_equal(weir_value_count(list), 0);
    assert_string_equal(shell("ls -A kept/below"), ".weir\n");
    weir_value_unref(list);
    weir_buffer_deinit(&text);
}

static void buckets_have_folders(void **state) {
    (void)state;
    char text[200], file[96];
    weir_value *buckets;
    weir_error error;
    weir_artifact_kept kept;
    snprintf(text, sizeof text, "{\"s3/mine\":\"%s/mine\"}", folder);
    assert_true(weir_json_parse(weir_str_from(text), WEIR_STR("test"), &buckets, &error));
    snprintf(file, sizeof file, "%s/common", folder);
    weir_repository *other =
        weir_repository_new(&(weir_repository_options){.folder = file, .buckets = buckets});
    shell("echo x >f");
    static const char *const names[] = {"s3/mine", "gcs/mine"};
    for (size_t i = 0; i < 2; i++) {
        weir_artifact_place place = {weir_str_from(names[i]), WEIR_STR("k")};
        assert_true(weir_repository_keep(other, &place, openat(home, "f", O_RDONLY | O_CLOEXEC),
                                         "f", WEIR_ARTIFACT_PLAIN, -1, NULL, &kept, &error));
    }
    assert_string_equal(shell("ls mine common"), "common:\nk\n\nmine:\nk\n");
    weir_repository_free(other);
    weir_value_unref(buckets);
}

/* What another writes is never trusted. */
static void hostile_archives_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *make;
        weir_code code;
        const char *why;
    } cases[] = {
        {"t.add('/etc/weir-out', b'1')", WEIR_INVALID, "absolute"},
        {"t.add('../weir-out', b'1')", WEIR_INVALID, "leads out"},
        {"t.add('a/../../weir-out', b'1')", WEIR_INVALID, "leads out"},
        {"t.link('l', '/etc'); t.add('a', b'1')", WEIR_INVALID, "leads out"},
        {"t.link('l', '../..'); t.add('a', b'1')", WEIR_INVALID, "leads out"},
        {"t.link('l', '..'); t.add('l/x', b'1')", WEIR_INVALID, ""},
        {"t.link('a/l', '../..'); t.link('m', 'a/l/../x'); t.add('b', b'')", WEIR_INVALID,
         "leads out"},
        {"t.hard('h', '/etc/passwd'); t.add('a', b'1')", WEIR_INVALID, "absolute"},
        {"t.hard('h', '../../../etc/passwd')", WEIR_INVALID, "leads out"},
        {"t.hard('h', 'none'); t.add('a', b'1')", WEIR_INVALID, "hard link to no file"},
        {"t.kind('dev', tarfile.CHRTYPE); t.add('a', b'1')", WEIR_INVALID, "neither file"},
        {"t.kind('p', tarfile.FIFOTYPE); t.add('a', b'1')", WEIR_INVALID, "neither file"},
        {"t.add('a', b'1'); t.add('a/b', b'2')", WEIR_INVALID, "no folder"},
        {"t.add('a/b', b'2'); t.add('a', b'1')", WEIR_INVALID, "twice"},
        {"t.add('/'.join('d' * 70), b'1')", WEIR_INVALID, "too many folders"},
        {"t.add('big', bytes(40000)); t.add('more', bytes(40000))", WEIR_LIMIT,
         "more than 65536 bytes"},
        {"[t.add(str(i), b'') for i in range(60)]", WEIR_LIMIT, "more than 50 files"},
        {"t.add('a', b'1'); t.cut(40)", WEIR_OK, ""},
    };
    shell("cat >make.py <<'END'\n"
          "import io, sys, tarfile\n"
          "class T:\n"
          "    def __init__(s): s.out = io.BytesIO(); s.t = tarfile.open(fileobj=s.out, "
          "mode='w:gz')\n"
          "    def put(s, i, data=b''): i.size = len(data); s.t.addfile(i, io.BytesIO(data))\n"
          "    def add(s, n, data): s.put(tarfile.TarInfo(n), data)\n"
          "    def kind(s, n, k, to=''): i = tarfile.TarInfo(n); i.type = k; i.linkname = to; "
          "s.put(i)\n"
          "    def link(s, n, to): s.kind(n, tarfile.SYMTYPE, to)\n"
          "    def hard(s, n, to): s.kind(n, tarfile.LNKTYPE, to)\n"
          "    def cut(s, n): s.t.close(); s.out.truncate(n)\n"
          "t = T(); exec(sys.argv[1]); t.t.closed or t.t.close(); open('a.tgz', "
          "'wb').write(t.out.getvalue())\n"
          "END");
    const weir_artifact_limits limits = {.bytes_max = 65536, .files_max = 50};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char command[400];
        weir_error error = {0};
        snprintf(command, sizeof command, "/usr/bin/python3 make.py \"%s\"", cases[i].make);
        assert_string_equal(shell(command), "");
        bool ok = weir_artifact_settle(&limits, home, "a.tgz", WEIR_STR(""), WEIR_ARTIFACT_TAR,
                                       "out", NULL, &error);
        if (cases[i].code == WEIR_OK) {
            assert_false(ok); /* it is damaged, however that is said */
        } else if (error.code != cases[i].code || !strstr(error.message, cases[i].why)) {
            fail_msg("%s: %d %s", cases[i].make, (int)error.code, error.message);
        }
        assert_string_equal(shell("ls -A | grep -v -e make.py; test ! -e /etc/weir-out -a ! -e "
                                  "../weir-out || echo out"),
                            "");
    }
}

static void what_is_harmless_is_unpacked(void **state) {
    (void)state;
    weir_error error;
    const weir_artifact_limits limits = {0};
    shell(
        "mkdir -p s/d; echo 1 >s/d/f; ln s/d/f s/h; ln -s d/f s/l; ln -s none s/dangling; tar cf "
        "plain.tar -C s .; "
        "tar czf five.tgz -C s d h l dangling; printf 'only\\n' >o; tar czf one.tgz o; gzip -k o");
    assert_true(weir_artifact_settle(&limits, home, "five.tgz", WEIR_STR(""), WEIR_ARTIFACT_FOUND,
                                     "five", NULL, &error));
    assert_string_equal(shell("cd five; ls; cat l h; readlink dangling"),
                        "d\ndangling\nh\nl\n1\n1\nnone\n");
    assert_true(weir_artifact_settle(&limits, home, "one.tgz", WEIR_STR(""), WEIR_ARTIFACT_FOUND,
                                     "one", NULL, &error));
    assert_string_equal(shell("cat one; ls *.tgz"),
                        "only\nls: cannot access '*.tgz': No such file or directory\n");
    /* What only looks like one stays; a tar that is not compressed too, unless it is said. */
    assert_true(weir_artifact_settle(&limits, home, "o.gz", WEIR_STR(""), WEIR_ARTIFACT_FOUND, "gz",
                                     NULL, &error));
    assert_string_equal(shell("zcat gz"), "only\n");
    shell("cp plain.tar again.tar");
    assert_true(weir_artifact_settle(&limits, home, "again.tar", WEIR_STR(""), WEIR_ARTIFACT_FOUND,
                                     "tar", NULL, &error));
    assert_string_equal(shell("cmp tar plain.tar"), "");
    assert_true(weir_artifact_settle(&limits, home, "plain.tar", WEIR_STR(""), WEIR_ARTIFACT_TAR,
                                     "all", NULL, &error));
    assert_string_equal(shell("cat all/d/f"), "1\n");
}

static void limits_and_cancelling(void **state) {
    (void)state;
    char kept_folder[96];
    weir_error error;
    weir_artifact_kept kept;
    atomic_bool cancelled = false;
    snprintf(kept_folder, sizeof kept_folder, "%s/small", folder);
    weir_repository *small = weir_repository_new(&(weir_repository_options){
        .folder = kept_folder, .limits = {.bytes_max = 100000, .files_max = 3}});
    shell("mkdir few many; head -c 100001 /dev/zero >few/large; touch many/1 many/2 many/3 many/4");
    weir_artifact_place place = at("k");
    for (int form = WEIR_ARTIFACT_TAR; form <= WEIR_ARTIFACT_PLAIN; form++) {
        static const char *const names[] = {"few", "many"};
        for (size_t i = 0; i < 2; i++) {
            int from = openat(home, names[i], O_RDONLY | O_CLOEXEC);
            assert_false(weir_repository_keep(small, &place, from, names[i],
                                              (weir_artifact_form)form, -1, NULL, &kept, &error));
            assert_int_equal(error.code, WEIR_LIMIT);
            assert_true(strstr(error.hint, i ? "artifacts.files" : "artifacts.size") != NULL);
        }
    }
    cancelled = true;
    int from = openat(home, "many/1", O_RDONLY | O_CLOEXEC);
    assert_false(weir_repository_keep(small, &place, from, "x", WEIR_ARTIFACT_TAR, -1, &cancelled,
                                      &kept, &error));
    assert_int_equal(error.code, WEIR_CANCELLED);
    assert_string_equal(shell("ls -A small small/.weir"), "small:\n.weir\n\nsmall/.weir:\n");
    weir_repository_free(small);
}

static void modes_are_set(void **state) {
    (void)state;
    weir_error error;
    const weir_artifact_limits limits = {0};
    shell("mkdir -p d/e; touch d/e/f; ln -s /etc/passwd d/l");
    assert_true(weir_artifact_mode(&limits, home, "d", 0750, false, &error));
    assert_string_equal(shell("stat -c %a d d/e"), "750\n755\n");
    assert_true(weir_artifact_mode(&limits, home, "d", 0711, true, &error));
    assert_string_equal(shell("stat -c %a d d/e d/e/f"), "711\n711\n711\n");
}

static void leftovers_are_swept(void **state) {
    (void)state;
    shell("mkdir -p kept/below/.weir/1-dead/made; touch f; touch -d '1 minute ago' "
          "kept/below/.weir/1-dead");
    keep("f", "f", WEIR_ARTIFACT_PLAIN);
    assert_string_equal(shell("ls -A kept/below/.weir"), "");
}

static void a_temporary_one_goes(void **state) {
    (void)state;
    weir_error error;
    weir_artifact_kept kept;
    weir_artifact_place place = at("k");
    setenv("TMPDIR", folder, 1);
    weir_repository *other = weir_repository_new(&(weir_repository_options){0});
    assert_false(weir_repository_load(other, &place, WEIR_STR(""), WEIR_ARTIFACT_FOUND, home, "x",
                                      NULL, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_true(weir_repository_ready(other, &error) && weir_repository_ready(other, &error));
    shell("echo x >f");
    assert_true(weir_repository_keep(other, &place, openat(home, "f", O_RDONLY | O_CLOEXEC), "f",
                                     WEIR_ARTIFACT_PLAIN, -1, NULL, &kept, &error));
    assert_string_equal(shell("cat weir-artifacts-*/*/k"), "x\n");
    weir_repository_free(other);
    assert_string_equal(shell("ls weir-artifacts-*"), "");
    unsetenv("TMPDIR");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(files_and_folders_come_back),
        CASE(sums_are_those_of_sha256sum),
        CASE(parts_are_found),
        CASE(keys_do_not_lead_out),
        CASE(folders_join),
        CASE(buckets_have_folders),
        CASE(hostile_archives_are_refused),
        CASE(what_is_harmless_is_unpacked),
        CASE(limits_and_cancelling),
        CASE(modes_are_set),
        CASE(leftovers_are_swept),
        CASE(a_temporary_one_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
