#include "virtual_repository.h"

void virtual_repository_deinit(virtual_repository *repository) {
    for (size_t i = 0; i < repository->artifacts.count; i++)
        weir_free(repository->artifacts.items[i].key);
    weir_vector_deinit(&repository->artifacts);
}

static const struct artifact *find(const virtual_repository *repository, weir_str key) {
    for (size_t i = 0; i < repository->artifacts.count; i++)
        if (weir_str_is(key, repository->artifacts.items[i].key))
            return &repository->artifacts.items[i];
    return NULL;
}

/* Of what the attempt is told to do (docs/decisions/0048); NULL: nothing. */
static const weir_value *told(const weir_attempt *attempt, const char *which) {
    const weir_value *sandbox = weir_member_named(attempt->config, "sandbox");
    return weir_member_named(weir_member_named(sandbox, "artifacts"), which);
}

void virtual_repository_keep(virtual_repository *repository, const weir_attempt *attempt,
                             uint64_t what, weir_value *outputs) {
    const weir_value *wanted = told(attempt, "outputs");
    if (!wanted || !weir_value_count(wanted)) return;
    weir_value *kept = weir_object_new();
    for (size_t i = 0; i < weir_value_count(wanted); i++) {
        const weir_value *output = weir_array_at(wanted, i);
        weir_str key = weir_member_text(output, "key");
        const struct artifact *there = find(repository, key);
        weir_value *one = weir_object_new();
        weir_member_put_text(one, "key", key);
        weir_member_set(kept, weir_member_text(output, "name"), one);
        if (there && there->what != what)
            simulation_problem(repository->sim, "task %u: another made the artifact %.*s",
                               attempt->id.task, WEIR_ARG(key));
        if (!there)
            *weir_vector_push(&repository->artifacts) = (struct artifact){weir_str_dup(key), what};
    }
    weir_member_put(outputs, "artifacts", kept);
}

void virtual_repository_check(const virtual_repository *repository, const weir_attempt *attempt) {
    const weir_value *inputs = told(attempt, "inputs");
    for (size_t i = 0; inputs && i < weir_value_count(inputs); i++) {
        weir_str key =
            weir_member_text(weir_member_named(weir_array_at(inputs, i), "source"), "key");
        if (!find(repository, key))
            simulation_problem(repository->sim, "task %u begins without the artifact '%.*s'",
                               attempt->id.task, WEIR_ARG(key));
    }
}
