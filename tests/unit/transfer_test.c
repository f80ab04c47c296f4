/* Images from files, and as files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image_files.h"

static const char *in_folder(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void begin_again(void) {
    weir_image_store_free(store);
    store = weir_image_store_new(in_folder("other"));
}

static weir_error import_error;

/* The names, with a blank before each; NULL: import_error says why. */
static const char *import_as(const char *file, const char *name) {
    static char names[1024];
    weir_image_name wanted;
    weir_value *list;
    if (name) wanted = named(name);
    if (!weir_image_import(store, in_folder(file), name ? &wanted : NULL, NULL, &list,
                           &import_error))
        return NULL;
    *names = '\0';
    for (size_t i = 0; i < weir_value_count(list); i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
                 weir_string_get(weir_array_at(list, i)).data);
    weir_value_unref(list);
    return names;
}

static void import(const char *file, const char *name, const char *names) {
    const char *got = import_as(file, name);
    if (!got) fail_msg("%s: %s (%s)", file, import_error.message, import_error.hint);
    assert_string_equal(got, names);
}

static void refuse(const char *file, const char *name, weir_code code, const char *why) {
    import_error = (weir_error){0};
    if (import_as(file, name)) fail_msg("%s was imported", file);
    if (import_error.code != code || !strstr(import_error.message, why))
        fail_msg("%s: %s, not %s", file, import_error.message, why);
}

static void export_as(const char *name, const char *file) {
    weir_image_name wanted = named(name);
    weir_error error;
    check(weir_image_export(store, &wanted, in_folder(file), NULL, &error), &error);
}

static void check_motd(const char *name, const char *text) {
    weir_image *image;
    assert_int_equal(find(name, &image), WEIR_OK);
    assert_string_equal(read_layer(image, image->layer_count - 1, "etc/motd"), text);
    weir_image_free(image);
}

static void test_what_is_exported_can_be_imported(void **state) {
    weir_image *image;
    (void)state;
    made m = put_named("quay.io/a/b:c", "hello");
    export_as("quay.io/a/b:c", "a.tar");
    assert_string_equal(shell("tar tf a.tar | grep -v blobs; tar tf a.tar | grep -c blobs; ls -A"),
                        "oci-layout\nindex.json\nmanifest.json\n3\na.tar\nimages\n");
    begin_again();
    import("a.tar", NULL, " quay.io/a/b:c");
    check_motd("quay.io/a/b:c", "hello");
    assert_int_equal(find("quay.io/a/b:c", &image), WEIR_OK);
    assert_string_equal(image->digest, m.manifest);
    weir_image_free(image);
    import("a.tar", NULL, " quay.io/a/b:c"); /* again */
    shell("gzip -k a.tar; mkdir layout; tar -C layout -xf a.tar");
    import("a.tar.gz", "x:1", " docker.io/library/x:1");
    begin_again();
    import("layout", "y", " docker.io/library/y:latest");
    check_motd("y", "hello");
    shell("rm layout/manifest.json layout/oci-layout; sed -i 's/\"io.containerd[^,]*,//' "
          "layout/index.json");
    refuse("layout", NULL, WEIR_INVALID, "what the image is called");
}

static void test_exporting_leaves_nothing_half(void **state) {
    weir_image_name name = named("a");
    weir_error error = {0};
    (void)state;
    assert_false(weir_image_export(store, &name, in_folder("a.tar"), NULL, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    put_named("a", "hello");
    assert_false(weir_image_export(store, &name, in_folder("none/a.tar"), NULL, &error));
    assert_int_equal(error.code, WEIR_IO);
    shell("mkfifo pipe; cat pipe >b.tar 2>/dev/null &");
    export_as("a", "pipe");
    assert_string_equal(shell("sleep 0.2; ls -A; tar tf b.tar | wc -l"),
                        "b.tar\nimages\npipe\n6\n");
}

/* Of docker before 25: layers have names of their own, and one that is there twice is a link. */
static void test_imports_what_docker_saved(void **state) {
    weir_image *image;
    (void)state;
    shell(
        "Z=$(printf %064d 0); mkdir -p s/$Z s/2 s/3 r/etc\n"
        "echo -n low >r/etc/motd; tar -C r -cf s/$Z/layer.tar .\n"
        "echo -n high >r/etc/motd; tar -C r -cf s/2/layer.tar .\n"
        "cd s; ln -s ../$Z/layer.tar 3/layer.tar\n"
        "id() { sha256sum <$1 | cut -c1-64; }\n"
        "A=sha256:$(id $Z/layer.tar) B=sha256:$(id 2/layer.tar)\n"
        "printf '{\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"%s\",\"%s\",\"%s\"]}}' $A $B $A >c\n"
        "C=$(id c).json; mv c $C\n"
        "printf "
        "'[{\"Config\":\"%s\",\"RepoTags\":[\"a:1\",\"b/c:2\"],\"Layers\":[\"%s/layer.tar\",\"2/"
        "layer.tar\",\"3/layer.tar\"]}]' $C $Z >manifest.json\n"
        "echo '{}' >repositories; tar -cf ../s.tar $Z 2 3 *.json repositories");
    import("s.tar", NULL, " docker.io/library/a:1 docker.io/b/c:2");
    assert_int_equal(find("b/c:2", &image), WEIR_OK);
    assert_int_equal(image->layer_count, 3);
    assert_string_equal(image->layers[0], image->layers[2]);
    assert_string_equal(read_layer(image, 1, "etc/motd"), "high");
    weir_image_free(image);
    import("s.tar", "x", " docker.io/library/x:latest");
    shell("cd s; sed -i s/2.layer/4.layer/ manifest.json; tar -cf ../s.tar $(printf %064d 0) 3 "
          "*.json");
    refuse("s.tar", NULL, WEIR_INVALID, "a layer that its manifest.json names is missing");
    shell("cd s; rm ????????????*.json; tar -cf ../s.tar $(printf %064d 0) 3 *.json");
    refuse("s.tar", NULL, WEIR_INVALID, "configuration that its manifest.json names is missing");
}

static void test_imports_a_root_file_system(void **state) {
    static const struct {
        const char *command, *media_type;
    } forms[] = {{"cat", "layer.v1.tar"},
                 {"gzip", "layer.v1.tar+gzip"},
                 {"zstd", "layer.v1.tar+zstd"},
                 {"xz", "layer.v1.tar"},
                 {"bzip2", "layer.v1.tar"}};
    (void)state;
    shell("mkdir -p r/etc r/bin; echo -n root >r/etc/motd; tar -C r -cf r.tar .");
    refuse("r.tar", NULL, WEIR_INVALID, "what the image is called");
    assert_non_null(strstr(import_error.hint, "weir image import"));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char line[64];
        weir_value *shown;
        weir_error error;
        weir_image_name name = named("r");
        snprintf(line, sizeof line, "%s <r.tar >r.x", forms[i].command);
        shell(line);
        import("r.x", "r", " docker.io/library/r:latest");
        check_motd("r", "root");
        check(weir_image_show(store, &name, &shown, &error), &error);
        const weir_value *layer = weir_array_at(weir_member_named(shown, "layers"), 0);
        if (!weir_str_ends(weir_member_text(layer, "media_type"),
                           weir_str_from(forms[i].media_type)))
            fail_msg("%s", forms[i].command);
        weir_value_unref(shown);
    }
    assert_string_equal(
        shell("ls images/layers | wc -l; ls -A images/new images/partial | grep -v :"), "2\n\n");
}

static void test_refuses_what_is_no_image(void **state) {
    (void)state;
    refuse("none", NULL, WEIR_NOT_FOUND, "there is no");
    shell(
        "echo hello >text; mkdir empty; : >nothing; mkfifo pipe; mkdir blobs; tar -cf b.tar blobs");
    refuse("text", "a", WEIR_INVALID, "no archive");
    refuse("empty", "a", WEIR_INVALID, "index.json");
    refuse("nothing", "a", WEIR_INVALID, "");
    refuse("pipe", "a", WEIR_INVALID, "neither a file nor a folder");
    refuse("b.tar", "a", WEIR_INVALID, "neither index.json nor manifest.json");
    put_named("a", "hello");
    export_as("a", "a.tar");
    shell("head -c 3000 a.tar >cut.tar; mkdir l; tar -C l -xf a.tar; cd l; for b in "
          "blobs/sha256/*; do echo x >>$b; done; tar -cf ../bad.tar *; cd ..; mkdir m; tar -C m "
          "-xf a.tar; rm $(ls -S m/blobs/sha256/* | tail -1); tar -C m -cf missing.tar .");
    begin_again();
    refuse("cut.tar", "a", WEIR_INVALID, "");
    refuse("bad.tar", "a", WEIR_INVALID, "what came as");
    refuse("l", "a", WEIR_INVALID, "what came as");
    refuse("m", "a", WEIR_INVALID, "a blob of it is missing");
    refuse("missing.tar", "a", WEIR_INVALID, "is missing in it");
    shell("cd l; echo '{}' >index.json");
    refuse("l", "a", WEIR_INVALID, "manifests");
    shell("cd l; echo '{\"manifests\": []}' >index.json");
    refuse("l", "a", WEIR_INVALID, "no image in it");
}

static bool counts(void *arg) {
    int *left = arg;
    return (*left)-- > 0;
}

static void note(void *arg, const weir_image_progress *now) {
    (void)arg;
    assert_true(now->bytes <= now->bytes_all);
    assert_true(strcmp(now->what, "importing") == 0 || strcmp(now->what, "unpacking") == 0);
}

static void test_importing_can_be_cancelled(void **state) {
    int left = 0;
    const weir_image_watch watch = {note, counts, &left};
    weir_image_name name = named("a");
    weir_value *list;
    weir_error error = {0};
    (void)state;
    shell("mkdir r; head -c 3000000 /dev/urandom >r/x; tar -C r -cf r.tar .");
    assert_false(weir_image_import(store, in_folder("r.tar"), &name, &watch, &list, &error));
    assert_int_equal(error.code, WEIR_CANCELLED);
    assert_string_equal(shell("find images -type f | sort"), "images/gate\n");
    left = 1000;
    check(weir_image_import(store, in_folder("r.tar"), &name, &watch, &list, &error), &error);
    weir_value_unref(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_exported_can_be_imported, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_exporting_leaves_nothing_half, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_imports_what_docker_saved, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_imports_a_root_file_system, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_no_image, set_up_store,
                                        tear_down_store),
        cmocka_unit_test_setup_teardown(test_importing_can_be_cancelled, set_up_store,
                                        tear_down_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
