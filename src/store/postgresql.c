#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "store/postgresql_internal.h"
#include "store/process_name.h"
#include "store/sql_internal.h"

enum {
    ASK_US_MAX = 10 * 1000 * 1000, /* how long the loop's thread waits for a server that is away */
    ASK_DELAY_US = 100 * 1000,
    GROUP_ROWS_MAX = 1000,
    GROUP_BYTES_MAX = 8 * 1024 * 1024,
    SYNC_US = 10 * 1000, /* as on SQLite */
    BEAT_US = 20 * 1000  /* how often commands are looked for */
};

/* --- questions ------------------------------------------------------------------------------ */

/* A connection whose rows nobody is visiting. */
weir__pg *weir__pg_idle_reader(weir__postgresql *s) {
    size_t i = 0;
    while (i < WEIR__PG_READERS && s->readers[i].streaming) i++;
    weir_assert(i < WEIR__PG_READERS); /* visitors within visitors within visitors */
    return &s->readers[i];
}

/* Whether it is worth to try again, after a moment. */
static bool may_wait(weir__postgresql *s, uint64_t since_us) {
    uint64_t most = s->server.patience_us < ASK_US_MAX ? s->server.patience_us : ASK_US_MAX;
    s->away = s->hurried || weir_clock_steady_us() - since_us >= most;
    if (s->away) return false;
    weir__pg_say_waits(weir__pg_idle_reader(s));
    nanosleep(&(struct timespec){.tv_nsec = ASK_DELAY_US * 1000}, NULL);
    return true;
}

static bool ask(weir__postgresql *s, weir__pg_statement statement, const char *sql,
                const weir__pg_parameters *parameters, weir__pg **connection, PGresult **out,
                weir_error *error) {
    weir__pg *c = *connection = weir__pg_idle_reader(s);
    uint64_t since = weir_clock_steady_us();
    s->away = false;
    do {
        weir__pg_outcome outcome = WEIR__PG_LOST;
        if (weir__pg_connect(c, error))
            outcome = sql ? weir__pg_query(c, sql, parameters, out, error)
                          : weir__pg_execute(c, statement, parameters, out, error);
        if (outcome != WEIR__PG_LOST) return outcome == WEIR__PG_DONE;
    } while (may_wait(s, since));
    return false;
}

bool weir__pg_ask(weir__postgresql *s, weir__pg_statement statement,
                  const weir__pg_parameters *parameters, weir__pg **connection, PGresult **out,
                  weir_error *error) {
    return ask(s, statement, NULL, parameters, connection, out, error);
}

bool weir__pg_ask_sql(weir__postgresql *s, const char *sql, const weir__pg_parameters *parameters,
                      weir__pg **connection, PGresult **out, weir_error *error) {
    return ask(s, WEIR__PG_STATEMENTS, sql, parameters, connection, out, error);
}

static void postgresql_hurry(weir_store *store, bool hurry) {
    ((weir__postgresql *)store)->hurried = hurry;
}

static uint64_t postgresql_away(weir_store *store) {
    const weir__postgresql *s = (weir__postgresql *)store;
    return s->away ? s->server.patience_us : 0;
}

/* --- reading -------------------------------------------------------------------------------- */

typedef struct reading {
    weir_str run;
    uint64_t next; /* the batch that should come */
    weir__batch_visit *visit;
    void *arg;
    bool stopped; /* by the visitor */
} reading;

/* The rows that come, until the end, a loss of the connection, or enough. */
static weir__pg_outcome visit_rows(weir__pg *c, reading *r, weir_error *error) {
    for (;;) {
        PGresult *row;
        weir__pg_outcome outcome = weir__pg_next(c, &row, error);
        if (outcome != WEIR__PG_DONE || !row) return outcome;
        weir_str bytes = weir__pg_text(c, row, 0, 3);
        bool sound = weir__batch_check(r->run, &r->next, (uint64_t)weir__pg_number(c, row, 0, 0),
                                       weir__pg_number(c, row, 0, 1), weir__pg_number(c, row, 0, 2),
                                       bytes, error);
        r->stopped = sound && !r->visit(r->arg, r->next++, bytes);
        c->server->q->clear(row);
        if (!sound || r->stopped) {
            weir__pg_stop(c);
            return sound ? WEIR__PG_DONE : WEIR__PG_FAILED;
        }
    }
}

static weir__pg_outcome read_on(weir__pg *c, reading *r, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, r->run);
    weir__pg_add_number(&p, (int64_t)r->next);
    weir__pg_outcome outcome = weir__pg_stream(c, WEIR__PG_READ, &p, error);
    weir__pg_parameters_deinit(&p);
    return outcome == WEIR__PG_DONE ? visit_rows(c, r, error) : outcome;
}

static bool postgresql_read(weir_store *store, weir_str run, uint64_t from,
                            weir__batch_visit *visit, void *arg, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg *c = weir__pg_idle_reader(s);
    reading r = {.run = run, .next = from ? from : 1, .visit = visit, .arg = arg};
    uint64_t since = weir_clock_steady_us(), before = r.next;
    s->away = false;
    do {
        weir__pg_outcome outcome = WEIR__PG_LOST;
        if (weir__pg_connect(c, error)) outcome = read_on(c, &r, error);
        if (outcome != WEIR__PG_LOST) return outcome == WEIR__PG_DONE;
        if (r.next != before) since = weir_clock_steady_us();
        before = r.next;
    } while (may_wait(s, since));
    return false;
}

/* Every byte is read, so that the server sees a page that is damaged. */
static bool postgresql_check(weir_store *store, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask(s, WEIR__PG_CHECK, &p, &c, &result, error)) return false;
    s->server.q->clear(result);
    return true;
}

/* --- open and close ------------------------------------------------------------------------- */

static void postgresql_append(weir_store *store, weir_str run, uint64_t sequence, weir_buffer bytes,
                              weir_buffer rows, const weir_run_record *record,
                              weir__append_done *done, void *arg) {
    weir__postgresql *s = (weir__postgresql *)store;
    uint64_t lease, fence = weir__pg_fence_to_append(s, run, record && record->finished_us, &lease);
    weir__writer_append(s->writer, run, sequence, fence, lease, bytes, rows, record, done, arg);
}

static bool postgresql_flush(weir_store *store, uint64_t timeout_us) {
    return weir__writer_flush(((weir__postgresql *)store)->writer, timeout_us);
}

static void postgresql_close(weir_store *store) {
    weir__postgresql *s = (weir__postgresql *)store;
    if (s->writer) weir__writer_close(s->writer);
    weir__pg_drop_leases(s);
    weir__pg_disconnect(&s->writer_connection);
    for (size_t i = 0; i < WEIR__PG_READERS; i++) weir__pg_disconnect(&s->readers[i]);
    pthread_mutex_destroy(&s->lock);
    weir_buffer_deinit(&s->owner);
    weir_buffer_deinit(&s->process);
    weir__pg_server_deinit(&s->server);
    weir_free(s);
}

static void name_itself(weir__postgresql *s) {
    char host[200] = "localhost";
    uint64_t chance;
    if (getrandom(&chance, sizeof chance, 0) != sizeof chance) chance = weir_clock_steady_us();
    snprintf(s->engine, sizeof s->engine, "%016" PRIx64, chance);
    gethostname(host, sizeof host - 1);
    weir_buffer_printf(&s->owner, "%s:%ld", host, (long)getpid());
    weir__process_name(&s->process);
}

/* Statements look up rows by keys, so one plan is as good for all arguments, and making one takes longer than an append. The
 * writer's is made once, maybe while tables are still empty: it must not be one that reads all of them. */
#define PLANS "SET plan_cache_mode = force_generic_plan; "
#define WRITER PLANS "SET enable_seqscan = off; "

/* Leases and what readers change need no fsync: the first append that counts on a lease brings it along. */
static const char reader_session[] = PLANS "SET synchronous_commit = off";
static const char batch_session[] = WRITER "SET synchronous_commit = off";
static const char full_session[] =
    WRITER "SELECT set_config('synchronous_commit', 'on', false)"
           " WHERE current_setting('synchronous_commit') = 'off'"; /* what is stricter stays */

/* On the writer's thread. */
static void beat(void *store) {
    weir__postgresql *s = store;
    uint64_t now = weir_clock_steady_us();
    weir__pg_look_for_commands(s);
    if (now < s->renew_us) return;
    weir__pg_beat(s);
    s->renew_us = now + s->server.lease_us / 4;
}

static void connect_parts(weir__postgresql *s, weir_durability durability) {
    bool full = durability == WEIR_DURABILITY_FULL;
    for (size_t i = 0; i < WEIR__PG_READERS; i++)
        s->readers[i] = (weir__pg){.server = &s->server, .session = reader_session};
    s->writer_connection =
        (weir__pg){.server = &s->server, .session = full ? full_session : batch_session};
    s->class = (weir__writer_class){.write = weir__pg_write,
                                    .sync = weir__pg_sync,
                                    .sync_us = full ? 0 : SYNC_US,
                                    .beat = beat,
                                    .beat_us = BEAT_US,
                                    .rows_max = GROUP_ROWS_MAX,
                                    .bytes_max = GROUP_BYTES_MAX,
                                    .kinds_apart = true};
    s->writer = weir__writer_open(s->loop, &s->class, s);
}

bool weir__store_postgresql_open(weir_loop *loop, const char *url, weir_durability durability,
                                 const weir_store_listener *listener, weir_store **out,
                                 weir_error *error) {
    static const weir__store_kind kind = {.close = postgresql_close,
                                          .append = postgresql_append,
                                          .flush = postgresql_flush,
                                          .read = postgresql_read,
                                          .hurry = postgresql_hurry,
                                          .away = postgresql_away,
                                          .select = weir__pg_select,
                                          .remove = weir__pg_delete,
                                          .leftovers = weir__pg_leftovers,
                                          .forget = weir__pg_forget,
                                          .measure = weir__pg_measure,
                                          .measure_run = weir__pg_measure_run,
                                          .keep = weir__pg_keep,
                                          .find = weir__pg_find,
                                          .names = weir__pg_names,
                                          .check = postgresql_check,
                                          .own = weir__pg_own,
                                          .begin = weir__pg_begin,
                                          .disown = weir__pg_disown,
                                          .is_owned = weir__pg_is_owned,
                                          .is_abandoned = weir__pg_is_abandoned,
                                          .holds = weir__pg_holds,
                                          .derive = weir__pg_derive,
                                          .derived = weir__pg_derived,
                                          .streams = weir__pg_streams,
                                          .inspect = weir__pg_inspect,
                                          .cut = weir__pg_cut,
                                          .shorten = weir__pg_shorten,
                                          .sql = weir__pg_sql_open,
                                          .register_get = weir__pg_register_get,
                                          .register_put = weir__pg_register_put,
                                          .register_list = weir__pg_register_list,
                                          .history = weir__pg_history,
                                          .register_remove = weir__pg_register_remove,
                                          .memo_find = weir__pg_memo_find,
                                          .memo_put = weir__pg_memo_put,
                                          .memo_list = weir__pg_memo_list,
                                          .refer = weir__pg_refer,
                                          .references = weir__pg_references,
                                          .forsaken = weir__pg_forsaken,
                                          .forsake = weir__pg_forsake,
                                          .unrefer = weir__pg_unrefer,
                                          .memo_remove = weir__pg_memo_remove,
                                          .ask = weir__pg_command,
                                          .answer = weir__pg_answer};
    weir__postgresql *s = weir_alloc(sizeof *s);
    s->store.kind = &kind;
    s->loop = loop;
    if (!weir__pg_server_init(&s->server, url, error)) {
        weir_free(s);
        return false;
    }
    s->server.append_rows = weir__pg_append_rows_sql(false);
    s->server.append_few = weir__pg_append_rows_sql(true);
    pthread_mutex_init(&s->lock, NULL);
    name_itself(s);
    connect_parts(s, durability);
    for (size_t i = 0; i < WEIR__PG_READERS; i++) s->readers[i].listener = *listener;
    if (!weir__pg_connect(&s->readers[0], error) ||
        !weir__pg_prepare_schema(&s->readers[0], error)) {
        postgresql_close(&s->store);
        return false;
    }
    *out = &s->store;
    return true;
}
