#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "cli/config.h"
#include "cli/image_settings.h"
#include "cli/view.h"
#include "data/finding.h"

enum { FILES_MIN = 1024, ROOM_MIN_MIB = 100 };

static const int64_t BUILT_US = 1704067200LL * 1000000; /* 2024: no clock is right that is behind */

static void check_system(weir_value *list) {
    struct utsname system;
    bool known = uname(&system) == 0;
    weir_finding_add(list, "version", "ok", NULL, "weir %s, plugin interface %u, %s %s %s",
                     weir_version(), WEIR_ABI, known ? system.sysname : "?",
                     known ? system.release : "?", known ? system.machine : "?");
    struct rlimit files;
    bool few = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_MIN;
    weir_finding_add(list, "open files", few ? "warning" : "ok",
                     few ? "`ulimit -n 4096` before a run of many processes" : NULL, "at most %llu",
                     (unsigned long long)files.rlim_cur);
    bool early = (int64_t)weir_view_now() < BUILT_US;
    time_t now = time(NULL);
    char date[64] = "";
    struct tm parts;
    if (gmtime_r(&now, &parts)) strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &parts);
    weir_finding_add(list, "clock", early ? "problem" : "ok",
                     early ? "set the clock: events and deadlines are by it" : NULL, "it is %s",
                     date);
}

/* Processes are waited for by a pidfd (Linux 5.3). */
static void check_kernel(weir_value *list) {
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    bool there = fd >= 0;
    if (there) close(fd);
    weir_finding_add(list, "processes", there ? "ok" : "problem",
                     there ? NULL
                           : "Linux from 5.3 on, and a sandbox that allows pidfd_open, are needed",
                     "pidfd_open %s", there ? "works" : strerror(errno));
    bool groups = access("/sys/fs/cgroup/cgroup.controllers", R_OK) == 0;
    bool spaces = access("/proc/self/ns/user", R_OK) == 0;
    weir_finding_add(list, "isolation", "ok", NULL,
                     "cgroup v2, for limits of steps: %s; user namespaces, for their sandboxes: %s",
                     groups ? "yes" : "no", spaces ? "yes" : "no");
}

static void check_temporary(weir_value *list) {
    const char *folder = getenv("TMPDIR");
    if (!folder || !*folder) folder = "/tmp";
    bool fine = access(folder, W_OK | X_OK) == 0;
    weir_finding_add(list, "temporary folder", fine ? "ok" : "problem",
                     fine ? NULL : "set TMPDIR to a folder that you may write", "`%s` %s", folder,
                     fine ? "can be written" : strerror(errno));
}

/* SQLite's WAL needs locks and shared memory, which network file systems do not have, or not well. */
static const char *network_of(const char *directory) {
    static const struct {
        unsigned long type;
        const char *name;
    } types[] = {{0x6969, "NFS"},
                 {0xff534d42, "CIFS"},
                 {0xfe534d42, "SMB"},
                 {0x517b, "SMB"},
                 {0x01021997, "9p"}};
    struct statfs system;
    if (statfs(directory, &system) < 0) return NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (((unsigned long)system.f_type & 0xffffffff) == types[i].type) return types[i].name;
    return NULL;
}

static void check_directory(const char *directory, const struct stat *found, weir_value *list) {
    if (access(directory, W_OK | X_OK) < 0)
        weir_finding_add(list, "state directory", "problem",
                         "own it, or name another one with --state", "`%s` cannot be written: %s",
                         directory, strerror(errno));
    else if (found->st_uid != geteuid())
        weir_finding_add(list, "state directory", "warning",
                         "plugins that its runs name are not loaded", "`%s` is another user's",
                         directory);
    else if (found->st_mode & (S_IRWXG | S_IRWXO))
        weir_finding_add(
            list, "state directory", "warning", "inputs and outputs are in it: `chmod 700` it",
            "`%s` is open to others (mode %03o)", directory, (unsigned)found->st_mode & 0777);
    else
        weir_finding_add(list, "state directory", "ok", NULL, "`%s`, yours alone", directory);
    const char *network = network_of(directory);
    if (network)
        weir_finding_add(list, "file system", "warning",
                         "a local disk is safer: name one with --state", "`%s` is on %s", directory,
                         network);
    struct statvfs room;
    if (statvfs(directory, &room) != 0) return;
    unsigned long long mib = (unsigned long long)room.f_bavail * room.f_frsize / (1024 * 1024);
    bool little = mib < ROOM_MIN_MIB;
    weir_finding_add(list, "room", little ? "warning" : "ok",
                     little ? "make room: a run whose journal cannot be written stops" : NULL,
                     "%llu MiB free", mib);
}

static void append_all(weir_value *list, weir_value *more) {
    weir_array_append_all(list, more);
    weir_value_unref(more);
}

/* Each plugin alone, so that one that is bad does not hide the others. */
static void check_plugins(weir_cli *cli, weir_value *list) {
    weir_settings *settings = &cli->settings;
    const char *const *plugins = settings->plugins.items;
    size_t count = settings->plugins.count;
    for (size_t i = 0; i < count; i++) {
        weir_engine *engine;
        weir_error error;
        settings->plugins.items = (const char **)(void *)&plugins[i];
        settings->plugins.count = 1;
        if (weir_cli_open_memory(cli, &engine, &error)) {
            weir_finding_add(list, "plugin", "ok", NULL, "`%s` can be loaded", plugins[i]);
            weir_close(engine);
        } else {
            weir_finding_add(list, "plugin", "problem",
                             *error.hint ? error.hint
                                         : "build it for this weir, or take it from the plugins",
                             "%s", error.message);
        }
    }
    settings->plugins.items = (const char **)(void *)plugins;
    settings->plugins.count = 0; /* what follows wants none of them */
}

static void check_state(weir_cli *cli, weir_value *list) {
    weir_engine *engine;
    weir_error error;
    struct stat found;
    weir_settings *settings = &cli->settings;
    if (!settings->state)
        settings->state = weir_settings_join(
            settings, weir_str_from(weir_config_project(&settings->arena)), WEIR_STR(".weir"));
    bool there = stat(settings->state, &found) == 0;
    if (there)
        check_directory(settings->state, &found, list);
    else
        weir_finding_add(list, "state directory", "ok", NULL,
                         "none yet: `weir run FILE` makes `%s`", settings->state);
    bool opened = there || settings->store ? weir_cli_open(cli, true, NULL, &engine, &error)
                                           : weir_cli_open_memory(cli, &engine, &error);
    if (!opened) {
        weir_finding_add(list, "store", "problem",
                         *error.hint ? error.hint : "name another state directory with --state",
                         "%s", error.message);
        return;
    }
    append_all(list, weir_examine(engine));
    weir_close(engine);
}

/* What can be done about a store that is damaged, or whose tables are behind. */
static void mend(weir_cli *cli, weir_value *list) {
    weir_engine *engine;
    weir_error error;
    weir_value *found = NULL;
    bool repair = weir_cli_has(cli, WEIR_FLAG_REPAIR);
    const char *run = cli->words.count ? cli->words.items[0] : NULL;
    bool ok = !repair || weir_cli_salvage(cli, &found, &error);
    if (found) append_all(list, found);
    ok = ok && weir_cli_open(cli, true, NULL, &engine, &error);
    if (!ok) {
        weir_finding_add(list, "store", "problem", error.hint, "%s", error.message);
        return;
    }
    if (repair) append_all(list, weir_repair(engine));
    if (weir_cli_has(cli, WEIR_FLAG_REBUILD)) append_all(list, weir_rebuild(engine, run));
    weir_close(engine);
}

static void examine(weir_cli *cli, weir_value *list) {
    check_system(list);
    check_kernel(list);
    check_temporary(list);
    check_plugins(cli, list);
    weir_images images = weir_image_settings(&cli->settings);
    append_all(list, weir_examine_images(&images));
    weir_environment_examine(list);
    check_state(cli, list);
}

static void print_line(const weir_value *entry, const weir_view *view, weir_buffer *out) {
    weir_str state = weir_member_text(entry, "state"), hint = weir_member_text(entry, "hint");
    const char *color = weir_str_is(state, "ok")        ? "\033[32m"
                        : weir_str_is(state, "warning") ? "\033[33m"
                                                        : "\033[31m";
    weir_buffer_printf(out, "%s%-8.*s%s", view->color ? color : "", WEIR_ARG(state),
                       view->color ? "\033[0m" : "");
    size_t from = out->length;
    weir_buffer_printf(out, "%-16.*s  %.*s", WEIR_ARG(weir_member_text(entry, "check")),
                       WEIR_ARG(weir_member_text(entry, "message")));
    weir_output_line(out, from);
    if (!hint.length) return;
    from = out->length;
    weir_buffer_printf(out, "%26s%.*s", "", WEIR_ARG(hint));
    weir_output_line(out, from);
}

int weir_doctor_command(weir_cli *cli) {
    bool rebuild = weir_cli_has(cli, WEIR_FLAG_REBUILD);
    if (cli->words.count && !rebuild) {
        weir_error error;
        (void)weir_fail(&error, WEIR_USAGE, "a run is named with --rebuild only");
        return weir_cli_fail(&error);
    }
    weir_value *list = weir_array_new();
    weir_view view;
    bool well = true, value = weir_cli_whole(cli);
    weir_view_init(&view, cli->out.fd, weir_cli_has(cli, WEIR_FLAG_NO_COLOR));
    (rebuild || weir_cli_has(cli, WEIR_FLAG_REPAIR) ? mend : examine)(cli, list);
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *entry = weir_array_at(list, i);
        well = well && !weir_str_is(weir_member_text(entry, "state"), "problem");
        if (!value) print_line(entry, &view, &cli->out.text);
    }
    if (value) weir_cli_print(cli, list);
    weir_value_unref(list);
    return well ? 0 : weir_code_exit(WEIR_OPERATION_FAILED);
}
