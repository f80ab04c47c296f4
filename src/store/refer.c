#include "store/refer.h"

#include "store/store_internal.h"

static void copy_text(weir_str *text, char **to) {
    memcpy(*to, text->data, text->length);
    text->data = *to;
    *to += text->length;
}

void weir_store_refer(weir_store *store, const weir_reference *references, size_t count,
                      uint64_t now_us, void (*done)(void *arg, const weir_error *error),
                      void *arg) {
    size_t size = count * sizeof *references;
    for (size_t i = 0; i < count; i++)
        size += references[i].run.length + references[i].digest.length + references[i].place.length;
    weir__refer_put *put = weir_alloc(sizeof *put);
    char *memory = weir_alloc(size), *to = memory + count * sizeof *references;
    *put = (weir__refer_put){.items = (weir_reference *)(void *)memory,
                             .count = count,
                             .now_us = now_us,
                             .done = done,
                             .arg = arg,
                             .memory = memory};
    for (size_t i = 0; i < count; i++) {
        put->items[i] = references[i];
        copy_text(&put->items[i].run, &to);
        copy_text(&put->items[i].digest, &to);
        copy_text(&put->items[i].place, &to);
    }
    store->kind->refer(store, put);
}

void weir__refer_put_free(weir__refer_put *put) {
    if (put) weir_free(put->memory);
    weir_free(put);
}

bool weir_store_references(weir_store *store, weir_str run, weir_str digest,
                           weir_reference_visit *visit, void *arg, weir_error *error) {
    return !store->kind->references ||
           store->kind->references(store, run, digest, visit, arg, error);
}

bool weir_store_forsaken(weir_store *store, const weir_reference *after,
                         weir_reference_visit *visit, void *arg, weir_error *error) {
    static const weir_reference first = {{"", 0}, {"", 0}, {"", 0}, 0};
    return !store->kind->forsaken ||
           store->kind->forsaken(store, after ? after : &first, visit, arg, error);
}

bool weir_store_forsake(weir_store *store, uint64_t before_us, weir_error *error) {
    return !store->kind->forsake || store->kind->forsake(store, before_us, error);
}

bool weir_store_unrefer(weir_store *store, const weir_reference *references, size_t count,
                        weir_error *error) {
    return !count || store->kind->unrefer(store, references, count, error);
}
