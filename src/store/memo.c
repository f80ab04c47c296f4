#include "store/memo_internal.h"

#include <stdlib.h>

#include "store/store_internal.h"

weir_memo_copy weir_memo_copy_of(const weir_memo_entry *entry) {
    weir_memo_copy copy = {.entry = *entry};
    weir_str *texts[] = {&copy.entry.key,      &copy.entry.cache, &copy.entry.operation,
                         &copy.entry.instance, &copy.entry.run,   &copy.entry.value,
                         &copy.entry.blob};
    enum { TEXTS = sizeof texts / sizeof *texts };
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++) size += texts[i]->length;
    char *to = copy.memory = weir_alloc(size + 1);
    for (size_t i = 0; i < TEXTS; i++) {
        if (texts[i]->length) memcpy(to, texts[i]->data, texts[i]->length);
        texts[i]->data = to;
        to += texts[i]->length;
    }
    return copy;
}

bool weir_store_memo_find(weir_store *store, const weir_str *keys, size_t count,
                          weir_memo_visit *visit, void *arg, weir_error *error) {
    weir_assert(count <= WEIR_MEMO_KEYS_MAX);
    return !count || store->kind->memo_find(store, keys, count, visit, arg, error);
}

void weir__memo_put_done(void *arg, const weir_error *error) {
    weir__memo_put *put = arg;
    if (put->done) put->done(put->arg, &put->copy.entry, put->written && !error);
    weir_free(put->copy.memory);
    weir_free(put);
}

void weir_store_memo_put(weir_store *store, const weir_memo_entry *entry, uint64_t replaces,
                         weir_memo_done *done, void *arg) {
    weir_assert(entry->key.length == WEIR_MEMO_KEY_LETTERS);
    weir__memo_put *put = weir_alloc(sizeof *put);
    *put = (weir__memo_put){weir_memo_copy_of(entry), replaces, false, done, arg};
    put->copy.entry.version = WEIR_MEMO_VERSION;
    put->copy.entry.checksum = (int64_t)weir_hash(entry->value.data, entry->value.length);
    store->kind->memo_put(store, put);
}

bool weir_store_memo_list(weir_store *store, const weir_memo_filter *filter, weir_memo_visit *visit,
                          void *arg, weir_error *error) {
    return store->kind->memo_list(store, filter, visit, arg, error);
}

bool weir_store_memo_remove(weir_store *store, const weir_memo_entry *entries, size_t count,
                            weir_error *error) {
    return !count || store->kind->memo_remove(store, entries, count, error);
}

/* --- in memory ------------------------------------------------------------------------------ */

bool weir__memo_matches(const weir_memo_filter *filter, const weir_memo_entry *entry) {
    return weir_str_starts(entry->key, filter->key) &&
           (!filter->cache.length || weir_str_equal(filter->cache, entry->cache)) &&
           (!filter->operation.length || weir_str_equal(filter->operation, entry->operation)) &&
           (!filter->before_us || entry->created_us < filter->before_us);
}

void weir__memo_table_deinit(weir__memo_table *table) {
    for (size_t i = 0; i < table->entries.count; i++) weir_free(table->entries.items[i].memory);
    weir_vector_deinit(&table->entries);
    weir_map_deinit(&table->places);
}

static weir_memo_copy *at_key(const weir__memo_table *table, weir_str key) {
    uint64_t place;
    return weir_map_get(&table->places, key, &place) ? &table->entries.items[place] : NULL;
}

void weir__memo_table_find(const weir__memo_table *table, const weir_str *keys, size_t count,
                           weir_memo_visit *visit, void *arg) {
    for (size_t i = 0; i < count; i++) {
        const weir_memo_copy *found = at_key(table, keys[i]);
        if (found && !visit(arg, &found->entry)) return;
    }
}

static void take_out(weir__memo_table *table, weir_memo_copy *entry) {
    size_t place = (size_t)(entry - table->entries.items);
    weir_map_remove(&table->places, entry->entry.key);
    weir_free(entry->memory);
    *entry = table->entries.items[--table->entries.count];
    if (place < table->entries.count) weir_map_set(&table->places, entry->entry.key, place);
}

void weir__memo_table_put(weir__memo_table *table, weir__memo_put *put) {
    weir_memo_copy *before = at_key(table, put->copy.entry.key);
    if (before && before->entry.created_us != put->replaces) return;
    if (before) take_out(table, before);
    *weir_vector_push(&table->entries) = weir_memo_copy_of(&put->copy.entry);
    size_t place = table->entries.count - 1;
    weir_map_set(&table->places, table->entries.items[place].entry.key, place);
    put->written = true;
}

static int newest_first(const void *a, const void *b) {
    const weir_memo_entry *x = *(const weir_memo_entry *const *)a,
                          *y = *(const weir_memo_entry *const *)b;
    if (x->created_us != y->created_us) return x->created_us < y->created_us ? 1 : -1;
    return memcmp(x->key.data, y->key.data, WEIR_MEMO_KEY_LETTERS);
}

void weir__memo_table_list(const weir__memo_table *table, const weir_memo_filter *filter,
                           weir_memo_visit *visit, void *arg) {
    WEIR_VECTOR(const weir_memo_entry *) found = {0};
    for (size_t i = 0; i < table->entries.count; i++)
        if (weir__memo_matches(filter, &table->entries.items[i].entry))
            *weir_vector_push(&found) = &table->entries.items[i].entry;
    if (found.count) qsort(found.items, found.count, sizeof *found.items, newest_first);
    size_t count = filter->limit && filter->limit < found.count ? filter->limit : found.count;
    for (size_t i = 0; i < count; i++) {
        weir_memo_entry entry = *found.items[i];
        entry.value = WEIR_STR("");
        if (!visit(arg, &entry)) break;
    }
    weir_vector_deinit(&found);
}

void weir__memo_table_remove(weir__memo_table *table, const weir_memo_entry *entries,
                             size_t count) {
    for (size_t i = 0; i < count; i++) {
        weir_memo_copy *found = at_key(table, entries[i].key);
        if (found && found->entry.created_us == entries[i].created_us) take_out(table, found);
    }
}

void weir__memo_table_forget_run(weir__memo_table *table, weir_str run) {
    for (size_t i = 0; i < table->entries.count; i++) {
        weir_memo_entry *entry = &table->entries.items[i].entry;
        if (weir_str_equal(entry->run, run)) entry->run = (weir_str){"", 0};
    }
}
