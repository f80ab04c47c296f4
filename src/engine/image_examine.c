/* Whether images of containers can be kept here, as far as can be told without one. */
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/size.h"
#include "data/finding.h"
#include "engine/engine_internal.h"
#include "executor/sandbox.h"
#include "image/store.h"
#include "io/users.h"

#define ROOM_MIN (UINT64_C(1) << 30)

static void hear_nothing(void *arg, const char *text) {
    (void)arg, (void)text;
}

/* The folder, or the nearest above it that is there. */
static void find_there(const char *folder, weir_buffer *out) {
    weir_buffer_text(out, folder);
    while (out->length > 1 && access(out->data, F_OK) != 0) {
        char *slash = strrchr(out->data, '/');
        out->length = slash > out->data ? (size_t)(slash - out->data) : 1;
        out->data[out->length] = '\0';
    }
}

static void check_room(const char *folder, weir_value *list) {
    struct statvfs room;
    weir_buffer there = {0};
    char text[24];
    find_there(folder, &there);
    if (access(there.data, W_OK | X_OK) != 0)
        weir_finding_add(list, "image store", "problem",
                         "own it, or name another folder with `image-store` or WEIR_IMAGES",
                         "`%s` cannot be written", there.data);
    if (statvfs(there.data, &room) == 0) {
        uint64_t bytes = (uint64_t)room.f_bavail * room.f_frsize;
        bool little = bytes < ROOM_MIN;
        weir_finding_add(list, "image store", little ? "warning" : "ok",
                         little ? "`weir image prune` removes images" : NULL, "%s free for images",
                         weir_size_format(bytes, text));
    }
    weir_buffer_deinit(&there);
}

static void check_images(weir_image_store *store, weir_value *list) {
    const char *folder = weir_image_store_folder(store);
    weir_value *images;
    weir_error error;
    uint64_t packed = 0;
    char text[24];
    if (access(folder, F_OK) != 0) {
        weir_finding_add(list, "image store", "ok", NULL, "none yet: the first image makes `%s`",
                         folder);
        return;
    }
    if (!weir_image_list(store, &images, &error)) {
        weir_finding_add(list, "image store", "problem", error.hint, "%s", error.message);
        return;
    }
    size_t count = weir_value_count(images);
    for (size_t i = 0; i < count; i++)
        packed += weir_member_count(weir_array_at(images, i), "size");
    weir_finding_add(list, "image store", "ok", NULL, "`%s`: %zu image%s of %s", folder, count,
                     count == 1 ? "" : "s", weir_size_format(packed, text));
    weir_value_unref(images);
}

/* Starts what would run them. */
static void check_running(const weir_images *images, const char *folder, weir_value *list) {
    weir_loop *loop;
    weir_error error;
    if (!weir_loop_open(&loop, &error)) return;
    const char *why;
    weir_sandboxes_options options = {.images = true, .store = folder, .warn = hear_nothing};
    if (images && images->mount)
        (void)weir_image_mount_read(weir_str_from(images->mount), &options.mount);
    weir_sandboxes *sandboxes = weir_sandboxes_new(&options);
    if (weir_sandboxes_images(sandboxes, &error)) {
        const char *how = weir_sandboxes_mount(sandboxes, &why);
        weir_finding_add(list, "images", why ? "warning" : "ok", why, "steps can run in images, %s",
                         how);
    } else
        weir_finding_add(list, "images", "warning",
                         *error.hint ? error.hint : "`--executor process` runs steps on this host",
                         "%s", error.message);
    weir_sandboxes_free(sandboxes, loop);
    weir_loop_close(loop);
}

/* Root of the machine is all of them. */
static void check_users(weir_value *list) {
    const weir_users *users = weir_users_get();
    if (users->space < 0 && !users->why.code) return;
    if (users->space < 0)
        weir_finding_add(list, "image users", "ok", *users->why.hint ? users->why.hint : NULL,
                         "steps run as root of their image, which is this user: %s",
                         users->why.message);
    else
        weir_finding_add(list, "image users", "ok", NULL, "%u users and %u groups in images",
                         users->users, users->groups);
}

weir_value *weir_examine_images(const weir_images *images) {
    weir_value *list = weir_array_new();
    weir_image_store *store = weir_image_store_new(images ? images->folder : NULL);
    check_images(store, list);
    check_room(weir_image_store_folder(store), list);
    check_running(images, weir_image_store_folder(store), list);
    weir_image_store_free(store);
    check_users(list);
    return list;
}
