#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/merge.h"
#include "base/remove.h"
#include "executor/init/init.h"

static void name_in_tree(const order *o, const char *name, char *out, size_t size) {
    snprintf(out, size, "%s/%s", o->folders[WEIR__TREE], name);
}

/* It takes time, in which all signals are blocked: one that asks for the end is obeyed at once; and the engine may go. */
static bool goes_on(void *arg) {
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    const order *o = arg;
    struct pollfd engine = {.fd = WEIR__INIT_ROOTS};
    sigset_t pending;
    sigpending(&pending);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sigismember(&pending, ends[i]) == 1) o->record->signal = ends[i];
    if (o->record->signal) return false;
    return poll(&engine, 1, 0) <= 0 || !(engine.revents & (POLLHUP | POLLERR));
}

/* What was written with an overlay, before the copy, is above all; then what stands above an image. */
static bool open_all(const order *o, int host, int *all) {
    bool layers = weir__image_open_layers(o, host, all + 2);
    all[0] = all[1] = -1;
    if (!layers) return false;
    all[0] = open(o->folders[WEIR__UPPER], O_PATH | O_DIRECTORY | O_CLOEXEC);
    all[1] = open("/image", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return (all[0] >= 0 && all[1] >= 0) ||
           weir__note(o->record, WEIR__INIT_COPY, o->folders[WEIR__UPPER]);
}

static bool copy_image(const helper *h, const order *o, int host, const char *part) {
    int all[WEIR__INIT_IMAGE_LAYERS_MAX + 2];
    weir__merge merge = {.layers = all,
                         .count = o->head->layers + 2,
                         .owners = !h->user || h->users,
                         .goes_on = goes_on,
                         .arg = (void *)(uintptr_t)o};
    bool opened = open_all(o, host, all);
    merge.into = opened ? open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = merge.into >= 0 && weir__merge_layers(&merge);
    if (opened && !ok && !o->record->signal) weir__note(o->record, WEIR__INIT_COPY, merge.what);
    if (merge.into >= 0) close(merge.into);
    weir__image_close_layers(o, all + 2);
    for (size_t i = 0; i < 2; i++)
        if (all[i] >= 0) close(all[i]);
    return ok;
}

bool weir__copy_is_there(const order *o) {
    char whole[96];
    struct stat info;
    name_in_tree(o, "whole", whole, sizeof whole);
    return lstat(whole, &info) == 0 && S_ISDIR(info.st_mode);
}

/* By another name until it is whole: the folder may be kept, and looked into later. */
static bool make_whole(const helper *h, const order *o, int host, const char *whole) {
    char part[96];
    name_in_tree(o, "part", part, sizeof part);
    if (mkdir(part, 0700) < 0) {
        if (errno != EEXIST) return weir__note(o->record, WEIR__INIT_COPY, part);
        weir__remove_within(part, SIZE_MAX);
    }
    return copy_image(h, o, host, part) &&
           (rename(part, whole) == 0 || weir__note(o->record, WEIR__INIT_COPY, whole));
}

bool weir__copy_mount(const helper *h, const order *o, int host) {
    char whole[96];
    name_in_tree(o, "whole", whole, sizeof whole);
    return (weir__copy_is_there(o) || make_whole(h, o, host, whole)) &&
           (mount(whole, "/new", NULL, MS_BIND, NULL) == 0 ||
            weir__note(o->record, WEIR__INIT_BIND, whole));
}
