/* The file STATE/retention says when somebody looked last (its time), and in it how many runs would have gone then for the first
 * time, or "told" once somebody was. */
#include "cli/house.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/size.h"
#include "base/time.h"
#include "cli/serve.h"
#include "cli/view.h"

static const uint64_t LOOK_US = 60ull * 1000 * 1000, PRUNE_US = 3600ull * 1000 * 1000,
                      AGE_US = 30ull * 24 * 3600 * 1000 * 1000,
                      BYTES_MAX = 10ull * 1000 * 1000 * 1000;
static const char told[] = "told";
enum { TEXT_MAX = 24 };

static uint64_t limit(uint64_t set, uint64_t otherwise) {
    return set == UINT64_MAX ? 0 : set ? set : otherwise;
}

/* How large a server may get is not ours to say, unless somebody wants it. */
void weir_cli_retention(const weir_cli *cli, uint64_t *age_us, uint64_t *bytes_max) {
    const weir_settings *settings = &cli->settings;
    weir_str store = weir_str_from(settings->store);
    bool server = weir_str_starts(store, WEIR_STR("postgres"));
    *age_us = limit(settings->retention_age_us, AGE_US);
    *bytes_max = limit(settings->retention_bytes, server ? 0 : BYTES_MAX);
}

static void file_path(const weir_cli *cli, weir_buffer *path) {
    weir_buffer_printf(path, "%s/retention", cli->settings.state);
}

static bool read_file(const char *path, char text[static TEXT_MAX]) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, TEXT_MAX - 1) : -1;
    if (fd >= 0) close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length >= 0;
}

/* Half of it, after a power cut, is as good as none: it would be said again. */
static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return;
    (void)!write(fd, text, strlen(text));
    close(fd);
}

static void tell(const weir_cli *cli, const char *path) {
    char text[TEXT_MAX], age[24] = "", size[24] = "";
    uint64_t age_us, bytes_max;
    if (!read_file(path, text) || *text < '1' || *text > '9') return;
    weir_cli_retention(cli, &age_us, &bytes_max);
    if (age_us)
        snprintf(age, sizeof age, "%llu days", (unsigned long long)(age_us / (AGE_US / 30)));
    if (bytes_max) weir_size_format(bytes_max, size);
    fprintf(
        stderr,
        "weir: `%s` keeps finished runs for %s%s%s: from now on older ones go by themselves, now "
        "%llu. `weir keep RUN` keeps one, `retention: none` in weir.yaml all; this is said once\n",
        cli->settings.state, age, *age && *size ? " and up to " : "", size,
        strtoull(text, NULL, 10));
    write_file(path, told);
}

void weir_cli_keep_house(weir_cli *cli) {
    static uint64_t next_us;
    uint64_t now_us = weir_view_now(), age_us, bytes_max;
    if (now_us < next_us) return;
    next_us = now_us + LOOK_US;
    if (cli->settings.durability == WEIR_DURABILITY_NONE) return;
    weir_buffer path = {0};
    struct stat file;
    weir_error ignored;
    file_path(cli, &path);
    if (stat(path.data, &file) < 0) {
        if (errno == ENOENT) write_file(path.data, "");
        file.st_mtime = (time_t)(now_us / 1000000);
        file.st_size = 0;
    } else if (file.st_size && (size_t)file.st_size != strlen(told)) {
        tell(cli, path.data);
        file.st_mtime = (time_t)(now_us / 1000000);
    }
    uint64_t looked_us = (uint64_t)file.st_mtime * 1000000;
    weir_cli_retention(cli, &age_us, &bytes_max);
    bool due = looked_us + PRUNE_US < now_us || looked_us > now_us + PRUNE_US;
    /* Whoever is due at the same moment may start one, too: it will see that it is not alone. */
    if (due && (age_us || bytes_max) && utimensat(AT_FDCWD, path.data, NULL, 0) == 0)
        (void)!weir_cli_start(cli, "prune", "--auto", &ignored);
    weir_buffer_deinit(&path);
}

/* Where nothing may be written they stay. */
void weir_cli_remove_expired(weir_engine *engine) {
    const weir_pruning pruning = {.size = sizeof pruning, .expired = true};
    weir_value *pruned = NULL;
    weir_error ignored;
    if (weir_prune(engine, &pruning, &pruned, &ignored)) weir_value_unref(pruned);
}

static bool prune(weir_cli *cli, weir_engine *engine, bool dry, weir_value **out,
                  weir_error *error) {
    weir_pruning pruning = {.size = sizeof pruning, .gentle = true, .dry = dry};
    weir_cli_retention(cli, &pruning.age_us, &pruning.bytes_max);
    return weir_prune(engine, &pruning, out, error);
}

/* Nothing goes for the first time before somebody was told. */
bool weir_cli_prune_auto(weir_cli *cli, weir_engine *engine, weir_error *error) {
    weir_buffer path = {0};
    char text[TEXT_MAX] = "", count[TEXT_MAX];
    weir_value *pruned = NULL;
    bool ok = true;
    file_path(cli, &path);
    int fd = open(path.data, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool alone = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && read_file(path.data, text);
    (void)setpriority(PRIO_PROCESS, 0, 19);
    if (alone && strcmp(text, told) != 0) {
        ok = prune(cli, engine, true, &pruned, error);
        uint64_t runs = ok ? weir_member_count(pruned, "runs") : 0;
        snprintf(count, sizeof count, "%llu", (unsigned long long)runs);
        if (runs) write_file(path.data, count);
        alone = !runs;
        weir_value_unref(pruned);
        pruned = NULL;
    }
    ok = ok && (!alone || prune(cli, engine, false, &pruned, error));
    weir_value_unref(pruned);
    if (fd >= 0) close(fd);
    weir_buffer_deinit(&path);
    return ok;
}
