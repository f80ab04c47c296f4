/* Any text as a cron expression (its first line), any bytes as a time zone's file (the rest): it ends well or with an error, and the
 * next time is behind the last. */
#include "schedule/cron.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *allocate(void *arena, size_t bytes) {
    return weir_arena_alloc(arena, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir_str all = {(const char *)data, size};
    size_t end = weir_str_find(all, WEIR_STR("\n"), 0);
    if (end == SIZE_MAX) end = size;
    weir_str text = weir_str_slice(all, 0, end), file = weir_str_slice(all, end + 1, size);
    weir_arena arena;
    weir_cron cron;
    weir_error error;
    x_zone zone;
    weir_arena_init(&arena);
    bool read = weir__gotime_zone_read(WEIR_STR("fuzz"), file, allocate, &arena, &zone);
    if (weir_cron_parse(text, &cron, &error)) {
        int64_t at = 1774659600, next;
        for (int i = 0; i < 3 && weir_cron_next(&cron, read ? &zone : &weir__gotime_utc, at, &next);
             i++) {
            weir_assert(read || next > at);
            at = next;
        }
    } else {
        weir_assert(error.message[0]);
    }
    weir_arena_deinit(&arena);
    return 0;
}
