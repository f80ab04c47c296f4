/* weir environment: what is kept for Python functions that require something, and what of it may go. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interpreter.h"
#include "base/remove.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/commands.h"
#include "cli/humanize.h"
#include "cli/tabs.h"
#include "cli/view.h"
#include "data/finding.h"
#include "data/json.h"

enum {
    NAME_LENGTH = 32,
    SAID_BYTES_MAX = 1 << 20,
    FILES_MAX = 10 * 1000 * 1000,
    FOLDERS_DEEP_MAX = 64,
    PADDING = 3
};

/* --- looking ------------------------------------------------------------------------------------ */

/* With the folder itself. */
static uint64_t size_of(const char *folder) {
    struct stat own;
    uint64_t bytes = lstat(folder, &own) == 0 ? (uint64_t)own.st_blocks * 512 : 0;
    return bytes + weir__folder_bytes(AT_FDCWD, folder, FOLDERS_DEEP_MAX);
}

static bool is_name(const char *text) {
    return strlen(text) == NAME_LENGTH && strspn(text, "0123456789abcdef") == NAME_LENGTH;
}

/* What the environment says of itself; NULL: it is none, or not whole. New reference. */
static weir_value *read_said(const char *folder, uint64_t *used_us) {
    weir_buffer path = {0}, text = {0};
    struct stat status;
    weir_value *said = NULL;
    weir_buffer_printf(&path, "%s/weir-environment.json", folder);
    int fd = open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0 && fstat(fd, &status) == 0 && status.st_size <= SAID_BYTES_MAX) {
        weir_buffer_reserve(&text, SAID_BYTES_MAX);
        ssize_t length = read(fd, text.data, SAID_BYTES_MAX);
        text.length = length > 0 ? (size_t)length : 0;
        *used_us =
            (uint64_t)status.st_mtim.tv_sec * 1000000 + (uint64_t)status.st_mtim.tv_nsec / 1000;
        if (!weir_json_parse(weir_buffer_str(&text), WEIR_STR(""), &said, NULL)) said = NULL;
    }
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
    weir_buffer_deinit(&text);
    if (weir_is(said, WEIR_OBJECT)) return said;
    weir_value_unref(said);
    return NULL;
}

/* [{name, interpreter, version, requirements, bytes, used}], by nothing. */
static weir_value *list_environments(const char *folder) {
    weir_value *list = weir_array_new();
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        uint64_t used_us = 0;
        weir_buffer path = {0};
        if (!is_name(entry->d_name)) continue;
        weir_buffer_printf(&path, "%s/%s", folder, entry->d_name);
        weir_value *said = read_said(path.data, &used_us);
        if (said) {
            said = weir_value_own(said);
            weir_member_put_text(said, "name", weir_str_from(entry->d_name));
            weir_member_put(said, "bytes", weir_int_new((int64_t)size_of(path.data)));
            weir_member_put(said, "used_us", weir_int_new((int64_t)used_us));
            weir_array_append(list, said);
        }
        weir_buffer_deinit(&path);
    }
    if (entries) closedir(entries);
    return list;
}

static void put_requirements(const weir_value *said, weir_buffer *out) {
    const weir_value *wanted = weir_member_named(said, "requirements");
    for (size_t i = 0; weir_is(wanted, WEIR_ARRAY) && i < weir_value_count(wanted); i++) {
        if (i) weir_buffer_text(out, ", ");
        weir_json_plain(weir_array_at(wanted, i), out);
    }
}

static void print_table(weir_cli *cli, const weir_value *list) {
    static const char *const titles[] = {"NAME", "PYTHON", "SIZE", "USED", "REQUIREMENTS"};
    enum { NAME_SHOWN = 12 };
    weir_tabs tabs = {.padding = PADDING};
    uint64_t now_us = weir_view_now();
    weir_tabs_line(&tabs);
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        weir_tabs_add(&tabs, weir_str_from(titles[i]));
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        char size[24], used[WEIR_HUMANIZE_BYTES];
        uint64_t used_us = weir_member_count(one, "used_us");
        weir_tabs_line(&tabs);
        weir_tabs_add(&tabs, weir_str_slice(weir_member_text(one, "name"), 0, NAME_SHOWN));
        weir_tabs_add(&tabs, weir_member_text(one, "version"));
        weir_tabs_add(&tabs,
                      weir_str_from(weir_size_format(weir_member_count(one, "bytes"), size)));
        weir_tabs_add(&tabs, weir_str_from(weir_humanize_short(
                                 now_us > used_us ? now_us - used_us : 0, used)));
        put_requirements(one, weir_tabs_cell(&tabs));
    }
    weir_tabs_print(&tabs, &cli->out.text);
    weir_tabs_deinit(&tabs);
}

static void print_names(weir_cli *cli, const weir_value *list) {
    for (size_t i = 0; i < weir_value_count(list); i++) {
        size_t from = cli->out.text.length;
        weir_buffer_str_append(&cli->out.text, weir_member_text(weir_array_at(list, i), "name"));
        weir_output_line(&cli->out.text, from);
    }
}

int weir_environment_list_command(weir_cli *cli) {
    weir_buffer folder = {0};
    weir_interpreter_environments(&folder);
    weir_value *list = list_environments(folder.data);
    if (weir_cli_form(cli, "text"))
        print_table(cli, list);
    else if (weir_cli_whole(cli))
        weir_cli_print(cli, list);
    else
        print_names(cli, list);
    weir_value_unref(list);
    weir_buffer_deinit(&folder);
    return 0;
}

void weir_environment_examine(weir_value *findings) {
    weir_buffer folder = {0};
    char size[24];
    uint64_t bytes = 0;
    weir_interpreter_environments(&folder);
    weir_value *list = list_environments(folder.data);
    size_t count = weir_value_count(list);
    for (size_t i = 0; i < count; i++) bytes += weir_member_count(weir_array_at(list, i), "bytes");
    if (access(folder.data, F_OK) == 0 && access(folder.data, W_OK | X_OK) != 0)
        weir_finding_add(findings, "python", "problem",
                         "own it, or name another folder with WEIR_PYTHON_ENVIRONMENTS",
                         "`%s` cannot be written", folder.data);
    else if (count)
        weir_finding_add(findings, "python", "ok", NULL,
                         "`%s`: %zu environment%s of %s (`weir environment prune` removes them)",
                         folder.data, count, count == 1 ? "" : "s", weir_size_format(bytes, size));
    weir_value_unref(list);
    weir_buffer_deinit(&folder);
}

/* --- removing ----------------------------------------------------------------------------------- */

/* What was begun under the name and left by who was killed. The name's lock is held. */
static void remove_leftovers(const char *folder, const char *name) {
    DIR *entries = opendir(folder);
    const struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        bool left = entry->d_name[0] == '.' && strncmp(entry->d_name + 1, name, NAME_LENGTH) == 0;
        weir_buffer path = {0};
        weir_buffer_printf(&path, "%s/%s", folder, entry->d_name);
        if (left && weir__remove_within(path.data, FILES_MAX)) rmdir(path.data);
        weir_buffer_deinit(&path);
    }
    if (entries) closedir(entries);
}

/* False: somebody runs in it, or it cannot be removed. */
static bool remove_environment(const char *folder, const char *name) {
    static const char *const suffixes[] = {".log", ".lock"};
    weir_buffer path = {0};
    weir_buffer_printf(&path, "%s/%s.lock", folder, name);
    int lock = open(path.data, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool gone = false;
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        remove_leftovers(folder, name);
        weir_buffer_clear(&path);
        weir_buffer_printf(&path, "%s/%s/weir-environment.json", folder, name);
        unlink(path.data); /* so that it is none from here on */
        weir_buffer_clear(&path);
        weir_buffer_printf(&path, "%s/%s", folder, name);
        gone = weir__remove_within(path.data, FILES_MAX) && rmdir(path.data) == 0;
        for (size_t i = 0; gone && i < sizeof suffixes / sizeof *suffixes; i++) {
            weir_buffer_clear(&path);
            weir_buffer_printf(&path, "%s/%s%s", folder, name, suffixes[i]);
            unlink(path.data);
        }
    }
    if (lock >= 0) close(lock);
    weir_buffer_deinit(&path);
    return gone;
}

static void print_removed(weir_cli *cli, const weir_value *removed, uint64_t freed, size_t busy) {
    char size[24];
    size_t count = weir_value_count(removed);
    weir_buffer *out = &cli->out.text;
    for (size_t i = 0; i < count; i++) {
        size_t from = out->length;
        weir_buffer_str_append(out, weir_string_get(weir_array_at(removed, i)));
        if (!weir_cli_form(cli, "name")) weir_buffer_text(out, ": removed");
        weir_output_line(out, from);
    }
    if (weir_cli_form(cli, "name")) return;
    weir_buffer_printf(out, "removed %zu environment%s: %s freed", count, count == 1 ? "" : "s",
                       weir_size_format(freed, size));
    if (busy) weir_buffer_printf(out, "; %zu in use", busy);
    weir_buffer_byte(out, '\n');
}

int weir_environment_prune_command(weir_cli *cli) {
    weir_error error;
    const char *age = weir_cli_text(cli, WEIR_FLAG_UNUSED_FOR);
    uint64_t age_us = 0, freed = 0, now_us = weir_view_now();
    if (age && !weir_duration_parse(weir_str_from(age), &age_us, &error)) {
        error.code = WEIR_USAGE;
        weir_error_context(&error, "`--older-than`");
        return weir_cli_fail(&error);
    }
    weir_buffer folder = {0};
    size_t busy = 0;
    weir_interpreter_environments(&folder);
    weir_value *list = list_environments(folder.data), *removed = weir_array_new();
    for (size_t i = 0; i < weir_value_count(list); i++) {
        const weir_value *one = weir_array_at(list, i);
        weir_value *name = weir_member_named(one, "name");
        if (weir_member_count(one, "used_us") + age_us > now_us) continue;
        if (!remove_environment(folder.data, weir_string_get(name).data)) {
            busy++;
            continue;
        }
        freed += weir_member_count(one, "bytes");
        weir_array_append(removed, weir_value_ref(name));
    }
    if (weir_cli_whole(cli)) {
        weir_value *sum = weir_object_new();
        weir_member_put(sum, "removed", weir_value_ref(removed));
        weir_member_put(sum, "freed", weir_int_new((int64_t)freed));
        weir_member_put(sum, "in_use", weir_int_new((int64_t)busy));
        weir_cli_print(cli, sum);
        weir_value_unref(sum);
    } else {
        print_removed(cli, removed, freed, busy);
    }
    weir_value_unref(list);
    weir_value_unref(removed);
    weir_buffer_deinit(&folder);
    return 0;
}
