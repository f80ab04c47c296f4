/* Layers that are unpacked: what overlays need of them, and what must not come out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "image/layer.h"
#include "image_files.h"

static weir_buffer tar;
static int into;

static int set_up(void **state) {
    char path[96];
    (void)state;
    if (make_folder() < 0) return -1;
    chmod(folder, 0777);
    snprintf(path, sizeof path, "%s/layer", folder);
    mkdir(path, 0700);
    into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    shell("echo outside >secret");
    return into < 0;
}

static int tear_down(void **state) {
    (void)state;
    weir_buffer_deinit(&tar);
    close(into);
    shell("chmod -R u+rwx .");
    return remove_folder();
}

static weir__layer_request request;
static weir__layer_outcome outcome;
static weir_error error;

/* What is in `tar`, whatever it is; the request may say more. */
static bool unpack(void) {
    const weir__layer_functions *library;
    char name[] = "/tmp/weir-layer-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    weir_assert(fd >= 0 && write(fd, tar.data, tar.length) == (ssize_t)tar.length);
    weir_assert(lseek(fd, 0, SEEK_SET) == 0);
    check(weir__layer_open(&library, &error), &error);
    error = (weir_error){0};
    request.what = "layer x";
    request.blob = fd;
    request.size = tar.length;
    request.folder = into;
    bool ok = library->unpack(&request, &outcome, &error);
    request = (weir__layer_request){0};
    close(fd);
    return ok;
}

static void unpack_well(void) {
    tar_end(&tar);
    if (!unpack()) fail_msg("%s", error.message);
}

/* And nothing outside of the layer was touched. */
static void refuse(weir_code code, const char *why) {
    tar_end(&tar);
    if (unpack()) fail_msg("it was unpacked, not refused as %s: %s", why, shell("ls -lR layer"));
    if (error.code != code || !strstr(error.message, why))
        fail_msg("%s, not %s", error.message, why);
    assert_string_equal(shell("ls -A; cat secret"), "layer\nsecret\noutside\n");
    weir_buffer_clear(&tar);
}

static struct stat look(const char *name) {
    struct stat info;
    if (fstatat(into, name, &info, AT_SYMLINK_NOFOLLOW) < 0) fail_msg("there is no %s", name);
    return info;
}

static bool is_there(const char *name) {
    return faccessat(into, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void has_text(const char *name, const char *text) {
    char line[256];
    snprintf(line, sizeof line, "cat layer/%s", name);
    assert_string_equal(shell(line), text);
}

static bool is_whiteout(const char *name) {
    struct stat info = look(name);
    return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

static bool is_opaque(const char *name) {
    char path[256], value[8] = {0};
    snprintf(path, sizeof path, "%s/layer/%s", folder, name);
    const char *attribute = geteuid() ? "user.overlay.opaque" : "trusted.overlay.opaque";
    return getxattr(path, attribute, value, sizeof value) == 1 && value[0] == 'y';
}

/* --- what is in it -------------------------------------------------------------------------- */

static void test_files_are_as_they_were(void **state) {
    (void)state;
    tar_entry_with(&tar, "./", '5', 0751, "", (weir_str){"", 0}, 0);
    tar_entry_with(&tar, "a/", '5', 01777, "", (weir_str){"", 0}, 7);
    tar_entry_with(&tar, "a/f", '0', 04755, "", WEIR_STR("text"), 8);
    tar_entry(&tar, "a/closed/", '5', 0500, "");
    tar_file(&tar, "a/closed/f", "in a folder that nobody may write");
    tar_entry(&tar, "b", '1', 0, "a/f");
    tar_entry(&tar, "c", '2', 0777, "../../secret");
    tar_entry(&tar, "d", '2', 0777, "/etc/passwd");
    tar_entry(&tar, "p", '6', 0640, "");
    tar_file(&tar, "x/y/z", "in folders that are not in it");
    unpack_well();
    bool root = geteuid() == 0;
    struct stat file = look("a/f");
    assert_int_equal(file.st_mode & 07777, root ? 04755 : 0755);
    assert_int_equal(file.st_uid, root ? 8 : geteuid());
    assert_int_equal(file.st_mtime, 1000000000);
    assert_int_equal(look("b").st_ino, file.st_ino);
    assert_int_equal(look(".").st_mode & 07777, 0751);
    assert_int_equal(look("a").st_mode & 07777, 01777);
    assert_int_equal(look("a").st_mtime, 1000000000);
    assert_int_equal(look("a/closed").st_mode & 07777, 0500);
    assert_int_equal(look("x/y").st_mode & 07777, 0755);
    assert_true(S_ISLNK(look("c").st_mode) && S_ISLNK(look("d").st_mode));
    assert_true(S_ISFIFO(look("p").st_mode));
    has_text("x/y/z", "in folders that are not in it");
    assert_int_equal(outcome.entries, 10);
    assert_int_equal(outcome.bytes, 4 + 33 + 29);
    assert_int_equal(outcome.left_out, 0);
}

static void test_an_archive_may_write_its_root_as_it_likes(void **state) {
    (void)state;
    tar_file(&tar, "/a", "1");
    tar_file(&tar, "./b", "2");
    tar_file(&tar, "c//d/./e", "3");
    tar_file(&tar, "c/../f", "4");
    unpack_well();
    has_text("a", "1");
    has_text("b", "2");
    has_text("c/d/e", "3");
    has_text("f", "4");
}

static void test_the_last_entry_of_a_name_counts(void **state) {
    (void)state;
    tar_file(&tar, "a", "first");
    tar_file(&tar, "a", "second");
    tar_file(&tar, "b/c", "a file of a folder");
    tar_file(&tar, "b", "that is a file now");
    tar_entry(&tar, "d", '2', 0, "a");
    tar_file(&tar, "d", "no link any more");
    tar_file(&tar, "e", "a file");
    tar_entry(&tar, "e/", '5', 0750, "");
    tar_file(&tar, "e/f", "in a folder");
    tar_entry(&tar, "e/", '5', 0700, "");
    tar_entry(&tar, "g", '1', 0, "a");
    tar_entry(&tar, "g", '1', 0, "d");
    tar_entry(&tar, "g", '1', 0, "g");
    unpack_well();
    has_text("a", "second");
    has_text("b", "that is a file now");
    has_text("d", "no link any more");
    has_text("e/f", "in a folder");
    has_text("g", "no link any more");
    assert_int_equal(look("e").st_mode & 07777, 0700);
}

static void test_links_on_the_way_are_followed_within(void **state) {
    (void)state;
    tar_entry(&tar, "usr/lib/", '5', 0755, "");
    tar_entry(&tar, "lib", '2', 0, "usr/lib");
    tar_entry(&tar, "lib64", '2', 0, "/usr/lib");
    tar_entry(&tar, "up", '2', 0, "../../../../usr/lib");
    tar_file(&tar, "lib/a", "1");
    tar_file(&tar, "lib64/b", "2");
    tar_file(&tar, "up/c", "3");
    tar_entry(&tar, "lib/d/", '5', 0711, "");
    unpack_well();
    has_text("usr/lib/a", "1");
    has_text("usr/lib/b", "2");
    has_text("usr/lib/c", "3");
    assert_int_equal(look("usr/lib/d").st_mode & 07777, 0711);
}

static void test_whiteouts_become_what_overlays_take(void **state) {
    (void)state;
    tar_entry(&tar, "a/", '5', 0755, "");
    tar_file(&tar, "a/.wh.gone", "");
    tar_file(&tar, ".wh.b", "");
    tar_file(&tar, "c/.wh..wh..opq", "");
    tar_file(&tar, "c/new", "new");
    tar_file(&tar, ".wh.d",
             ""); /* a folder is another one now: before, after, and without an entry of its own */
    tar_entry(&tar, "d/", '5', 0755, "");
    tar_file(&tar, "e/new", "new");
    tar_file(&tar, ".wh.e", "");
    tar_file(&tar, ".wh.f", "");
    tar_file(&tar, "f/new", "new");
    tar_file(&tar, "g", "stays");
    tar_file(&tar, ".wh.g", "");
    tar_file(&tar, ".wh.h", "");
    tar_file(&tar, "h", "stays");
    tar_entry(&tar, ".wh..wh.plnk/", '5', 0755, ""); /* of a file system of old */
    tar_file(&tar, ".wh..wh.aufs", "");
    unpack_well();
    assert_true(is_whiteout("a/gone") && is_whiteout("b"));
    assert_true(is_opaque("c") && is_opaque("d") && is_opaque("e") && is_opaque("f"));
    assert_false(is_opaque("a"));
    has_text("c/new", "new");
    has_text("f/new", "new");
    has_text("g", "stays");
    has_text("h", "stays");
    assert_false(is_there(".wh..wh.plnk") || is_there("a/.wh.gone"));
    assert_int_equal(outcome.left_out, 2);
}

static void test_devices_below_dev_are_left_out(void **state) {
    (void)state;
    tar_entry(&tar, "dev/", '5', 0755, "");
    tar_entry(&tar, "dev/null", '3', 0666, "");
    tar_entry(&tar, "./dev/x/sda", '4', 0666, "");
    unpack_well();
    assert_true(is_there("dev"));
    assert_false(is_there("dev/null"));
    assert_int_equal(outcome.left_out, 2);
    weir_buffer_clear(&tar);
    tar_entry(&tar, "etc/null", '3', 0666, "");
    refuse(WEIR_INVALID, "is a device");
    tar_entry(&tar, "dev", '4', 0666, "");
    refuse(WEIR_INVALID, "is a device");
    tar_entry(&tar, "dev/../sda", '4', 0666, "");
    refuse(WEIR_INVALID, "is a device");
}

/* --- what may not be ------------------------------------------------------------------------ */

static void test_no_name_leads_out(void **state) {
    (void)state;
    static const char *const names[] = {"../secret", "/../secret", "a/../../secret",
                                        "..",        "a/../..",    "./.././x"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (const char *kind = "0125"; *kind; kind++) {
            tar_entry(&tar, names[i], *kind, 0666, "x");
            refuse(WEIR_INVALID, "leads out of it");
        }
    tar_file(&tar, "../.wh.secret", "");
    refuse(WEIR_INVALID, "leads out of it");
}

static void test_no_link_leads_out(void **state) {
    (void)state;
    char target[128];
    snprintf(target, sizeof target, "%s/secret", folder);
    tar_entry(&tar, "a", '2', 0, "../secret");
    tar_file(&tar, "a", "takes the link's place");
    tar_entry(&tar, "b", '2', 0, "..");
    tar_entry(&tar, "c", '2', 0, folder);
    unpack_well();
    has_text("a", "takes the link's place");
    weir_buffer_clear(&tar);
    tar_entry(&tar, "d", '2', 0, "..");
    tar_file(&tar, "d/secret", "the root's");
    tar_entry(&tar, "e", '2', 0, "/");
    tar_file(&tar, "e/f", "the root's");
    unpack_well();
    has_text("secret", "the root's");
    has_text("f", "the root's");
    assert_string_equal(shell("cat secret"), "outside\n");
    weir_buffer_clear(&tar);
    tar_entry(&tar, "g", '2', 0, target);
    tar_file(&tar, "g/h", "below a link to nothing");
    refuse(WEIR_INVALID, "is no folder");
    tar_entry(&tar, "loop", '2', 0, "loop");
    tar_file(&tar, "loop/h", "");
    refuse(WEIR_INVALID, "is no folder");
    tar_entry(&tar, "self", '2', 0, "/proc/self/root");
    tar_file(&tar, "self/x", "");
    refuse(WEIR_INVALID, "is no folder");
}

static void test_no_hard_link_leads_out(void **state) {
    (void)state;
    char target[128];
    static const char *const targets[] = {"../secret", "nothing", "/", "folder", "gone"};
    snprintf(target, sizeof target, "%s/secret", folder);
    tar_entry(&tar, "a", '1', 0, target);
    refuse(WEIR_INVALID, "hard link to no file of it");
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        tar_entry(&tar, "folder/", '5', 0755, "");
        tar_file(&tar, ".wh.gone", "");
        tar_entry(&tar, "a", '1', 0, targets[i]);
        refuse(WEIR_INVALID, i ? "hard link to no file of it" : "leads out of it");
    }
    tar_entry(&tar, "a", '1', 0, "");
    refuse(WEIR_INVALID, "is of no known kind");
    tar_entry(&tar, "b", '2', 0, "..");
    tar_entry(&tar, "a", '1', 0, "b/secret");
    refuse(WEIR_INVALID, "hard link to no file of it");
    /* One to a link is the link, and writing to its name writes no other file. */
    tar_entry(&tar, "c", '2', 0, "../secret");
    tar_entry(&tar, "d", '1', 0, "c");
    tar_file(&tar, "d", "new");
    unpack_well();
    assert_true(S_ISLNK(look("c").st_mode));
    assert_string_equal(shell("cat secret"), "outside\n");
}

static void test_names_that_hide_nothing(void **state) {
    (void)state;
    static const char *const names[] = {".wh.", "a/.wh..", ".wh..."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tar_file(&tar, names[i], "");
        refuse(WEIR_INVALID, "hides no file");
    }
    tar_file(&tar, ".wh./x", ""); /* no whiteout, but a file in a folder of that name */
    tar_file(&tar, ".wh.a/../../x", "");
    refuse(WEIR_INVALID, "leads out of it");
    tar_file(&tar, "f", "");
    tar_file(&tar, "f/.wh.x", "");
    refuse(WEIR_INVALID, "is no folder");
    tar_file(&tar, "", "");
    refuse(WEIR_INVALID, "is no name of a file");
    tar_entry(&tar, ".", '2', 0, "x");
    refuse(WEIR_INVALID, "is no name of a file");
    tar_entry(&tar, "/", '1', 0, "x");
    refuse(WEIR_INVALID, "is no name of a file");
}

static void long_name(char kind, size_t length, char letter) {
    weir_buffer name = {0};
    for (size_t i = 0; i < length; i++) weir_buffer_byte(&name, i % 2 && letter == '/' ? '/' : 'x');
    tar_entry_with(&tar, "././@LongLink", kind, 0, "", weir_buffer_str(&name), 0);
    weir_buffer_deinit(&name);
}

static void test_names_have_limits(void **state) {
    (void)state;
    long_name('L', 256, 'x');
    tar_file(&tar, "a", "");
    refuse(WEIR_INVALID, "too long");
    long_name('L', 2 * WEIR__LAYER_DEPTH_MAX + 2, '/');
    tar_file(&tar, "a", "");
    refuse(WEIR_INVALID, "too many folders deep");
    long_name('L', 5000, '/');
    tar_file(&tar, "a", "");
    refuse(WEIR_INVALID, "too");
    long_name('K', 5000, 'x');
    tar_entry(&tar, "a", '2', 0, "b");
    refuse(WEIR_INVALID, "link to nowhere");
    tar_entry(&tar, "a", '2', 0, "");
    refuse(WEIR_INVALID, "link to nowhere");
    long_name('L', 255, 'x');
    tar_file(&tar, "a", "");
    long_name('L', 2 * WEIR__LAYER_DEPTH_MAX - 1, '/');
    tar_file(&tar, "a", "");
    unpack_well();
}

static void test_size_and_number_have_limits(void **state) {
    (void)state;
    for (int i = 0; i < 11; i++) tar_entry(&tar, "a", '5', 0755, "");
    request.entries_max = 10;
    refuse(WEIR_LIMIT, "more than 10 entries");
    for (int i = 0; i < 11; i++) tar_file(&tar, "a", "x");
    request.bytes_max = 9 * 1024;
    refuse(WEIR_LIMIT, "more than 9216 bytes");
}

static void test_a_bomb_ends_early(void **state) {
    (void)state;
    const size_t zeros = 100 * 1024 * 1024;
    tar_entry_with(&tar, "a", '0', 0644, "", (weir_str){"", 0}, 0);
    /* A header that says so many bytes, and the bytes. */
    char *size = tar.data + 124;
    snprintf(size, 12, "%011o", (unsigned)zeros);
    unsigned sum = 0;
    memset(tar.data + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++) sum += (unsigned char)tar.data[i];
    snprintf(tar.data + 148, 8, "%06o", sum);
    weir_buffer_reserve(&tar, zeros);
    memset(tar.data + tar.length, 0, zeros);
    tar.length += zeros;
    squeeze("gzip -1", &tar);
    request.bytes_max = 10 * 1024 * 1024;
    assert_false(unpack());
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_true(look("a").st_size <= 10 * 1024 * 1024);
}

static void test_a_wrong_digest_is_told(void **state) {
    char digest[72];
    (void)state;
    tar_file(&tar, "a", "text");
    tar_end(&tar);
    digest_of(weir_buffer_str(&tar), digest);
    request.diff_id = digest + 7;
    assert_true(unpack());
    assert_string_equal(outcome.diff_id, digest + 7);
    weir_buffer_append(&tar, "behind its end", 14); /* belongs to it, though tar does not read it */
    request.diff_id = digest + 7;
    assert_false(unpack());
    assert_int_equal(error.code, WEIR_INVALID);
    assert_non_null(strstr(error.message, "configuration"));
    digest_of(weir_buffer_str(&tar), digest);
    squeeze("gzip -c", &tar);
    request.diff_id = digest + 7;
    assert_true(unpack());
}

static void test_what_is_damaged_is_told(void **state) {
    static const char *const programs[] = {"cat", "gzip -c", "zstd -c"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        weir_buffer_clear(&tar);
        char noise[20000];
        unsigned seed = 1;
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)((seed = seed * 1103515245 + 12345) >> 16);
        tar_entry_with(&tar, "a", '0', 0644, "", (weir_str){noise, sizeof noise}, 0);
        tar_file(&tar, "b", "text");
        tar_end(&tar);
        char digest[72];
        digest_of(weir_buffer_str(&tar), digest);
        squeeze(programs[i], &tar);
        size_t whole = tar.length;
        for (size_t length = 1; length < whole - (i ? 0 : 1024); length += whole / 7) {
            tar.length = length;
            if (unpack()) fail_msg("%zu bytes of %zu by %s", length, whole, programs[i]);
            assert_true(error.code == WEIR_INVALID);
        }
        tar.length = whole;
        if (!i) continue;
        tar.data[whole / 2] = (char)(tar.data[whole / 2] ^ 0x55);
        request.diff_id = digest + 7; /* neither gzip nor zstd need say it */
        assert_false(unpack());
        assert_int_equal(error.code, WEIR_INVALID);
    }
    weir_buffer_clear(&tar);
    weir_buffer_text(
        &tar, "no archive at all, but a text that is long enough for one of the smallest kind");
    assert_false(unpack());
    assert_int_equal(error.code, WEIR_INVALID);
}

static void test_nothing_at_all_is_a_layer(void **state) {
    (void)state;
    weir_buffer_text(&tar, "");
    assert_true(unpack());
    assert_string_equal(outcome.diff_id,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    squeeze("gzip -c", &tar);
    assert_true(unpack());
    tar_end(&tar);
}

/* What tar programs write: sparse files, attributes, long names of any letters. */
static void read_file(const char *name) {
    char path[128], piece[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    weir_buffer_clear(&tar);
    for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;)
        weir_buffer_append(&tar, piece, got);
    fclose(file);
}

static void test_what_tar_programs_write(void **state) {
    char value[16] = {0}, path[128];
    (void)state;
    static const char *const forms[] = {"gnu", "pax"};
    for (size_t i = 0; i < 2; i++) {
        char line[512];
        snprintf(line, sizeof line,
                 "rm -rf s; mkdir -p s/$(printf %%0200d 1)/$(printf %%0200d 2); echo -n x "
                 ">s/$(printf %%0200d "
                 "1)/$(printf %%0200d 2)/f; echo -n u >s/gr\xc3\xbc\xc3\x9f; echo -n l "
                 ">s/l$(printf '\\351'); truncate -s 1G s/sparse; echo -n end "
                 ">>s/sparse; tar -S -C s --format=%s -cf s.tar .; rm -rf s",
                 forms[i]);
        assert_string_equal(shell(line), "");
        read_file("s.tar");
        if (!unpack()) fail_msg("%s: %s", forms[i], error.message);
        assert_int_equal(look("sparse").st_size, (1 << 30) + 3);
        assert_true(look("sparse").st_blocks < 1000);
        assert_string_equal(
            shell("tail -c 3 layer/sparse; cat layer/0*/0*/f layer/gr\xc3\xbc\xc3\x9f layer/l*"),
            "endxul");
        assert_string_equal(shell("ls layer | wc -l"), "4\n");
    }
    shell("mkdir -p s; echo x >s/f; setfattr -n user.comment -v said s/f; setfattr -n "
          "user.overlay.redirect -v /x s; "
          "tar -C s --xattrs --format=pax -cf s.tar .");
    read_file("s.tar");
    assert_true(unpack());
    snprintf(path, sizeof path, "%s/layer/f", folder);
    if (geteuid() == 0 && strstr(shell("getfattr -n user.comment s/f"), "said"))
        assert_int_equal(getxattr(path, "user.comment", value, sizeof value), 4);
    snprintf(path, sizeof path, "%s/layer", folder);
    assert_true(getxattr(path, "user.overlay.redirect", value, sizeof value) < 0);
}

static bool stop_at_once(void *arg, uint64_t read) {
    (void)arg;
    (void)read;
    return false;
}

static void test_it_can_be_told_to_end(void **state) {
    (void)state;
    tar_file(&tar, "a", "text");
    tar_end(&tar);
    request.goes_on = stop_at_once;
    assert_false(unpack());
    assert_int_equal(error.code, WEIR_CANCELLED);
}

/* --- an ordinary user ----------------------------------------------------------------------- */

/* The same tests, by a user who may do less. */
static void test_an_ordinary_user_does_the_same(void **state) {
    (void)state;
    if (geteuid() != 0) return;
    pid_t child = fork();
    if (child == 0) {
        weir_assert(setgid(65534) == 0 && setuid(65534) == 0);
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_setup_teardown(test_files_are_as_they_were, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_whiteouts_become_what_overlays_take, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(test_devices_below_dev_are_left_out, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_the_last_entry_of_a_name_counts, set_up,
                                            tear_down),
            cmocka_unit_test_setup_teardown(test_no_link_leads_out, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_no_hard_link_leads_out, set_up, tear_down),
            cmocka_unit_test_setup_teardown(test_what_tar_programs_write, set_up, tear_down),
        };
        _exit(cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_are_as_they_were, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_archive_may_write_its_root_as_it_likes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_entry_of_a_name_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_links_on_the_way_are_followed_within, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_whiteouts_become_what_overlays_take, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_devices_below_dev_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_name_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_link_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_hard_link_leads_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_that_hide_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_have_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_size_and_number_have_limits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bomb_ends_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_digest_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_damaged_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_at_all_is_a_layer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_tar_programs_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_can_be_told_to_end, set_up, tear_down),
        cmocka_unit_test(test_an_ordinary_user_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
