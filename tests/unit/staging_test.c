/* Inputs of attempts: what they are got from. A server of its own speaks HTTP, and repositories are local. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "data/json.h"
#include "executor/artifacts.h"
#include "shell.h"
#include "web_server.h"

static weir_repository *repository;
static weir_artifacts *artifacts;
static weir_secrets secrets;

static int set_up(void **state) {
    char path[96];
    weir_error error;
    (void)state;
    if (make_folder() < 0) return -1;
    snprintf(path, sizeof path, "%s/kept", folder);
    repository = weir_repository_new(
        &(weir_repository_options){.folder = path, .limits = {.bytes_max = 1000000}});
    snprintf(path, sizeof path, "%s/staged", folder);
    if (!weir_secrets_add(&secrets, WEIR_STR("token"), WEIR_STR("hidden"), &error)) return -1;
    artifacts = weir_artifacts_new(repository, path, &secrets);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    weir_artifacts_free(artifacts);
    weir_repository_free(repository);
    weir_secrets_deinit(&secrets);
    return remove_folder();
}

/* Puts `with` for each `what` of the text. */
static void put(char *text, const char *what, const char *with) {
    for (char *at = text; (at = strstr(at, what)); at += strlen(with)) {
        memmove(at + strlen(with), at + strlen(what), strlen(at + strlen(what)) + 1);
        memcpy(at, with, strlen(with));
    }
}

/* Stages the inputs, which have ' for "; the command finds the first at $INPUT and says what is expected. Without one the inputs cannot be
 * had, and that is why. */
static void expect(const char *inputs, const char *command, const char *said) {
    weir_value *wanted = NULL, *mounts = NULL;
    weir_error error;
    char text[4096], port[8];
    snprintf(port, sizeof port, "%u", server_port);
    snprintf(text, sizeof text, "{'inputs':[%s]}", inputs);
    put(text, "'", "\"");
    put(text, "PORT", port);
    put(text, "FOLDER", folder);
    if (!weir_json_parse(weir_str_from(text), WEIR_STR("test"), &wanted, &error))
        fail_msg("%s: %s", text, error.message);
    weir_staging *staging = weir_staging_new(artifacts, wanted, NULL);
    weir_staging_run(staging);
    bool ok = weir_staging_take(staging, &mounts, &error);
    if (!ok && (command || !strstr(error.message, said)))
        fail_msg("%s, not %s", error.message, said);
    if (ok && !command) fail_msg("%s was got, not %s", inputs, said);
    if (ok) {
        weir_str host = weir_value_count(mounts)
                            ? weir_member_text(weir_array_at(mounts, 0), "host")
                            : WEIR_STR("/none");
        setenv("INPUT", host.data, 1);
        assert_string_equal(shell(command), said);
        weir_value_unref(mounts);
    }
    weir_staging_free(staging);
    weir_value_unref(wanted);
    assert_string_equal(shell("ls -A staged/*"), "");
}

#define HTTP(rest)                                                                                 \
    "{'name':'a','path':'/a','source':{'http':{'url':'http://127.0.0.1:PORT" rest "}}"
#define GIT(rest) "{'name':'a','path':'/a','source':{'git':{'repo':'file://FOLDER/origin'" rest "}}"

static void texts_and_what_lacks(void **state) {
    (void)state;
    expect("{'name':'a','path':'/a','source':{'raw':'text\\n'},'mode':448}",
           "cat $INPUT; stat -c %a $INPUT", "text\n700\n");
    expect("{'name':'a','path':'/a','source':{'raw':''}}", "stat -c %s $INPUT", "0\n");
    expect("{'name':'a','path':'/a'}", NULL,
           "init: Error (exit code 64): required artifact 'a' not supplied");
    expect("{'name':'a','path':'/a','optional':true}", "ls $INPUT | wc -l",
           "ls: cannot access '/none': No such file or directory\n0\n");
    expect(
        "{'name':'a','path':'/a','source':{'key':'run/none'}}", NULL,
        "init: Error (exit code 64): artifact a failed to load: there is no artifact with the key "
        "`run/none`");
    expect("{'name':'b','path':'/d/b/c','source':{'raw':'2'}},{'name':'a','path':'/"
           "d','source':{'raw':'1'}}",
           "cat $INPUT", "1");
    expect("{'name':'a','path':'/a','archive':'rar','source':{'raw':''}}", NULL, "`rar`");
}

static void files_over_http(void **state) {
    (void)state;
    expect(HTTP("/binary'}"), "xxd -p $INPUT", "89504e47\n");
    expect(HTTP("/flaky/2'}"), "cat $INPUT", "well");
    expect(HTTP("/drop/1'}"), "cat $INPUT", "well");
    expect(HTTP("/redirect/3/302'}"), "head -1 $INPUT", "GET /echo\n");
    expect(HTTP("/gzip'}"), "gzip -dc $INPUT | wc -c", "1000\n");
    expect(HTTP("/echo','headers':[{'name':'X-Own','value':{'secret':'token'}},{'name':'X-Empty','"
                "value':''}],"
                "'username':'u','password':'p'}"),
           "grep -i -e x-own -e x-empty -e auth $INPUT",
           "Authorization: Basic dTpw\nX-Own: hidden\nX-Empty:\n");
    expect(HTTP("/status/404'}"), NULL,
           "init: Error (exit code 64): artifact a failed to load: loading file from "
           "http://127.0.0.1:");
    expect(HTTP("/status/404'}"), NULL, "/status/404 failed with reason: status 404");
    expect(HTTP("/status/403'}"), NULL, "status 403");
    expect(HTTP("/bytes/1000001'}"), NULL, "more than 1000000 bytes");
    expect(HTTP("/redirect/20/302'}"), NULL, "redirects");
    expect(HTTP("/headers'}"), NULL, "failed with reason");
    expect(HTTP("/to?file:///etc/passwd'}"), NULL, "failed with reason");
    expect(HTTP("/echo','headers':[{'name':'A','value':'x\\r\\nB: y'}]}"), NULL, "line end");
    expect(HTTP("/echo','password':{'secret':'none'}}"), NULL, "no secret `none`");
    expect("{'name':'a','path':'/a','source':{'http':{'url':'file:///etc/passwd'}}}", NULL,
           "reason");
    expect("{'name':'a','path':'/a','optional':true,'source':{'http':{'url':'http://"
           "u:w@127.0.0.1:PORT/status/404'}}}",
           "echo gone", "gone\n");
    expect("{'name':'a','path':'/a','source':{'http':{'url':'http://u:word@127.0.0.1:PORT/status/"
           "400'}}}",
           NULL, "from http://127.0.0.1:");
    assert_int_equal(requests_of("/status/403"), 1);
    assert_int_equal(requests_of("/flaky/2"), 3);
}

static void trees_from_git(void **state) {
    (void)state;
    shell("export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q -b main origin; cd origin; "
          "git config user.email a@b; git config user.name n; echo 1 >f; mkdir d; echo in >d/g; "
          "git add -A; git commit -qm one; git tag first; echo 2 >f; git commit -qam two; "
          "git checkout -qb side; echo side >f; git commit -qam side; git checkout -q main; "
          "git config uploadpack.allowAnySHA1InWant true");
    setenv("HOME", folder, 1);
    expect(GIT("}"), "cat $INPUT/f $INPUT/d/g; git -C $INPUT rev-parse --abbrev-ref HEAD",
           "2\nin\nmain\n");
    expect(GIT(",'revision':'first'}"), "cat $INPUT/f; git -C $INPUT rev-parse --abbrev-ref HEAD",
           "1\nHEAD\n");
    expect(GIT(",'revision':'side'}"), "cat $INPUT/f", "side\n");
    expect(GIT(",'branch':'side','single_branch':true}"),
           "cat $INPUT/f; git -C $INPUT branch -r | wc -l", "side\n1\n");
    expect(GIT(",'depth':1}"), "cat $INPUT/f; git -C $INPUT log --oneline | wc -l", "2\n1\n");
    expect(GIT(",'depth':1,'revision':'main~1','fetch':['refs/heads/*:refs/heads/*']}"), NULL,
           "failed to get resolve revision: reference not found");
    expect(GIT(",'fetch':['refs/heads/side:refs/heads/other'],'revision':'other'}"), "cat $INPUT/f",
           "side\n");
    expect("{'name':'a','path':'/a','sub_path':'d/g','source':{'git':{'repo':'FOLDER/origin'}}}",
           "cat $INPUT", "in\n");
    expect("{'name':'a','path':'/a','sub_path':'none','source':{'git':{'repo':'FOLDER/origin'}}}",
           NULL, "there is no `none`");
    expect(GIT(",'revision':'none'}"), NULL,
           "init: Error (exit code 64): artifact a failed to load: failed to get resolve revision: "
           "reference not found");
    expect(GIT(",'revision':'--help'}"), NULL, "`--help` is no revision");
    expect("{'name':'a','path':'/a','source':{'git':{'repo':'file://FOLDER/none'}}}", NULL,
           "failed to clone");
    expect("{'name':'a','path':'/a','source':{'git':{'repo':'ext::sh -c id'}}}", NULL,
           "failed to clone");
    expect("{'name':'a','path':'/a','source':{'git':{'repo':'--upload-pack=id'}}}", NULL,
           "is no repository");
    expect("{'name':'a','path':'/a','source':{'git':{'repo':'http://127.0.0.1:PORT/status/"
           "401','username':'u','password':{'secret':'token'}}}}",
           NULL, "failed to clone");
}

static void submodules_come_along(void **state) {
    (void)state;
    shell("export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q -b main inner; cd inner; git config "
          "user.email a@b; "
          "git config user.name n; echo i >i; git add -A; git commit -qm i; cd ..; git init -q -b "
          "main origin; cd origin; "
          "git config user.email a@b; git config user.name n; "
          "git -c protocol.file.allow=always submodule --quiet add $PWD/../inner m; git commit -qm "
          "m");
    setenv("HOME", folder, 1);
    expect(GIT("}"), "cat $INPUT/m/i", "i\n");
    expect(GIT(",'disable_submodules':true}"), "ls $INPUT/m", "");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(texts_and_what_lacks),
        CASE(files_over_http),
        CASE(trees_from_git),
        CASE(submodules_come_along),
    };
    server_start();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    server_stop();
    return failed;
}
