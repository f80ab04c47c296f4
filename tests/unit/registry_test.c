/* What registries and files of credentials say: challenges, manifests, platforms, errors, and programs that are asked for secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "data/json.h"
#include "folder.h"
#include "image/manifest.h"
#include "image/name.h"
#include "image/registry.h"
#include "shell.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define CONFIG                                                                                     \
    "\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"           \
    "\"sha256:" HEX "\",\"size\":10}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":7}"
#define GZIP "application/vnd.oci.image.layer.v1.tar+gzip"

/* --- challenges ------------------------------------------------------------------------------- */

static weir__challenge challenge(const char *header) {
    weir__challenge out = {0};
    weir__challenge_read(weir_str_from(header), &out);
    return out;
}

static void test_a_challenge_says_where_tokens_are_given(void **state) {
    (void)state;
    weir__challenge c =
        challenge("Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
                  "scope=\"repository:library/busybox:pull,push\",error=\"invalid_token\"");
    assert_true(c.bearer);
    assert_false(c.basic);
    assert_string_equal(c.realm, "https://auth.docker.io/token");
    assert_string_equal(c.service, "registry.docker.io");
    assert_string_equal(c.scope, "repository:library/busybox:pull,push");
}

static void test_challenges_come_in_many_forms(void **state) {
    (void)state;
    weir__challenge c =
        challenge("  basic Realm=\"a, \\\"b\\\"\" , BEARER\trealm = here , service=\"s\"");
    assert_true(c.basic && c.bearer);
    assert_string_equal(c.realm, "here");
    assert_string_equal(c.service, "s");
    c = challenge("Negotiate YWJj==, Basic");
    assert_true(c.basic && !c.bearer);
    c = challenge("Bearer realm=\"one\", Bearer realm=\"two\""); /* the first counts */
    assert_string_equal(c.realm, "one");
    c = challenge("Basic realm=\"x\"");
    weir__challenge_read(WEIR_STR("Bearer realm=\"https://t/\""), &c); /* a header of its own */
    assert_true(c.basic && c.bearer);
    assert_string_equal(c.realm, "https://t/");
}

static void test_what_is_no_challenge_says_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "=",
                                      ",,,",
                                      "realm=\"x\"",
                                      "Bearer realm=\"unfinished",
                                      "\"quoted\" x",
                                      "Bearer realm=\"a\nb\"",
                                      "Bearer realm"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weir__challenge c = challenge(bad[i]);
        assert_true(!*c.realm || strcmp(c.realm, "unfinished") == 0);
    }
    weir_buffer text = {0}; /* half a place would be another place */
    weir_buffer_text(&text, "Bearer realm=\"https://");
    for (int i = 0; i < 2000; i++) weir_buffer_byte(&text, 'a');
    weir_buffer_text(&text, "\",service=\"s\"");
    weir__challenge c = challenge(text.data);
    assert_string_equal(c.realm, "");
    assert_string_equal(c.service, "s");
    weir_buffer_deinit(&text);
}

/* --- manifests -------------------------------------------------------------------------------- */

static weir_code read_manifest(const char *text, const char *type, weir__manifest *out,
                               weir_error *error) {
    *error = (weir_error){0};
    return weir__manifest_read(weir_str_from(text), weir_str_from(type), out, error) ? WEIR_OK
                                                                                     : error->code;
}

static void test_a_manifest_tells_of_its_layers(void **state) {
    (void)state;
    weir__manifest m;
    weir_error error;
    assert_int_equal(read_manifest("{\"schemaVersion\":2," CONFIG
                                   ",\"layers\":[" LAYER(GZIP) "," LAYER(
                                       "application/vnd.docker.image.rootfs.diff.tar.gzip") "]}",
                                   "", &m, &error),
                     WEIR_OK);
    assert_false(m.is_index);
    assert_int_equal(m.layers.count, 2);
    assert_string_equal(m.layers.items[0].digest, "sha256:" HEX);
    assert_int_equal(m.layers.items[0].size, 7);
    assert_int_equal(m.config.size, 10);
    weir__manifest_deinit(&m);
}

static void test_manifests_that_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *type;
        weir_code code;
        const char *says;
    } cases[] = {
        {"[]", "", WEIR_INVALID, "no object"},
        {"{", "", WEIR_INVALID, ""},
        {"{}", "", WEIR_INVALID, "no known version"},
        {"{\"schemaVersion\":1,\"fsLayers\":[]}", "", WEIR_UNSUPPORTED, "schema 1"},
        {"{\"schemaVersion\":2}", "application/vnd.docker.distribution.manifest.v1+prettyjws",
         WEIR_UNSUPPORTED, "schema 1"},
        {"{\"schemaVersion\":2,\"manifests\":{}}", "", WEIR_INVALID, "list"},
        {"{\"schemaVersion\":2,\"manifests\":[],\"layers\":[]}", "", WEIR_INVALID, "at once"},
        {"{\"schemaVersion\":2,\"layers\":[]}", "", WEIR_INVALID, "configuration has no digest"},
        {"{\"schemaVersion\":2," CONFIG "}", "", WEIR_INVALID, "no list of layers"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{}]}", "", WEIR_INVALID,
         "layer 1 has no digest"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX
         "\",\"size\":-1,\"mediaType\":\"" GZIP "\"}]}",
         "", WEIR_INVALID, "size"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX
         "\",\"size\":1e3,\"mediaType\":\"" GZIP "\"}]}",
         "", WEIR_INVALID, "size"},
        {"{\"schemaVersion\":2," CONFIG
         ",\"layers\":[{\"digest\":\"sha256:../../etc/passwd\",\"size\":1}]}",
         "", WEIR_INVALID, "digest"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[" LAYER(GZIP "+encrypted") "]}", "",
         WEIR_UNSUPPORTED, "+encrypted"},
        {"{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"sha256:" HEX
         "\",\"size\":9000000000000000,\"mediaType\":\"" GZIP "\"}]}",
         "", WEIR_LIMIT, "may have"},
        {"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/"
         "vnd.cncf.helm.config.v1+json\",\"digest\":\"sha256:" HEX "\",\"size\":1},\"layers\":[]}",
         "", WEIR_UNSUPPORTED, "helm"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir__manifest m;
        weir_error error;
        assert_int_equal(read_manifest(cases[i].text, cases[i].type, &m, &error), cases[i].code);
        assert_non_null(strstr(error.message, cases[i].says));
    }
}

static void test_a_digest_is_sha256(void **state) {
    (void)state;
    assert_true(weir_image_digest_ok(WEIR_STR("sha256:" HEX)));
    assert_false(weir_image_digest_ok(WEIR_STR("sha256:" HEX "0")));
    assert_false(weir_image_digest_ok(WEIR_STR("sha512:" HEX)));
    assert_false(weir_image_digest_ok(WEIR_STR("")));
    assert_false(weir_image_digest_ok(
        WEIR_STR("sha256:0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef")));
}

/* --- platforms -------------------------------------------------------------------------------- */

static const char *normal(const char *text) {
    static char out[WEIR__PLATFORM_MAX];
    weir_error error;
    return weir__platform_read(weir_str_from(text), out, &error) ? out : "";
}

static void test_platforms_have_names_of_go(void **state) {
    (void)state;
    assert_string_equal(normal("linux/amd64"), "linux/amd64");
    assert_string_equal(normal("linux/x86_64"), "linux/amd64");
    assert_string_equal(normal("linux/amd64/v3"), "linux/amd64/v3");
    assert_string_equal(normal("linux/aarch64"), "linux/arm64/v8");
    assert_string_equal(normal("linux/arm"), "linux/arm/v7");
    assert_string_equal(normal("linux/arm/6"), "linux/arm/v6");
    assert_string_equal(normal("linux/armhf"), "linux/arm/v7");
    assert_string_equal(normal("linux/i686"), "linux/386");
    assert_string_equal(normal("linux/riscv64"), "linux/riscv64");
    static const char *const bad[] = {"",
                                      "linux",
                                      "linux/",
                                      "/amd64",
                                      "linux/amd64/",
                                      "linux/amd64/vx",
                                      "linux/amd64/v",
                                      "linux/amd64/v1000",
                                      "Linux/amd64",
                                      "linux/amd64/v1/v2",
                                      "linux/a b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_string_equal(normal(bad[i]), "");
    char machine[WEIR__PLATFORM_MAX];
    weir__platform_of_machine(machine);
    assert_string_equal(normal(machine), machine);
}

/* The variant, or what the size is of: each entry has its place as its size. -1: none. */
static int chosen(const char *platforms, const char *wanted, weir_error *error) {
    weir_value *entries = weir_array_new(), *list;
    weir__described out;
    *error = (weir_error){0};
    assert_true(weir_json_parse(weir_str_from(platforms), WEIR_STR(""), &list, error));
    for (size_t i = 0; i < weir_value_count(list); i++) {
        weir_value *entry;
        assert_true(weir_json_parse(WEIR_STR(LAYER("application/vnd.oci.image.manifest.v1+json")),
                                    WEIR_STR(""), &entry, error));
        weir_member_put(entry, "size", weir_int_new((int64_t)i));
        if (weir_is(weir_array_at(list, i), WEIR_OBJECT))
            weir_member_put(entry, "platform", weir_value_ref(weir_array_at(list, i)));
        weir_array_append(entries, entry);
    }
    bool ok = weir__platform_choose(entries, wanted, &out, error);
    weir_value_unref(entries);
    weir_value_unref(list);
    return ok ? (int)out.size : -1;
}

#define ON(architecture) "{\"os\":\"linux\",\"architecture\":\"" architecture "\"}"
#define ON_VARIANT(architecture, variant)                                                          \
    "{\"os\":\"linux\",\"architecture\":\"" architecture "\",\"variant\":\"" variant "\"}"

static void test_the_nearest_variant_is_chosen(void **state) {
    (void)state;
    weir_error error;
    const char *arms = "[" ON_VARIANT("arm", "v5") "," ON_VARIANT("arm", "v7") "," ON_VARIANT(
        "arm", "v6") "," ON_VARIANT("arm64", "v8") "," ON("amd64") "," ON_VARIANT("amd64",
                                                                                  "v3") "]";
    assert_int_equal(chosen(arms, "linux/arm/v7", &error), 1);
    assert_int_equal(chosen(arms, "linux/arm/v6", &error), 2);
    assert_int_equal(chosen(arms, "linux/arm/v5", &error), 0);
    assert_int_equal(chosen(arms, "linux/arm/v8", &error), 1);
    assert_int_equal(chosen(arms, "linux/arm64/v8", &error), 3);
    assert_int_equal(chosen(arms, "linux/amd64", &error), 4);
    assert_int_equal(chosen(arms, "linux/amd64/v4", &error), 5);
    assert_int_equal(chosen(arms, "linux/amd64/v2", &error), 4);
    assert_int_equal(chosen("[" ON("arm64") "]", "linux/arm64/v8", &error), 0);
    assert_int_equal(chosen("[" ON("amd64") "," ON("amd64") "]", "linux/amd64", &error), 0);
    assert_int_equal(chosen("[0]", "linux/amd64", &error), 0); /* one that says nothing */
    assert_int_equal(chosen("[0, 0]", "linux/amd64", &error), -1);
    assert_int_equal(chosen(arms, "linux/s390x", &error), -1);
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_non_null(strstr(error.message, "linux/s390x"));
    assert_string_equal(error.hint, "there are linux/arm/v5, linux/arm/v7, linux/arm/v6, "
                                    "linux/arm64/v8, linux/amd64, linux/amd64/v3");
    assert_int_equal(
        chosen("[" ON_VARIANT("unknown", "") ",{\"os\":\"unknown\",\"architecture\":\"unknown\"}]",
               "linux/amd64", &error),
        -1);
}

static weir_code check_config(const char *text, size_t layers, weir_error *error) {
    weir_value *config;
    *error = (weir_error){0};
    assert_true(weir_json_parse(weir_str_from(text), WEIR_STR(""), &config, error));
    bool ok = weir__config_check(config, "linux/amd64", layers, error);
    weir_value_unref(config);
    return ok ? WEIR_OK : error->code;
}

static void test_a_configuration_fits_its_manifest(void **state) {
    (void)state;
    weir_error error;
    assert_int_equal(
        check_config(
            "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"diff_ids\":[\"sha256:" HEX
            "\"]}}",
            1, &error),
        WEIR_OK);
    assert_int_equal(check_config("{\"rootfs\":{\"diff_ids\":[\"sha256:" HEX "\"]}}", 1, &error),
                     WEIR_OK);
    assert_int_equal(check_config("{\"rootfs\":{\"diff_ids\":[\"sha256:" HEX "\"]}}", 2, &error),
                     WEIR_INVALID);
    assert_int_equal(check_config("{\"rootfs\":{\"diff_ids\":[\"../x\"]}}", 1, &error),
                     WEIR_INVALID);
    assert_int_equal(check_config("{\"rootfs\":{\"diff_ids\":[1]}}", 1, &error), WEIR_INVALID);
    assert_int_equal(check_config("{}", 1, &error), WEIR_INVALID);
    assert_int_equal(check_config("{}", 0, &error), WEIR_OK);
    assert_int_equal(check_config("{\"os\":\"linux\",\"architecture\":\"arm64\"}", 0, &error),
                     WEIR_NOT_FOUND);
    assert_non_null(strstr(error.message, "linux/arm64/v8"));
}

/* --- what registries say ---------------------------------------------------------------------- */

static void test_an_answer_is_said_in_one_line(void **state) {
    (void)state;
    char out[160];
    weir__registry_saying(WEIR_STR("{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":"
                                   "\"manifest unknown\"},{\"code\":\"X\"}]}"),
                          out);
    assert_string_equal(out, "MANIFEST_UNKNOWN: manifest unknown");
    weir__registry_saying(WEIR_STR("{\"details\":\"incorrect username\"}"), out);
    assert_string_equal(out, "incorrect username");
    weir__registry_saying(WEIR_STR("{\"errors\":[{\"message\":\"a\\u001b[31m\\nb\"}]}"), out);
    assert_string_equal(out, "a?[31m?b");
    weir__registry_saying(WEIR_STR("<html>"), out);
    assert_string_equal(out, "");
    weir__registry_saying(WEIR_STR("{\"errors\":[1]}"), out);
    assert_string_equal(out, "");
}

static void test_places_of_registries(void **state) {
    (void)state;
    weir__registry r;
    weir_error error;
    assert_true(weir__registry_open("docker.io", "library/busybox", false, NULL, NULL, &r, &error));
    assert_string_equal(r.host, "registry-1.docker.io");
    assert_string_equal(r.repository, "library/busybox");
    assert_false(r.loopback);
    weir__registry_close(&r);
    assert_true(weir__registry_open("mirror.example:5000/hub/", "library/busybox", true, NULL, NULL,
                                    &r, &error));
    assert_string_equal(r.host, "mirror.example:5000");
    assert_string_equal(r.repository, "hub/library/busybox");
    weir__registry_close(&r);
    static const char *const near[] = {"127.0.0.1:5000", "localhost", "localhost:5000",
                                       "[::1]:5000", "127.1.2.3"};
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) {
        assert_true(weir__registry_open(near[i], "x", false, NULL, NULL, &r, &error));
        assert_true(r.loopback);
        weir__registry_close(&r);
    }
    static const char *const far[] = {"127.0.0.1.example.com", "localhost.example.com:80",
                                      "10.0.0.1"};
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        assert_true(weir__registry_open(far[i], "x", false, NULL, NULL, &r, &error));
        assert_false(r.loopback);
        weir__registry_close(&r);
    }
    assert_false(weir__registry_open("user@host", "x", false, NULL, NULL, &r, &error));
    assert_false(weir__registry_open("", "x", false, NULL, NULL, &r, &error));
    assert_false(weir__registry_open("host?x=", "x", false, NULL, NULL, &r, &error));
}

/* --- credentials ------------------------------------------------------------------------------ */

static void test_base64_is_read_and_written(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xff\xfe\xfd?", "//79Pw=="}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        weir_buffer read = {0}, written = {0};
        assert_true(weir_base64_read(weir_str_from(pairs[i][1]), &read));
        assert_true(weir_str_is(weir_buffer_str(&read), pairs[i][0]));
        weir_base64_append(weir_str_from(pairs[i][0]), &written);
        assert_true(weir_str_is(weir_buffer_str(&written), pairs[i][1]));
        weir_buffer_deinit(&read);
        weir_buffer_deinit(&written);
    }
    weir_buffer out = {0};
    assert_false(weir_base64_read(WEIR_STR("Zg=x"), &out));
    assert_false(weir_base64_read(WEIR_STR("Z"), &out));
    assert_false(weir_base64_read(WEIR_STR("Z\n\ng"), &out));
    weir_buffer_deinit(&out);
}

/* "user:password", "identity TOKEN", "ask HELPER" or "". */
static const char *known(const char *file, const char *registry, const char *repository) {
    static char out[256];
    weir__credentials c = {0};
    char helper[WEIR__HELPER_MAX];
    weir_value *value;
    weir_error error;
    assert_true(weir_json_parse(weir_str_from(file), WEIR_STR(""), &value, &error));
    bool found = weir__credentials_read(value, registry, repository, &c, helper);
    if (!found)
        *out = '\0';
    else if (*helper)
        snprintf(out, sizeof out, "ask %s", helper);
    else if (c.identity)
        snprintf(out, sizeof out, "identity %s", c.identity);
    else
        snprintf(out, sizeof out, "%s:%s", c.user, c.password);
    weir__credentials_deinit(&c);
    weir_value_unref(value);
    return out;
}

static void test_files_of_credentials(void **state) {
    (void)state;
    const char *file =
        "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"aHViOnNlY3JldA==\"},"
        "\"ghcr.io\":{\"username\":\"me\",\"password\":\"pass:word\"},"
        "\"ghcr.io/team\":{\"auth\":\"dGVhbTp0\"},\"ghcr.io/team/deep\":{\"auth\":\"ZGVlcDpk\"},"
        "\"https://plain.example/v2/\":{\"identitytoken\":\"tok\",\"auth\":\"PHRva2VuPjo=\"},"
        "\"empty.example\":{},\"wrong.example\":{\"auth\":\"***\"},\"host.example:5000\":{\"auth\":"
        "\"YTpi\"}}}";
    assert_string_equal(known(file, "docker.io", "library/busybox"), "hub:secret");
    assert_string_equal(known(file, "ghcr.io", "other/x"), "me:pass:word");
    assert_string_equal(known(file, "ghcr.io", "team/x"), "team:t");
    assert_string_equal(known(file, "ghcr.io", "team/deep"), "deep:d");
    assert_string_equal(known(file, "ghcr.io", "teamster/x"), "me:pass:word");
    assert_string_equal(known(file, "plain.example", "x"), "identity tok");
    assert_string_equal(known(file, "host.example:5000", "x"), "a:b");
    assert_string_equal(known(file, "host.example", "x"), "");
    assert_string_equal(known(file, "empty.example", "x"), "");
    assert_string_equal(known(file, "wrong.example", "x"), "");
    assert_string_equal(
        known("{\"auths\":[1],\"credHelpers\":3,\"credsStore\":{}}", "ghcr.io", "x"), "");
    assert_string_equal(known("[]", "ghcr.io", "x"), "");
}

static void test_programs_that_files_name(void **state) {
    (void)state;
    assert_string_equal(
        known("{\"credsStore\":\"pass\",\"auths\":{\"ghcr.io\":{}}}", "ghcr.io", "x"), "ask pass");
    assert_string_equal(
        known("{\"credsStore\":\"pass\",\"credHelpers\":{\"ghcr.io\":\"gh\"}}", "ghcr.io", "x"),
        "ask gh");
    assert_string_equal(
        known("{\"credsStore\":\"pass\",\"auths\":{\"ghcr.io\":{\"auth\":\"YTpi\"}}}", "ghcr.io",
              "x"),
        "a:b");
    static const char *const bad[] = {"../../bin/sh", "a/b", "", "a b", "a;b", ".."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char file[128];
        snprintf(file, sizeof file, "{\"credsStore\":\"%s\"}", bad[i]);
        assert_string_equal(known(file, "ghcr.io", "x"), "");
    }
}

static void write_text(const char *name, const char *text, mode_t mode) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static char old_path[4096];

static int set_up(void **state) {
    char path[4352];
    (void)state;
    if (make_folder() < 0) return -1;
    snprintf(old_path, sizeof old_path, "%s", getenv("PATH"));
    snprintf(path, sizeof path, "%s:%s", folder, old_path);
    setenv("PATH", path, 1);
    setenv("DOCKER_CONFIG", folder, 1);
    unsetenv("REGISTRY_AUTH_FILE");
    unsetenv("XDG_RUNTIME_DIR");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    setenv("PATH", old_path, 1);
    unsetenv("DOCKER_CONFIG");
    return remove_folder();
}

static void test_a_helper_is_asked(void **state) {
    (void)state;
    weir__credentials c;
    write_text("config.json", "{\"credsStore\":\"test\"}", 0600);
    write_text("docker-credential-test",
               "#!/bin/sh\nread host\n[ \"$1\" = get ] || exit 9\n"
               "case $host in https://index.docker.io/v1/) echo "
               "'{\"Username\":\"hub\",\"Secret\":\"s\"}' ;;\n"
               "token.example) echo '{\"Username\":\"<token>\",\"Secret\":\"id\"}' ;;\n"
               "broken.example) echo 'no JSON' ;; failing.example) echo 'my s3cr3t'; exit 1 ;;\n"
               "*) echo 'credentials not found in native keychain'; exit 1 ;; esac\n",
               0700);
    assert_true(weir__credentials_find("docker.io", "library/x", NULL, NULL, &c));
    assert_string_equal(c.user, "hub");
    assert_string_equal(c.password, "s");
    weir__credentials_deinit(&c);
    assert_true(weir__credentials_find("token.example", "x", NULL, NULL, &c));
    assert_string_equal(c.identity, "id");
    assert_null(c.user);
    weir__credentials_deinit(&c);
    assert_false(weir__credentials_find("other.example", "x", NULL, NULL, &c));
    assert_string_equal(c.note, "");
    weir__credentials_deinit(&c);
    assert_false(weir__credentials_find("broken.example", "x", NULL, NULL, &c));
    assert_string_equal(c.note, "docker-credential-test gave no name and secret");
    weir__credentials_deinit(&c);
    assert_false(weir__credentials_find("failing.example", "x", NULL, NULL, &c));
    assert_string_equal(c.note, "docker-credential-test failed"); /* and not what it said */
    weir__credentials_deinit(&c);
}

static bool goes_on_for_a_moment(void *arg) {
    return --*(int *)arg > 0;
}

static void test_a_helper_that_does_not_behave_is_ended(void **state) {
    (void)state;
    weir__credentials c;
    int left = 5;
    write_text("config.json",
               "{\"credHelpers\":{\"a.example\":\"sleeps\",\"b.example\":\"floods\",\"c.example\":"
               "\"missing\"}}",
               0600);
    write_text("docker-credential-sleeps", "#!/bin/sh\nsleep 100\n", 0700);
    write_text("docker-credential-floods", "#!/bin/sh\nexec cat /dev/zero\n", 0700);
    assert_false(weir__credentials_find("a.example", "x", goes_on_for_a_moment, &left, &c));
    assert_string_equal(c.note, "docker-credential-sleeps was told to end");
    weir__credentials_deinit(&c);
    assert_false(weir__credentials_find("b.example", "x", NULL, NULL, &c));
    assert_string_equal(c.note, "docker-credential-floods answers more than it may");
    weir__credentials_deinit(&c);
    assert_false(weir__credentials_find("c.example", "x", NULL, NULL, &c));
    assert_string_equal(c.note, "docker-credential-missing is not installed");
    weir__credentials_deinit(&c);
}

static void test_the_first_file_that_knows_counts(void **state) {
    (void)state;
    weir__credentials c;
    char path[256];
    snprintf(path, sizeof path, "%s/auth.json", folder);
    write_text("auth.json", "{\"auths\":{\"ghcr.io\":{\"auth\":\"YTpi\"}}}", 0600);
    write_text("config.json",
               "{\"auths\":{\"ghcr.io\":{\"auth\":\"Yzpk\"},\"quay.io\":{\"auth\":\"ZTpm\"}}}",
               0600);
    setenv("REGISTRY_AUTH_FILE", path, 1);
    assert_true(weir__credentials_find("ghcr.io", "x", NULL, NULL, &c));
    assert_string_equal(c.password, "b");
    assert_string_equal(c.searched, path);
    weir__credentials_deinit(&c);
    assert_true(weir__credentials_find("quay.io", "x", NULL, NULL, &c));
    assert_string_equal(c.password, "f");
    weir__credentials_deinit(&c);
    unsetenv("REGISTRY_AUTH_FILE");
    write_text("config.json", "{\"auths\": s3cr3t", 0600);
    assert_false(weir__credentials_find("quay.io", "x", NULL, NULL, &c));
    assert_non_null(strstr(c.note, "config.json is not readable as JSON"));
    assert_null(strstr(c.note, "s3cr3t"));
    weir__credentials_deinit(&c);
}

static void test_secrets_are_masked(void **state) {
    (void)state;
    weir__credentials c = {.password = weir_str_dup(WEIR_STR("hunter2")),
                           .identity = weir_str_dup(WEIR_STR("abcdef"))};
    char text[] = "hunter2 and abcdef and hunter2";
    weir__credentials_mask(&c, text);
    assert_string_equal(text, "******* and ****** and *******");
    weir__credentials_deinit(&c);
}

static void test_certificates_of_a_folder(void **state) {
    weir__certificates found;
    weir_error error;
    char path[96];
    bool there;
    (void)state;
    assert_int_equal(make_folder(), 0);
    snprintf(path, sizeof path, "%s/none", folder);
    assert_true(weir__certificates_read(path, &there, &found, &error));
    assert_false(there);
    assert_true(weir__certificates_read(folder, &there, &found, &error));
    assert_true(there && !found.authorities.length && !found.certificate.length);
    shell(
        "printf one >a.crt; echo two >b.crt; echo none >c.pem; echo ours >x.cert; echo key >x.key;"
        "echo other >y.cert; echo key >y.key");
    assert_true(weir__certificates_read(folder, &there, &found, &error));
    assert_string_equal(found.authorities.data, "one\ntwo\n\n");
    assert_string_equal(found.certificate.data, "ours\n\n");
    assert_string_equal(found.key.data, "key\n\n");
    weir__certificates_deinit(&found);
    shell("rm y.cert");
    assert_false(weir__certificates_read(folder, &there, &found, &error));
    assert_int_equal(error.code, WEIR_INVALID);
    assert_non_null(strstr(error.message, "y.key"));
    shell("rm y.key; head -c 1100000 /dev/zero >big.crt");
    assert_false(weir__certificates_read(folder, &there, &found, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_int_equal(remove_folder(), 0);
    assert_true(weir__certificates_find("..", &found, &error) && !found.authorities.length);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificates_of_a_folder),
        cmocka_unit_test(test_a_challenge_says_where_tokens_are_given),
        cmocka_unit_test(test_challenges_come_in_many_forms),
        cmocka_unit_test(test_what_is_no_challenge_says_nothing),
        cmocka_unit_test(test_a_manifest_tells_of_its_layers),
        cmocka_unit_test(test_manifests_that_are_refused),
        cmocka_unit_test(test_a_digest_is_sha256),
        cmocka_unit_test(test_platforms_have_names_of_go),
        cmocka_unit_test(test_the_nearest_variant_is_chosen),
        cmocka_unit_test(test_a_configuration_fits_its_manifest),
        cmocka_unit_test(test_an_answer_is_said_in_one_line),
        cmocka_unit_test(test_places_of_registries),
        cmocka_unit_test(test_base64_is_read_and_written),
        cmocka_unit_test(test_files_of_credentials),
        cmocka_unit_test(test_programs_that_files_name),
        cmocka_unit_test_setup_teardown(test_a_helper_is_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_helper_that_does_not_behave_is_ended, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_file_that_knows_counts, set_up, tear_down),
        cmocka_unit_test(test_secrets_are_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
