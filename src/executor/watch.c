#include "executor/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/open.h"
#include "base/remove.h"
#include "executor/command.h"

enum { FIRST_US = 200 * 1000, PERIOD_US_MAX = 1000 * 1000, TAIL_BYTES = 256 };

/* A volume of the attempt's own that has a limit. */
typedef struct limited {
    char *name, *text; /* the limit, as the file says it */
    uint64_t bytes_max;
} limited;

struct weir_watch {
    weir_loop *loop;
    weir_watch_wish wish;
    weir_timer *timer;
    uint64_t period_us;
    uint32_t done, total; /* that were told last */
    WEIR_VECTOR(limited) volumes;
    const limited *measured; /* by the pool: the one that is too large */
    const limited *over;     /* the same, of which was told */
    bool measures, closed;
};

/* --- progress --------------------------------------------------------------------------------------- */

bool weir__progress_read(weir_str text, uint32_t *done, uint32_t *total) {
    text = weir_str_trim(text);
    size_t from = text.length;
    while (from && text.data[from - 1] != '\n') from--;
    weir_str line = weir_str_trim(weir_str_slice(text, from, text.length));
    size_t slash = weir_str_find(line, WEIR_STR("/"), 0);
    return slash != SIZE_MAX && weir_str_number(weir_str_slice(line, 0, slash), done) &&
           weir_str_number(weir_str_slice(line, slash + 1, line.length), total) && *total > 0 &&
           *done <= *total;
}

/* The last bytes of a file; whatever else stands there is left alone. */
static size_t read_tail(int fd, char *tail) {
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) return 0;
    off_t from = status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0;
    ssize_t length = pread(fd, tail, TAIL_BYTES, from);
    return length > 0 ? (size_t)length : 0;
}

/* No link leads out of what the attempt sees. */
static void look_at_progress(weir_watch *watch) {
    weir_buffer folder = {0};
    const char *path = watch->wish.progress(watch->wish.arg, &folder);
    int root = path ? open(folder.data, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, fd = -1;
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (root >= 0) fd = weir__open_how(root, path, &how);
    char tail[TAIL_BYTES];
    uint32_t done, total;
    size_t length = fd >= 0 ? read_tail(fd, tail) : 0;
    if (weir__progress_read((weir_str){tail, length}, &done, &total) &&
        (done != watch->done || total != watch->total)) {
        watch->done = done;
        watch->total = total;
        watch->wish.progressed(watch->wish.arg, done, total);
    }
    if (fd >= 0) close(fd);
    if (root >= 0) close(root);
    weir_buffer_deinit(&folder);
}

/* --- volumes ---------------------------------------------------------------------------------------- */

static const limited *find_over(const weir_watch *watch) {
    enum { DEPTH_MAX = 128 };
    weir_buffer path = {0};
    const limited *over = NULL;
    for (size_t i = 0; !over && i < watch->volumes.count; i++) {
        const limited *volume = &watch->volumes.items[i];
        weir_buffer_clear(&path);
        weir_buffer_printf(&path, "%s/%s", watch->wish.scratch, volume->name);
        if (weir__folder_bytes(AT_FDCWD, path.data, DEPTH_MAX) > volume->bytes_max) over = volume;
    }
    weir_buffer_deinit(&path);
    return over;
}

static void measure(void *arg) {
    weir_watch *watch = arg;
    watch->measured = find_over(watch);
}

static void free_watch(weir_watch *watch) {
    for (size_t i = 0; i < watch->volumes.count; i++) {
        weir_free(watch->volumes.items[i].name);
        weir_free(watch->volumes.items[i].text);
    }
    weir_vector_deinit(&watch->volumes);
    weir_free(watch);
}

static void measured(void *arg) {
    weir_watch *watch = arg;
    watch->measures = false;
    if (watch->closed) {
        free_watch(watch);
    } else if (watch->measured) {
        watch->over = watch->measured;
        watch->wish.exceeded(watch->wish.arg);
    } else {
        weir_timer_start(watch->timer, watch->period_us);
    }
}

static void add_volumes(weir_watch *watch, const weir_value *container) {
    const weir_value *mounts = weir_member_named(weir_command_sandbox(container), "mounts");
    for (size_t i = 0; weir_is(mounts, WEIR_ARRAY) && i < weir_value_count(mounts); i++) {
        const weir_value *mount = weir_array_at(mounts, i);
        weir_str name = weir_member_text(mount, "scratch"), text = weir_member_text(mount, "size");
        uint64_t most = weir_member_count(mount, "size_bytes");
        bool known = !most || !name.length;
        for (size_t k = 0; !known && k < watch->volumes.count; k++)
            known = weir_str_is(name, watch->volumes.items[k].name);
        if (!known)
            *weir_vector_push(&watch->volumes) =
                (limited){weir_str_dup(name), weir_str_dup(text), most};
    }
}

/* --- a watch ---------------------------------------------------------------------------------------- */

static void look(void *arg) {
    weir_watch *watch = arg;
    if (watch->period_us < PERIOD_US_MAX) watch->period_us *= 2;
    look_at_progress(watch);
    if (!watch->volumes.count) {
        weir_timer_start(watch->timer, watch->period_us);
        return;
    }
    watch->measures = true;
    weir_pool_run(watch->loop, measure, measured, watch);
}

weir_watch *weir_watch_open(weir_loop *loop, const weir_watch_wish *wish) {
    const weir_value *others = weir_member_named(wish->config, "containers");
    weir_watch *watch = weir_alloc(sizeof *watch);
    *watch = (weir_watch){.loop = loop, .wish = *wish, .period_us = FIRST_US};
    if (wish->scratch) add_volumes(watch, wish->config);
    for (size_t i = 0; wish->scratch && weir_is(others, WEIR_ARRAY) && i < weir_value_count(others);
         i++)
        add_volumes(watch, weir_array_at(others, i));
    watch->wish.config = NULL;
    watch->timer = weir_timer_open(loop, look, watch);
    weir_timer_start(watch->timer, FIRST_US);
    return watch;
}

void weir_watch_judge(const weir_watch *watch, weir_outcome *outcome) {
    if (!watch || !watch->volumes.count || outcome->kind == WEIR_OUTCOME_CANCELLED) return;
    const limited *over = watch->over ? watch->over : find_over(watch);
    if (!over) return;
    weir_outcome failed = weir_outcome_failed(
        WEIR_OUTCOME_FAILED, weir_code_text(WEIR_LIMIT),
        "Usage of EmptyDir volume \"%s\" exceeds the limit \"%s\"", over->name, over->text);
    failed.usage = weir_value_ref(outcome->usage);
    weir_outcome_deinit(outcome);
    *outcome = failed;
}

void weir_watch_close(weir_watch *watch) {
    if (!watch) return;
    weir_timer_close(watch->timer);
    if (watch->measures)
        watch->closed = true;
    else
        free_watch(watch);
}
