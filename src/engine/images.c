#include "engine/engine_internal.h"

static weir_image_policy policy_of(const char *pull) {
    weir_str text = weir_str_from(pull);
    return weir_str_is(text, "always")  ? WEIR_PULL_ALWAYS
           : weir_str_is(text, "never") ? WEIR_PULL_NEVER
                                        : WEIR_PULL_MISSING;
}

static void tell_progress(void *arg, const weir_image_progress *now) {
    const weir_images *images = arg;
    images->progress(images->arg, now->what, now->bytes, now->bytes_all, now->parts,
                     now->parts_all);
}

void weir__images_open(weir_engine *engine) {
    const weir_images *given = engine->options.image_store;
    weir_images *kept = &engine->image_options;
    if (engine->options.executor)
        engine->executor = weir_str_dup(weir_str_from(engine->options.executor));
    if (engine->options.not_isolated) return;
    if (given) *kept = *given;
    kept->registries = weir_value_ref((weir_value *)(uintptr_t)kept->registries);
    if (kept->platform) kept->platform = weir_str_dup(weir_str_from(kept->platform));
    engine->images = weir_image_store_new(kept->folder);
    weir_obtain_options options = {.store = engine->images,
                                   .pull = {.policy = policy_of(kept->pull),
                                            .platform = kept->platform,
                                            .registries = kept->registries},
                                   .asked_only =
                                       engine->executor && strcmp(engine->executor, "auto") != 0,
                                   .bytes_max = kept->bytes_max};
    if (kept->progress)
        options.pull.watch = (weir_image_watch){.progress = tell_progress, .arg = kept};
    kept->folder = kept->pull = NULL; /* the caller's */
    weir_process_images(engine->executors[WEIR__EXECUTOR_PROCESS], &options);
}

void weir__images_close(weir_engine *engine) {
    if (engine->images) weir_image_store_free(engine->images);
    weir_value_unref((weir_value *)(uintptr_t)engine->image_options.registries);
    weir_free((char *)(uintptr_t)engine->image_options.platform);
    weir_free(engine->executor);
    engine->images = NULL;
    engine->image_options = (weir_images){0};
    engine->executor = NULL;
}
