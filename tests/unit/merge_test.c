/* What an overlay of folders shows, as a folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/merge.h"
#include "image_files.h"

enum { LAYERS_MAX = 8 };

static int set_up(void **state) {
    (void)state;
    return make_folder();
}

static int tear_down(void **state) {
    (void)state;
    shell("chmod -R u+rwx .");
    return remove_folder();
}

static weir__merge request;

/* Of the folders `layers`, the uppermost first, into a new folder "made". */
static bool merge(const char *const *layers) {
    int open_layers[LAYERS_MAX];
    char path[128];
    size_t count = 0;
    shell("chmod -R u+rwx made; rm -rf made; mkdir made");
    for (; layers[count]; count++) {
        snprintf(path, sizeof path, "%s/%s", folder, layers[count]);
        open_layers[count] = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        assert_true(open_layers[count] >= 0);
    }
    snprintf(path, sizeof path, "%s/made", folder);
    request.layers = open_layers;
    request.count = count;
    request.owners = geteuid() == 0;
    request.into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = weir__merge_layers(&request);
    int reason = errno;
    for (size_t i = 0; i < count; i++) close(open_layers[i]);
    close(request.into);
    errno = reason;
    return ok;
}

static void hide(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mknod(path, S_IFCHR | 0600, makedev(0, 0)), 0);
}

static void make_opaque(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (setxattr(path, "user.overlay.opaque", "y", 1, 0) != 0) skip();
}

static bool has_attribute(const char *name, const char *attribute) {
    char path[128], value;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return getxattr(path, attribute, &value, 1) == 1;
}

static void the_uppermost_counts(void **state) {
    static const char *const layers[] = {"up", "low", NULL};
    (void)state;
    shell("mkdir -p up/both low/both up/was-file low/was-folder low/only/deep;"
          "echo up >up/file; echo low >low/file; echo a >up/both/a; echo b >low/both/b;"
          "echo x >low/was-file; echo y >low/was-folder/y; echo z >up/was-folder; echo d "
          ">low/only/deep/d");
    assert_true(merge(layers));
    assert_string_equal(shell("cd made; find * | sort; cat file was-folder"),
                        "both\nboth/a\nboth/b\nfile\nonly\nonly/deep\nonly/deep/d\nwas-file\n"
                        "was-folder\nup\nz\n");
}

static void what_is_hidden_is_not_there(void **state) {
    static const char *const layers[] = {"top", "middle", "low", NULL};
    (void)state;
    shell("mkdir -p top/back middle/f/in low/f/in low/back low/gone;"
          "echo 1 >low/file; echo 2 >low/back/old; echo 3 >top/back/new; echo 4 >low/f/in/old;"
          "echo 5 >middle/f/in/new; echo 6 >low/f/other; echo 7 >top/file2; echo 8 >low/file2");
    hide("middle/file");
    hide("middle/gone");
    hide("middle/back");
    make_opaque("middle/f/in");
    assert_true(merge(layers));
    assert_string_equal(shell("cd made; find * | sort; cat back/new file2"),
                        "back\nback/new\nf\nf/in\nf/in/new\nf/other\nfile2\n3\n7\n");
    assert_false(has_attribute("made/f/in", "user.overlay.opaque"));
}

static void modes_times_links_and_holes_stay(void **state) {
    static const char *const layers[] = {"up", "low", NULL};
    struct stat info, other;
    char path[128];
    (void)state;
    shell("mkdir -p up/f low/f; echo x >low/f/one; ln low/f/one low/two; ln -s ../nowhere low/link;"
          "chmod 4750 low/f/one; truncate -s 8M low/holes; echo end >>low/holes; mkfifo -m 640 "
          "low/pipe; chmod 555 up/f");
    snprintf(path, sizeof path, "%s/low/two", folder);
    bool attributed = setxattr(path, "user.note", "k", 1, 0) == 0;
    shell("touch -h -d 2001-02-03T04:05:06Z low/f/one low/link up/f");
    assert_true(merge(layers));
    assert_string_equal(
        shell("cd made; readlink link; stat -c '%a %Y' f/one f; stat -c %F pipe;"
              "test two -ef f/one && echo one; cmp holes ../low/holes && echo same"),
        "../nowhere\n4750 981173106\n555 981173106\nfifo\none\nsame\n");
    assert_int_equal(has_attribute("made/f/one", "user.note"), attributed);
    snprintf(path, sizeof path, "%s/made/holes", folder);
    assert_int_equal(stat(path, &info), 0);
    snprintf(path, sizeof path, "%s/low/holes", folder);
    assert_int_equal(stat(path, &other), 0);
    assert_true(info.st_blocks <= other.st_blocks + 64);
}

/* Whoever made the layer knows what is in it: links lead nowhere while it is copied. */
static void no_link_is_followed(void **state) {
    static const char *const layers[] = {"up", "low", NULL};
    (void)state;
    shell("mkdir -p up/real low/in outside; echo secret >outside/file; ln -s ../outside low/real;"
          "ln -s ../../outside/file low/in/file; echo mine >up/real/mine");
    assert_true(merge(layers));
    assert_string_equal(shell("cd made; find * | sort; readlink in/file; cat ../outside/*"),
                        "in\nin/file\nreal\nreal/mine\n../../outside/file\nsecret\n");
}

static size_t asked, answers;

static bool goes_on(void *arg) {
    (void)arg;
    return ++asked <= answers;
}

static void it_ends_when_it_should(void **state) {
    static const char *const layers[] = {"low", NULL};
    (void)state;
    shell("mkdir -p low/f; for i in 1 2 3 4 5 6 7 8; do echo $i >low/f/$i; done");
    request = (weir__merge){.goes_on = goes_on};
    asked = 0;
    answers = 4;
    bool ok = merge(layers);
    int reason = errno;
    assert_false(ok);
    assert_int_equal(reason, EINTR);
    assert_string_equal(request.what, "f/3");
    request = (weir__merge){0};
}

static void what_fails_is_said(void **state) {
    static const char *const deep[] = {"low", NULL};
    (void)state;
    shell(
        "mkdir -p low/a; cd low/a; i=0; while [ $i -lt 330 ]; do mkdir d; cd d; i=$((i+1)); done");
    bool ok = merge(deep);
    int reason = errno;
    assert_false(ok);
    assert_int_equal(reason, ELOOP);
    assert_memory_equal(request.what, "a/d/d/d", 7);
}

static void nothing_of_nothing(void **state) {
    static const char *const none[] = {NULL}, *const empty[] = {"empty", NULL};
    (void)state;
    shell("mkdir empty; chmod 751 empty");
    assert_true(merge(none));
    assert_true(merge(empty));
    assert_string_equal(shell("ls -A made; stat -c %a made"), "751\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_uppermost_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_hidden_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(modes_times_links_and_holes_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_link_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_when_it_should, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_fails_is_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_of_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
