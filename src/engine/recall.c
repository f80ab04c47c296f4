#include "engine/recall.h"

#include <inttypes.h>
#include <stdio.h>

void weir__recall_deinit(weir__recall *recall) {
    for (size_t i = 0; i < recall->items.count; i++) weir_value_unref(recall->items.items[i].data);
    weir_vector_deinit(&recall->items);
    weir_map_deinit(&recall->keys);
}

void weir__recall_add(weir__recall *recall, weir_value *data) {
    *weir_vector_push(&recall->items) =
        (weir__kept){.data = weir_value_ref(data), .next = UINT32_MAX};
}

void weir__recall_name_key(weir_str node, char key[static WEIR__KEY_LENGTH + 1]) {
    weir_buffer text = {0};
    weir_buffer_str_append(&text, WEIR_STR("node "));
    weir_buffer_str_append(&text, node);
    uint64_t first = weir_hash(text.data, text.length);
    weir_buffer_byte(&text, 1);
    uint64_t second = weir_hash(text.data, text.length);
    snprintf(key, WEIR__KEY_LENGTH + 1, "%016" PRIx64 "%016" PRIx64, first, second);
    weir_buffer_deinit(&text);
}

static weir_str key_at(const weir__recall *recall, uint32_t at) {
    return weir_member_text(recall->items.items[at].data, "key");
}

void weir__recall_index(weir__recall *recall) {
    for (size_t i = recall->items.count; i-- > 0;) { /* so that the first is the first */
        uint64_t next;
        weir_str key = key_at(recall, (uint32_t)i);
        if (weir_map_get(&recall->keys, key, &next)) recall->items.items[i].next = (uint32_t)next;
        weir_map_set(&recall->keys, key, i);
        const weir_value *data = recall->items.items[i].data;
        recall->by_name = recall->by_name || weir_member_named(data, "by_name") ||
                          weir_int_get(weir_member_named(data, "task")) < 0;
    }
}

bool weir__recall_find(const weir__recall *recall, const char key[static WEIR__KEY_LENGTH + 1],
                       uint32_t *out) {
    uint64_t at;
    if (!weir_map_get(&recall->keys, (weir_str){key, WEIR__KEY_LENGTH}, &at)) return false;
    *out = (uint32_t)at;
    return true;
}

bool weir__recall_fits(const weir__recall *recall, uint32_t at) {
    uint64_t first;
    return at < recall->items.count && !recall->items.items[at].used &&
           weir_map_get(&recall->keys, key_at(recall, at), &first) && first == at;
}

void weir__recall_use(weir__recall *recall, uint32_t at) {
    weir__kept *kept = &recall->items.items[at];
    kept->used = true;
    weir_map_remove(&recall->keys, key_at(recall, at));
    if (kept->next != UINT32_MAX)
        weir_map_set(&recall->keys, key_at(recall, kept->next), kept->next);
}
