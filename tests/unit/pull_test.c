/* When images are pulled, and what is said where nothing can be: no registry is there. Pulling itself is tested end to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/json.h"
#include "folder.h"
#include "image/pull.h"

#define NOBODY "127.0.0.1:1/tools/x:1" /* no connection is taken there */

static weir_image_store *store;
static weir_image_name name;

static int set_up(void **state) {
    char path[96];
    weir_error error;
    (void)state;
    if (make_folder() < 0) return -1;
    snprintf(path, sizeof path, "%s/images", folder);
    store = weir_image_store_new(path);
    return weir_image_name_read(WEIR_STR(NOBODY), &name, &error) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    weir_image_store_free(store);
    return remove_folder();
}

/* An image for linux/amd64 that has no layer; its manifest's digest. */
static const char *put_image(void) {
    static char manifest[72];
    weir_buffer config = {0}, text = {0};
    char digest[72] = "";
    weir_error error;
    weir_buffer_text(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},"
                              "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}");
    assert_true(weir__image_put(store, weir_buffer_str(&config), digest, &error));
    weir_buffer_printf(
        &text,
        "{\"schemaVersion\":2,\"mediaType\":\"application/"
        "vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":"
        "\"application/"
        "vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[]}",
        digest, config.length);
    *manifest = '\0';
    assert_true(weir__image_put(store, weir_buffer_str(&text), manifest, &error));
    assert_true(weir__image_name_it(store, &name, manifest, NULL, &error));
    weir_buffer_deinit(&config);
    weir_buffer_deinit(&text);
    return manifest;
}

static weir_code pull(weir_image_policy policy, const char *platform, weir_error *error) {
    weir_image *image = NULL;
    weir_image_pull_options options = {.policy = policy, .platform = platform};
    *error = (weir_error){0};
    bool ok = weir_image_pull(store, &name, &options, &image, error);
    assert_true(ok == (image != NULL) && ok == !error->code);
    weir_image_free(image);
    return error->code;
}

static void test_what_is_here_is_pulled_when_it_should_be(void **state) {
    (void)state;
    weir_error error;
    assert_int_equal(pull(WEIR_PULL_NEVER, NULL, &error), WEIR_NOT_FOUND);
    assert_non_null(strstr(error.message, "is not here"));
    assert_non_null(strstr(error.hint, "never"));
    assert_int_equal(pull(WEIR_PULL_MISSING, NULL, &error), WEIR_IO);
    const char *digest = put_image();
    assert_int_equal(pull(WEIR_PULL_NEVER, NULL, &error), WEIR_OK);
    assert_int_equal(pull(WEIR_PULL_MISSING, NULL, &error), WEIR_OK);
    assert_int_equal(pull(WEIR_PULL_ALWAYS, NULL, &error), WEIR_IO);
    *name.tag = '\0'; /* what a digest names never changes */
    snprintf(name.digest, sizeof name.digest, "%s", digest);
    assert_int_equal(pull(WEIR_PULL_ALWAYS, NULL, &error), WEIR_OK);
}

static void test_another_platform_is_another_image(void **state) {
    (void)state;
    weir_error error;
    put_image();
    assert_int_equal(pull(WEIR_PULL_NEVER, "linux/x86_64", &error), WEIR_OK);
    assert_int_equal(pull(WEIR_PULL_NEVER, "linux/s390x", &error), WEIR_NOT_FOUND);
    assert_non_null(strstr(error.message, "another platform than linux/s390x"));
    assert_int_equal(pull(WEIR_PULL_MISSING, "linux/s390x", &error), WEIR_IO);
    assert_int_equal(pull(WEIR_PULL_MISSING, "s390x", &error), WEIR_INVALID);
}

static void test_an_error_says_what_was_tried(void **state) {
    (void)state;
    weir_error error;
    weir_image *image;
    weir_value *registries;
    assert_true(weir_json_parse(
        WEIR_STR("{\"127.0.0.1:1\": {\"mirrors\": [\"127.0.0.1:2/hub\", 3, \"a b\"]}}"),
        WEIR_STR(""), &registries, &error));
    weir_image_pull_options options = {.registries = registries};
    assert_false(weir_image_pull(store, &name, &options, &image, &error));
    assert_string_equal(
        error.message, NOBODY
        " cannot be pulled: 127.0.0.1:2/hub: no connection: Connection refused; a b: 'a b' is "
        "no place of a registry; 127.0.0.1:1: no connection: Connection refused");
    weir_value_unref(registries);
}

static bool ends(void *arg) {
    (void)arg;
    return false;
}

static void test_who_is_told_to_end_ends(void **state) {
    (void)state;
    weir_error error;
    weir_image *image;
    weir_image_pull_options options = {.watch.goes_on = ends};
    assert_false(weir_image_pull(store, &name, &options, &image, &error));
    assert_int_equal(error.code, WEIR_CANCELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_here_is_pulled_when_it_should_be, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_another_platform_is_another_image, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_error_says_what_was_tried, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_is_told_to_end_ends, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
