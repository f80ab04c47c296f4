#include "lease_store.h"

#include <inttypes.h>
#include <stdio.h>

#include "store/postgresql_internal.h"
#include "store/process_name.h"

/* Short leases, so that they end within a run. */
static const char url[] = "postgresql://simulator/simulation?lease=2&patience=8";

static weir_loop *loops[LEASE_STORE_LOOPS];
static uint64_t alive[LEASE_STORE_LOOPS];
static bool spread;

/* In the stead of store/process_name.c. */
void weir__process_name(weir_buffer *out) {
    weir_buffer_clear(out);
    weir_buffer_text(out, "");
}

bool weir__process_is_dead(weir_str name) {
    char text[SERVER_TEXT_MAX];
    unsigned engine;
    uint64_t process;
    snprintf(text, sizeof text, "%.*s", WEIR_ARG(name));
    return !spread && sscanf(text, "engine %u process %" SCNu64, &engine, &process) == 2 &&
           engine < LEASE_STORE_LOOPS && alive[engine] != process;
}

bool lease_store_open(uint32_t engine, uint64_t process, weir_store **out,
                      char owner[static SERVER_TEXT_MAX], weir_error *error) {
    if (!loops[engine] && !weir_loop_open(&loops[engine], error)) return false;
    if (!weir_store_open(loops[engine], NULL, url, WEIR_DURABILITY_FULL, out, error)) return false;
    weir__postgresql *store = (weir__postgresql *)*out;
    weir__writer_move_by_hand(store->writer);
    snprintf(owner, SERVER_TEXT_MAX, "host%u:%" PRIu64, engine, process);
    weir_buffer_clear(&store->owner);
    weir_buffer_text(&store->owner, owner);
    weir_buffer_clear(&store->process);
    weir_buffer_printf(&store->process, "engine %u process %" PRIu64, engine, process);
    snprintf(store->engine, sizeof store->engine, "%016" PRIx64, process);
    return true;
}

void lease_store_turn(weir_store *store) {
    (void)weir__writer_turn(((weir__postgresql *)store)->writer);
}

void lease_store_deliver(uint32_t engine) {
    if (loops[engine]) weir_loop_once(loops[engine], false);
}

const char *lease_store_engine(const weir_store *store) {
    return ((const weir__postgresql *)store)->engine;
}

void lease_store_note_process(uint32_t engine, uint64_t process) {
    alive[engine] = process;
}

void lease_store_spread(bool machines) {
    spread = machines;
}

void lease_store_end(void) {
    for (size_t i = 0; i < LEASE_STORE_LOOPS; i++)
        if (loops[i]) weir_loop_close(loops[i]);
}
