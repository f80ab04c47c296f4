#include "engine/engine_internal.h"

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
                                   .pull = {.policy = WEIR_PULL_MISSING,
                                            .platform = kept->platform,
                                            .registries = kept->registries,
                                            .watch = weir__images_watch(kept)},
                                   .asked_only =
                                       engine->executor && strcmp(engine->executor, "auto") != 0,
                                   .bytes_max = kept->bytes_max};
    if (kept->pull) (void)weir_image_policy_read(weir_str_from(kept->pull), &options.pull.policy);
    if (kept->mount) (void)weir_image_mount_read(weir_str_from(kept->mount), &options.mount);
    kept->folder = kept->pull = kept->mount = NULL; /* the caller's */
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
