/* Images as who embeds weir has them: no engine, a callback that says how far it is, another that ends it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <weir/weir.h>

#include "data/value.h"
#include "shell.h"

static char store[96], layout[96], file[96];
static weir_images images;

/* A root file system with one large file, and where images are to be. */
static int set_up(void **state) {
    (void)state;
    if (make_folder() < 0) return -1;
    snprintf(store, sizeof store, "%s/images", folder);
    snprintf(layout, sizeof layout, "%s/root.tar", folder);
    snprintf(file, sizeof file, "%s/out.tar", folder);
    images = (weir_images){.size = sizeof images, .folder = store};
    shell("mkdir root && head -c 3000000 /dev/urandom >root/noise && tar -C root -cf root.tar .");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    shell("chmod -R u+rwx .");
    return remove_folder();
}

static size_t count(void) {
    weir_value *list;
    weir_error error;
    assert_true(weir_list_images(&images, &list, &error));
    size_t found = weir_value_count(list);
    weir_value_unref(list);
    return found;
}

static void import(const char *name) {
    weir_value *made;
    weir_error error = {0};
    if (!weir_import_image(&images, layout, name, &made, &error)) fail_msg("%s", error.message);
    const weir_value *one = weir_array_at(weir_member_named(made, "images"), 0);
    assert_int_equal(weir_member_count(one, "layers"), 1);
    assert_true(weir_member_count(one, "unpacked_size") >= 3000000);
    weir_value_unref(made);
}

static void test_from_file_to_file(void **state) {
    (void)state;
    weir_value *shown, *pruned;
    weir_error error;
    assert_int_equal(count(), 0);
    import("a/b:1");
    import("a/c:1");
    assert_int_equal(count(), 2);
    assert_true(weir_show_image(&images, "a/b:1", &shown, &error));
    assert_string_equal(weir_member_text(shown, "name").data, "docker.io/a/b:1");
    weir_value_unref(shown);
    assert_true(weir_export_image(&images, "a/b:1", file, &error));
    assert_true(weir_remove_image(&images, "a/b:1", &error));
    assert_false(weir_show_image(&images, "a/b:1", &shown, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_true(weir_prune_images(&images, 0, 0, &pruned, &error));
    assert_int_equal(weir_value_count(weir_member_named(pruned, "removed")), 1);
    weir_value_unref(pruned);
    assert_int_equal(count(), 0);
    assert_true(weir_import_image(&images, file, NULL, &shown, &error));
    weir_value_unref(shown);
    assert_true(weir_prune_images(&images, UINT64_MAX, 0, &pruned, &error));
    assert_int_equal(weir_value_count(weir_member_named(pruned, "removed")), 0);
    weir_value_unref(pruned);
    assert_int_equal(count(), 1);
}

/* What is here needs no registry; what is not, and may not be fetched, is an error. */
static void test_nothing_is_fetched_for_never(void **state) {
    (void)state;
    weir_value *image;
    weir_error error;
    import("a/b:1");
    images.pull = "never";
    assert_true(weir_pull_image(&images, "a/b:1", &image, &error));
    assert_null(weir_member_named(image, "manifest"));
    assert_int_equal(weir_member_count(image, "layers"), 1);
    weir_value_unref(image);
    assert_false(weir_pull_image(&images, "a/c:1", &image, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    images.pull = "sometimes";
    assert_false(weir_pull_image(&images, "a/b:1", &image, &error));
    assert_int_equal(error.code, WEIR_USAGE);
    images.pull = NULL;
    assert_false(weir_pull_image(&images, "A:B:C", &image, &error));
    assert_int_equal(error.code, WEIR_INVALID);
}

typedef struct watching {
    uint32_t asked, told;
    bool ends;
} watching;

static bool goes_on(void *arg) {
    watching *w = arg;
    w->asked++;
    return !w->ends;
}

static void tell(void *arg, const char *what, uint64_t done, uint64_t total, uint32_t parts,
                 uint32_t parts_total) {
    watching *w = arg;
    w->told++;
    assert_non_null(what);
    assert_true(!total || done <= total);
    assert_true(parts <= parts_total || !parts_total);
}

static void test_it_is_watched_and_ended(void **state) {
    (void)state;
    weir_value *made;
    weir_error error;
    watching w = {0};
    images.progress = tell;
    images.goes_on = goes_on;
    images.arg = &w;
    import("a/b:1");
    assert_true(w.asked && w.told);
    w.ends = true;
    assert_false(weir_import_image(&images, layout, "a/c:1", &made, &error));
    assert_int_equal(error.code, WEIR_CANCELLED);
    assert_false(weir_export_image(&images, "a/b:1", file, &error));
    assert_int_equal(error.code, WEIR_CANCELLED);
    assert_string_equal(shell("ls out.tar* | wc -l | tr -d '\\n'; true"),
                        "ls: cannot access 'out.tar*': No such file or directory\n0");
    assert_int_equal(count(), 1);
}

static const char *state_of(const weir_value *list, size_t at) {
    return weir_member_text(weir_array_at(list, at), "state").data;
}

static void test_the_place_is_examined(void **state) {
    (void)state;
    weir_value *found = weir_examine_images(&images);
    assert_int_equal(weir_value_count(found), 3); /* what is there, room, whether steps can run */
    assert_string_equal(state_of(found, 0), "ok");
    weir_value_unref(found);
    import("a/b:1");
    found = weir_examine_images(&images);
    assert_non_null(
        strstr(weir_member_text(weir_array_at(found, 0), "message").data, ": 1 image of 3.0 MB"));
    weir_value_unref(found);
    images.folder = layout; /* a file is there */
    found = weir_examine_images(&images);
    assert_string_equal(state_of(found, 1), "problem");
    weir_value_unref(found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_file_to_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_fetched_for_never, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_watched_and_ended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_place_is_examined, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
