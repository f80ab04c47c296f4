#include "virtual_server.h"

#include <endian.h>
#include <stdio.h>

enum { FLUSH_US_MAX = 600 * 1000, HEAD_BYTES = 20, COUNT_AT = 12 };

void virtual_server_deinit(virtual_server *server) {
    for (size_t i = 0; i < server->journal.count; i++)
        weir_buffer_deinit(&server->journal.items[i].bytes);
    weir_vector_deinit(&server->journal);
}

uint64_t virtual_server_clock_us(const virtual_server *server) {
    return (uint64_t)((int64_t)server->sim->now_us + server->clock_us);
}

/* --- the disk ------------------------------------------------------------------------------- */

void virtual_server_flush(virtual_server *server) {
    for (size_t i = server->kept.batches; i < server->now.batches; i++)
        server->committed(server->arg, weir_buffer_str(&server->journal.items[i].bytes));
    server->kept = server->now;
}

static void flush_later(void *arg, uint64_t crashes) {
    virtual_server *server = arg;
    if (crashes == server->crashes) virtual_server_flush(server);
}

static void commit(virtual_server *server, bool lazy) {
    if (lazy)
        simulation_add(server->sim, simulation_draw(server->sim, FLUSH_US_MAX), flush_later, server,
                       server->crashes);
    else
        virtual_server_flush(server);
}

void virtual_server_crash(virtual_server *server) {
    server->crashes++;
    while (server->journal.count > server->kept.batches)
        weir_buffer_deinit(&server->journal.items[--server->journal.count].bytes);
    server->now = server->kept;
}

/* --- values in binary form ------------------------------------------------------------------ */

static uint32_t take_32(const char *at) {
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return be32toh(number);
}

static int64_t number_of(weir_str bytes) {
    uint64_t bits;
    weir_assert(bytes.length == sizeof bits);
    memcpy(&bits, bytes.data, sizeof bits);
    return (int64_t)be64toh(bits);
}

static uint32_t count_of(weir_str array) {
    return take_32(array.data + COUNT_AT);
}

static weir_str element(weir_str array, uint32_t number) {
    const char *at = array.data + HEAD_BYTES;
    weir_assert(number < count_of(array));
    for (; number; number--) at += 4 + take_32(at);
    return (weir_str){at + 4, take_32(at)};
}

static void keep_text(char to[static SERVER_TEXT_MAX], weir_str text) {
    weir_assert(text.length < SERVER_TEXT_MAX);
    snprintf(to, SERVER_TEXT_MAX, "%.*s", WEIR_ARG(text));
}

void server_answer_deinit(server_answer *answer) {
    for (size_t i = 0; i < answer->cells.count; i++) weir_buffer_deinit(&answer->cells.items[i]);
    weir_vector_deinit(&answer->cells);
}

static void add_text(server_answer *out, weir_str text) {
    weir_buffer cell = {0};
    weir_buffer_text(&cell, "");
    weir_buffer_str_append(&cell, text);
    *weir_vector_push(&out->cells) = cell;
}

static void add_number(server_answer *out, int64_t number) {
    uint64_t bits = htobe64((uint64_t)number);
    add_text(out, (weir_str){(const char *)&bits, sizeof bits});
}

static void end_row(server_answer *out) {
    out->rows++;
    out->columns = (int)out->cells.count / out->rows;
}

/* --- statements ----------------------------------------------------------------------------- */

static bool has_lease(const virtual_server *server, int64_t fence, weir_str engine) {
    const server_lease *lease = &server->now.lease;
    return lease->there && (int64_t)lease->fence == fence && weir_str_is(engine, lease->engine);
}

static const server_batch *find_batch(const virtual_server *server, int64_t sequence) {
    bool there = sequence > 0 && (uint64_t)sequence <= server->now.batches;
    return there ? &server->journal.items[sequence - 1] : NULL;
}

/* All or none; the parameters are those of weir__pg_add_write. */
static void append(virtual_server *server, const weir_str *p, bool lazy, server_answer *out) {
    enum {
        SEQ = 1,
        CHECKSUM,
        BYTES,
        FENCE,
        LEASE,
        ID,
        PHASE = 9,
        OWNER = 11,
        FINISHED = 14,
        FORM = 16,
        ENGINE
    };
    uint32_t count = count_of(p[SEQ]);
    for (uint32_t i = 0; i < count; i++) {
        if (number_of(element(p[LEASE], i)))
            simulation_problem(
                server->sim, "a lease comes or goes with a batch: its engine owned the run before");
        if (!has_lease(server, number_of(element(p[FENCE], i)), p[ENGINE])) return;
    }
    for (uint32_t i = 0; i < count; i++)
        if (find_batch(server, number_of(element(p[SEQ], i)))) {
            snprintf(out->state, sizeof out->state, "23505");
            out->constraint = "journal_pkey";
            return;
        }
    for (uint32_t i = 0; i < count; i++) {
        int64_t sequence = number_of(element(p[SEQ], i));
        if (sequence != (int64_t)server->now.batches + 1)
            simulation_problem(server->sim, "batch %lld is written behind batch %zu",
                               (long long)sequence, server->now.batches);
        server_batch *batch = weir_vector_push(&server->journal);
        *batch = (server_batch){.version = number_of(p[FORM]),
                                .checksum = number_of(element(p[CHECKSUM], i))};
        weir_buffer_str_append(&batch->bytes, element(p[BYTES], i));
        server->now.batches++;
    }
    server_record *record = &server->now.record;
    for (uint32_t i = 0; i < count_of(p[ID]); i++) {
        record->there = true;
        keep_text(record->phase, element(p[PHASE], i));
        keep_text(record->owner, element(p[OWNER], i));
        record->finished_us = (uint64_t)number_of(element(p[FINISHED], i));
    }
    out->touched = count;
    commit(server, lazy);
}

static void look_up(const virtual_server *server, const weir_str *p, server_answer *out) {
    int64_t found = 0;
    for (uint32_t i = 0; i < count_of(p[1]); i++) {
        const server_batch *batch = find_batch(server, number_of(element(p[1], i)));
        found += batch && batch->checksum == number_of(element(p[2], i));
    }
    add_number(out, found);
    end_row(out);
}

static void read(const virtual_server *server, const weir_str *p, server_answer *out) {
    const server_batch *batch;
    for (int64_t sequence = number_of(p[1]); (batch = find_batch(server, sequence)); sequence++) {
        add_number(out, sequence);
        add_number(out, batch->version);
        add_number(out, batch->checksum);
        add_text(out, weir_buffer_str(&batch->bytes));
        end_row(out);
    }
}

static void find(const virtual_server *server, const weir_str *p, server_answer *out) {
    const server_record *record = &server->now.record;
    const char *const texts[] = {"", "simulation",  "simulated", record->phase,
                                 "", record->owner, ""};
    if (!record->there) return;
    add_text(out, p[0]);
    for (size_t i = 1; i < sizeof texts / sizeof *texts; i++)
        add_text(out, weir_str_from(texts[i]));
    add_number(out, 0);
    add_number(out, (int64_t)record->finished_us);
    add_text(out, WEIR_STR(""));
    add_number(out, 1);
    end_row(out);
}

static void put_lease(virtual_server *server, uint64_t fence, weir_str owner, weir_str engine,
                      weir_str process, int64_t lease_us, bool lazy, server_answer *out) {
    server_lease *lease = &server->now.lease;
    *lease = (server_lease){.there = true, .fence = fence};
    keep_text(lease->owner, owner);
    keep_text(lease->engine, engine);
    keep_text(lease->process, process);
    lease->expires_us = virtual_server_clock_us(server) + (uint64_t)lease_us;
    add_number(out, (int64_t)fence);
    end_row(out);
    commit(server, lazy);
}

static void take(virtual_server *server, const weir_str *p, bool lazy, server_answer *out) {
    const server_lease *lease = &server->now.lease;
    uint64_t fence = ++server->now.fences;
    if (lease->there && lease->expires_us > virtual_server_clock_us(server) &&
        !weir_str_is(p[2], lease->engine) && (int64_t)lease->fence != number_of(p[5]))
        return;
    put_lease(server, fence, p[1], p[2], p[3], number_of(p[4]), lazy, out);
}

static void look(const virtual_server *server, server_answer *out) {
    const server_lease *lease = &server->now.lease;
    if (!lease->there) return;
    int64_t left_us = (int64_t)lease->expires_us - (int64_t)virtual_server_clock_us(server);
    add_number(out, (int64_t)lease->fence);
    add_text(out, weir_str_from(lease->owner));
    add_text(out, weir_str_from(lease->process));
    add_number(out, left_us > 0 ? (left_us + 999999) / 1000000 : left_us / 1000000);
    end_row(out);
}

static void restore(virtual_server *server, const weir_str *p, bool lazy, server_answer *out) {
    const server_record *record = &server->now.record;
    bool other = record->there && (record->finished_us || !weir_str_is(p[2], record->owner));
    bool mine = has_lease(server, number_of(p[1]), p[3]);
    if ((server->now.lease.there && !mine) || other) return;
    put_lease(server, (uint64_t)number_of(p[1]), p[2], p[3], p[4], number_of(p[5]), lazy, out);
}

static void beat(virtual_server *server, const weir_str *p, bool lazy, server_answer *out) {
    for (uint32_t i = 0; i < count_of(p[0]); i++) {
        if (!has_lease(server, number_of(element(p[1], i)), p[3])) continue;
        server->now.lease.expires_us = virtual_server_clock_us(server) + (uint64_t)number_of(p[2]);
        add_text(out, element(p[0], i));
        end_row(out);
        commit(server, lazy);
    }
}

static void end(virtual_server *server, const weir_str *p, bool lazy) {
    if (!has_lease(server, number_of(p[1]), p[2])) return;
    server->now.lease.there = false;
    commit(server, lazy);
}

void virtual_server_execute(virtual_server *server, weir__pg_statement statement, int count,
                            const weir_str *p, bool lazy, server_answer *out) {
    weir_assert(count > 0);
    switch (statement) {
    case WEIR__PG_APPEND: append(server, p, lazy, out); break;
    case WEIR__PG_LOOK_UP: look_up(server, p, out); break;
    case WEIR__PG_READ: read(server, p, out); break;
    case WEIR__PG_FIND: find(server, p, out); break;
    case WEIR__PG_LEASE_TAKE: take(server, p, lazy, out); break;
    case WEIR__PG_LEASE_LOOK: look(server, out); break;
    case WEIR__PG_LEASE_RESTORE: restore(server, p, lazy, out); break;
    case WEIR__PG_LEASE_BEAT: beat(server, p, lazy, out); break;
    case WEIR__PG_LEASE_END: end(server, p, lazy); break;
    case WEIR__PG_COMMANDS: break;
    default:
        simulation_problem(server->sim, "a statement that the virtual server does not know: %d",
                           (int)statement);
    }
}
