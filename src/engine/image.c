/* Images of containers as embedders see them; no engine is needed. */
#include <stdio.h>

#include "engine/engine_internal.h"
#include "image/pull.h"
#include "io/loop.h"

/* --- what they are told while it goes on ---------------------------------------------------- */

static void pass_progress(void *arg, const weir_image_progress *now) {
    const weir_images *images = arg;
    images->progress(images->arg, now->what, now->bytes, now->bytes_all, now->parts,
                     now->parts_all);
}

static bool pass_goes_on(void *arg) {
    const weir_images *images = arg;
    return images->goes_on(images->arg);
}

weir_image_watch weir__images_watch(const weir_images *images) {
    return (weir_image_watch){.progress = images->progress ? pass_progress : NULL,
                              .goes_on = images->goes_on ? pass_goes_on : NULL,
                              .arg = (void *)(uintptr_t)images};
}

static const weir_images no_wishes = {.size = sizeof(weir_images)};

static const weir_images *wishes(const weir_images *images) {
    if (!images) return &no_wishes;
    weir_assert(images->size == sizeof *images);
    return images;
}

/* --- coming --------------------------------------------------------------------------------- */

static bool read_policy(const char *text, weir_image_policy *out, weir_error *error) {
    *out = WEIR_PULL_MISSING;
    return !text || weir_image_policy_read(weir_str_from(text), out) ||
           weir_fail(error, WEIR_USAGE, "images are pulled missing, always or never, not `%s`",
                     text);
}

/* As in a list: the layers are only counted, and what is in the image's files is left out. Of one that somebody removed by now, which is none of
 * ours, there is the name. */
static bool describe(weir_image_store *store, const weir_image_name *name, weir_value **out,
                     weir_error *error) {
    weir_value *shown, *entry;
    if (!weir_image_show(store, name, &shown, error)) {
        if (error->code != WEIR_NOT_FOUND) return false;
        weir_buffer text = {0};
        weir_image_name_append(name, &text);
        *out = weir_object_new();
        weir_member_put_text(*out, "name", weir_buffer_str(&text));
        weir_buffer_deinit(&text);
        return true;
    }
    entry = weir_object_new();
    for (size_t i = 0; i < weir_value_count(shown); i++) {
        weir_str key = weir_object_key(shown, i);
        weir_value *value = weir_object_at(shown, i);
        if (weir_str_is(key, "layers"))
            weir_member_put(entry, "layers", weir_int_new((int64_t)weir_value_count(value)));
        else if (!weir_str_is(key, "manifest") && !weir_str_is(key, "config"))
            weir_member_set(entry, key, weir_value_ref(value));
    }
    weir_value_unref(shown);
    *out = entry;
    return true;
}

/* What was used longest ago goes, if there is too much now; what is held stays. Then {removed: [name…]} is put there. */
static void keep_limit(weir_image_store *store, const weir_images *images, weir_value *out) {
    weir_value *pruned;
    weir_error error; /* the image is here all the same; the next will say it again */
    if (!images->bytes_max || !weir_image_prune(store, images->bytes_max, 0, &pruned, &error))
        return;
    weir_value *removed = weir_member_named(pruned, "removed");
    if (removed && weir_value_count(removed))
        weir_member_put(out, "removed", weir_value_ref(removed));
    weir_value_unref(pruned);
}

bool weir_pull_image(const weir_images *given, const char *text, weir_value **out,
                     weir_error *error) {
    const weir_images *images = wishes(given);
    weir_image_name name;
    weir_image_policy policy = WEIR_PULL_MISSING;
    weir_image *image;
    weir_value *entry;
    if (!weir_image_name_read(weir_str_from(text), &name, error) ||
        !read_policy(images->pull, &policy, error))
        return false;
    weir_image_store *store = weir_image_store_new(images->folder);
    weir_image_pull_options options = {.policy = policy,
                                       .platform = images->platform,
                                       .registries = images->registries,
                                       .watch = weir__images_watch(images)};
    bool ok = weir_image_pull(store, &name, &options, &image, error);
    if (ok) {
        /* The digest of several may mean another of them. */
        if (*name.digest) snprintf(name.digest, sizeof name.digest, "%.71s", image->digest);
        ok = describe(store, &name, &entry, error);
        if (ok) keep_limit(store, images, entry);
        weir_image_free(image);
    }
    weir_image_store_free(store);
    if (ok) *out = entry;
    return ok;
}

/* The images of the names, held meanwhile; {images: [{name, …}], removed?}. */
static bool describe_all(weir_image_store *store, const weir_images *images,
                         const weir_value *names, weir_value **out, weir_error *error) {
    WEIR_VECTOR(weir_image *) held = {0};
    weir_value *list = weir_array_new(), *entry;
    weir_image_name name;
    bool ok = true;
    for (size_t i = 0; ok && i < weir_value_count(names); i++) {
        weir_image *image = NULL;
        ok = weir_image_name_read(weir_string_get(weir_array_at(names, i)), &name, error) &&
             (weir_image_find(store, &name, &image, error) || error->code == WEIR_NOT_FOUND) &&
             describe(store, &name, &entry, error);
        if (ok) weir_array_append(list, entry);
        if (image) *weir_vector_push(&held) = image;
    }
    if (ok) {
        *out = weir_object_new();
        weir_member_put(*out, "images", list);
        keep_limit(store, images, *out);
    } else {
        weir_value_unref(list);
    }
    for (size_t i = 0; i < held.count; i++) weir_image_free(held.items[i]);
    weir_vector_deinit(&held);
    return ok;
}

bool weir_import_image(const weir_images *given, const char *path, const char *text,
                       weir_value **out, weir_error *error) {
    const weir_images *images = wishes(given);
    weir_image_name name;
    weir_value *names;
    weir_image_watch watch = weir__images_watch(images);
    if (text && !weir_image_name_read(weir_str_from(text), &name, error)) return false;
    weir_image_store *store = weir_image_store_new(images->folder);
    bool ok = weir_image_import(store, path, text ? &name : NULL, &watch, &names, error);
    if (ok) {
        ok = describe_all(store, images, names, out, error);
        weir_value_unref(names);
    }
    weir_image_store_free(store);
    return ok;
}

/* --- what is here --------------------------------------------------------------------------- */

bool weir_list_images(const weir_images *given, weir_value **out, weir_error *error) {
    weir_image_store *store = weir_image_store_new(wishes(given)->folder);
    bool ok = weir_image_list(store, out, error);
    weir_image_store_free(store);
    return ok;
}

bool weir_show_image(const weir_images *given, const char *text, weir_value **out,
                     weir_error *error) {
    weir_image_name name;
    if (!weir_image_name_read(weir_str_from(text), &name, error)) return false;
    weir_image_store *store = weir_image_store_new(wishes(given)->folder);
    bool ok = weir_image_show(store, &name, out, error);
    weir_image_store_free(store);
    return ok;
}

bool weir_export_image(const weir_images *given, const char *text, const char *path,
                       weir_error *error) {
    const weir_images *images = wishes(given);
    weir_image_name name;
    weir_image_watch watch = weir__images_watch(images);
    if (!weir_image_name_read(weir_str_from(text), &name, error)) return false;
    weir_image_store *store = weir_image_store_new(images->folder);
    bool ok = weir_image_export(store, &name, path, &watch, error);
    weir_image_store_free(store);
    return ok;
}

/* --- going ---------------------------------------------------------------------------------- */

bool weir_remove_image(const weir_images *given, const char *text, weir_error *error) {
    weir_image_name name;
    if (!weir_image_name_read(weir_str_from(text), &name, error)) return false;
    weir_image_store *store = weir_image_store_new(wishes(given)->folder);
    bool ok = weir_image_remove(store, &name, error);
    weir_image_store_free(store);
    return ok;
}

bool weir_prune_images(const weir_images *given, uint64_t age_us, uint64_t bytes_max,
                       weir_value **out, weir_error *error) {
    uint64_t now_us = weir_clock_us();
    uint64_t since_us = age_us == UINT64_MAX ? 0 : age_us < now_us ? now_us - age_us : 1;
    weir_image_store *store = weir_image_store_new(wishes(given)->folder);
    bool ok = weir_image_prune(store, bytes_max, since_us, out, error);
    weir_image_store_free(store);
    return ok;
}
