#include "executor/attempt_images.h"

#include "executor/command.h"

typedef struct need {
    weir_attempt_images *images;
    weir_str name; /* of the config */
    weir_obtain_wish wish;
    const weir_in_image *image; /* NULL: not here yet */
} need;

struct weir_attempt_images {
    weir_attempt_images_host host;
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir_value *config, *pinned; /* references: names are theirs */
    need *needs;
    size_t count, awaited;
    weir_error why; /* the first that cannot be had */
    bool failed;
};

static weir_image_policy policy_of(const weir_value *sandbox, weir_image_policy otherwise) {
    weir_image_policy said;
    return weir_image_policy_read(weir_member_text(sandbox, "pull"), &said) ? said : otherwise;
}

static const need *find_need(const weir_attempt_images *images, weir_str name) {
    for (size_t i = 0; i < images->count; i++)
        if (weir_str_equal(images->needs[i].name, name)) return &images->needs[i];
    return NULL;
}

static bool wants_image(const weir_attempt_images *images, const weir_value *sandbox) {
    weir_str executor = weir_member_text(sandbox, "executor");
    return weir_str_is(executor, "auto") || (!executor.length && !images->host.asked_only);
}

static void add_need(weir_attempt_images *images, const weir_value *config) {
    const weir_value *sandbox = weir_command_sandbox(config);
    weir_str name = weir_member_text(sandbox, "image");
    if (!name.length || !wants_image(images, sandbox) || find_need(images, name)) return;
    need *n = &images->needs[images->count];
    *n = (need){.images = images, .name = name, .wish = {.image = name, .run = images->run}};
    n->wish.policy = policy_of(sandbox, images->host.policy);
    const weir_value *digest = images->pinned ? weir_member(images->pinned, name) : NULL;
    if (weir_is(digest, WEIR_STRING)) n->wish.pinned = weir_string_get(digest);
    weir_error ignored;
    bool contained = false;
    if (!weir_obtainer_has(images->host.obtainer, &n->wish) &&
        weir_sandboxes_contain(images->host.sandboxes, name, &contained, &ignored) && contained)
        return;
    images->count++;
}

weir_attempt_images *weir_attempt_images_new(const weir_attempt *attempt,
                                             const weir_attempt_images_host *host) {
    const weir_value *others = weir_member_named(attempt->config, "containers");
    size_t more = weir_is(others, WEIR_ARRAY) ? weir_value_count(others) : 0;
    weir_attempt_images *images = weir_alloc(sizeof *images);
    images->host = *host;
    memcpy(images->run, attempt->id.run, sizeof images->run);
    images->config = weir_value_ref(attempt->config);
    images->pinned = weir_value_ref(attempt->images);
    images->needs = weir_alloc((more + 1) * sizeof *images->needs);
    add_need(images, attempt->config);
    for (size_t i = 0; i < more; i++) add_need(images, weir_array_at(others, i));
    if (images->count) return images;
    weir_attempt_images_free(images);
    return NULL;
}

/* One of them is here, or cannot be; or all were asked for. */
static void note_end(weir_attempt_images *images) {
    if (--images->awaited) return;
    images->host.ready(images->host.arg, images->failed ? &images->why : NULL);
}

static void obtained(void *arg, const weir_in_image *image, const weir_error *why) {
    need *n = arg;
    n->image = image;
    if (!image && !n->images->failed) {
        n->images->failed = true;
        n->images->why = *why;
        weir_error_hint(&n->images->why, "%s%s--executor process runs the step on this host",
                        why->hint, *why->hint ? "; " : "");
    }
    note_end(n->images);
}

void weir_attempt_images_await(weir_attempt_images *images) {
    images->awaited = images->count + 1;
    for (size_t i = 0; i < images->count; i++)
        weir_obtain(images->host.obtainer, &images->needs[i].wish, obtained, &images->needs[i]);
    note_end(images);
}

const weir_in_image *weir_attempt_images_of(const weir_attempt_images *images,
                                            const weir_value *config) {
    const need *n =
        images ? find_need(images, weir_member_text(weir_command_sandbox(config), "image")) : NULL;
    return n && wants_image(images, weir_command_sandbox(config)) ? n->image : NULL;
}

weir_value *weir_attempt_images_digests(const weir_attempt_images *images) {
    weir_value *digests = weir_object_new();
    for (size_t i = 0; i < images->count; i++)
        weir_member_set(digests, images->needs[i].name,
                        weir_string_from(weir_str_from(images->needs[i].image->image->digest)));
    return digests;
}

void weir_attempt_images_free(weir_attempt_images *images) {
    if (!images) return;
    for (size_t i = 0; i < images->count; i++) {
        weir_obtainer_leave(images->host.obtainer, &images->needs[i]);
        if (images->needs[i].image)
            weir_obtainer_return(images->host.obtainer, images->needs[i].image);
    }
    weir_value_unref(images->config);
    weir_value_unref(images->pinned);
    weir_free(images->needs);
    weir_free(images);
}
