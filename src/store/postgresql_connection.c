#include "store/postgresql_connection.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/library.h"
#include "io/loop.h"

enum { CONNECT_SAID_US = 300 * 1000 }; /* how long a connection may take without a word */
enum { LEASE_S = 15, PATIENCE_S = 60, SECONDS_MAX = 24 * 3600, SERVER_MIN = 150000 };

/* --- the server ----------------------------------------------------------------------------- */

static const weir__libpq *given; /* instead of the module's; NULL: none */

void weir__pg_give_libpq(const weir__libpq *functions) {
    given = functions;
}

static bool open_libpq(const weir__libpq **out, weir_error *error) {
    void *symbol;
    weir__libpq_open *open;
    if (given) {
        *out = given;
        return true;
    }
    if (!weir_library_symbol("postgresql", "weir_postgresql_functions", &symbol, error))
        return false;
    memcpy(&open, &symbol, sizeof open);
    const weir__libpq *functions = open();
    if (functions->size != sizeof *functions)
        return weir_fail(error, WEIR_PLUGIN, "weir-postgresql.so is no module of this weir");
    *out = functions;
    return true;
}

/* Takes a parameter that is ours; false when it is not. */
static bool take_seconds(weir_str part, weir_str name, uint64_t *us, bool *sound) {
    if (!weir_str_starts(part, name)) return false;
    char text[16];
    snprintf(text, sizeof text, "%.*s", (int)(part.length - name.length), part.data + name.length);
    char *end;
    long seconds = strtol(text, &end, 10);
    *sound = *sound && end != text && !*end && seconds >= 1 && seconds <= SECONDS_MAX;
    *us = (uint64_t)seconds * 1000 * 1000;
    return true;
}

static bool split_url(weir__pg_server *s, weir_str url, weir_error *error) {
    weir_buffer rest = {0};
    bool sound = true;
    size_t query = weir_str_find(url, WEIR_STR("?"), 0);
    weir_str head = weir_str_slice(url, 0, query);
    weir_buffer_str_append(&rest, head);
    for (size_t at = head.length + 1, end; at < url.length; at = end + 1) {
        end = weir_str_find(url, WEIR_STR("&"), at);
        if (end > url.length) end = url.length;
        weir_str part = weir_str_slice(url, at, end);
        if (take_seconds(part, WEIR_STR("lease="), &s->lease_us, &sound) ||
            take_seconds(part, WEIR_STR("patience="), &s->patience_us, &sound))
            continue;
        weir_buffer_byte(&rest, rest.length == head.length ? '?' : '&');
        weir_buffer_str_append(&rest, part);
    }
    s->url = rest.data;
    return sound ? true
                 : weir_fail(error, WEIR_USAGE,
                             "`lease` and `patience` of a store are seconds, from 1 to %d",
                             SECONDS_MAX);
}

static bool read_url(weir__pg_server *s, weir_error *error) {
    char *why = NULL;
    PQconninfoOption *options = s->q->conninfoParse(s->url, &why);
    bool ok = options != NULL;
    if (!ok) {
        /* libpq repeats the URL, in which a password may be. */
        bool open = why && !strchr(s->url, '@') && !strstr(s->url, "password");
        int length = open ? (int)strcspn(why, "\n") : 0;
        weir_fail(error, WEIR_USAGE, "the store's URL is not understood%s%.*s", open ? ": " : "",
                  length, open ? why : "");
        weir_error_hint(error, "write postgresql://USER@HOST:PORT/DATABASE; characters such as `@` "
                               "and `/` in a part are written %%40, %%2F");
    }
    const char *host = "", *port = "", *database = "";
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        const char *value = o->val ? o->val : "";
        if (strcmp(o->keyword, "password") == 0 && o->val)
            s->password = weir_str_dup(weir_str_from(value));
        if (strcmp(o->keyword, "host") == 0) host = value;
        if (strcmp(o->keyword, "port") == 0) port = value;
        if (strcmp(o->keyword, "dbname") == 0) database = value;
    }
    weir_buffer where = {0};
    weir_buffer_printf(&where, "postgresql://%s%s%s/%s", host, *port ? ":" : "", port, database);
    s->where = where.data;
    s->q->freemem(why);
    if (options) s->q->conninfoFree(options);
    if (!s->password) s->password = weir_str_dup(WEIR_STR(""));
    return ok;
}

bool weir__pg_server_init(weir__pg_server *s, const char *url, weir_error *error) {
    *s = (weir__pg_server){.lease_us = LEASE_S * 1000 * 1000,
                           .patience_us = PATIENCE_S * 1000 * 1000};
    if (open_libpq(&s->q, error) && split_url(s, weir_str_from(url), error) && read_url(s, error))
        return true;
    weir__pg_server_deinit(s);
    return false;
}

void weir__pg_server_deinit(weir__pg_server *s) {
    weir_free(s->url);
    weir_free(s->password);
    weir_free(s->where);
    weir_free(s->append_rows);
    weir_free(s->append_few);
    *s = (weir__pg_server){0};
}

/* --- errors --------------------------------------------------------------------------------- */

void weir__pg_describe(const weir__pg *c, weir_buffer *out) {
    const weir__libpq *q = c->server->q;
    const char *user = c->connection ? q->user(c->connection) : NULL;
    const char *host = c->connection ? q->host(c->connection) : NULL;
    const char *port = c->connection ? q->port(c->connection) : NULL;
    const char *db = c->connection ? q->db(c->connection) : NULL;
    weir_buffer_printf(out, "postgresql://%s%s%s%s%s/%s", user ? user : "", user ? "@" : "",
                       host ? host : "", port && *port ? ":" : "", port ? port : "", db ? db : "");
}

static void hide_password(const weir__pg *c, char *text) {
    size_t length = strlen(c->server->password);
    for (char *at = text; length && (at = strstr(at, c->server->password)); at += length)
        memset(at, '*', length);
}

/* What went wrong, without where: "connection to server at … failed: FATAL:  …" begins with what we say ourselves. */
static void short_message(const weir__pg *c, const char *message, char *out, size_t size) {
    static const char *const heads[] = {"failed: ", "FATAL:  ", "ERROR:  "};
    size_t length = strcspn(message, "\n");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        const char *head = strstr(message, heads[i]);
        if (!head || (size_t)(head - message) >= length) continue;
        length -= (size_t)(head - message) + strlen(heads[i]);
        message = head + strlen(heads[i]);
    }
    snprintf(out, size, "%.*s", (int)length, message);
    hide_password(c, out);
    weir_text_end_whole(out, size);
}

static void connect_failed(const weir__pg *c, weir_error *error) {
    static const struct {
        const char *sign, *what, *hint;
    } reasons[] = {
        {"password authentication failed", "refuses the password",
         "PGPASSWORD, ~/.pgpass or a service of libpq has the right one"},
        {"no password supplied", "wants a password",
         "PGPASSWORD, ~/.pgpass or a service of libpq has it"},
        {"SSL", "cannot be reached by TLS", "see sslmode and sslrootcert of the URL"},
        {"certificate", "cannot be reached by TLS", "see sslmode and sslrootcert of the URL"},
        {"pg_hba.conf", "refuses the connection",
         "its pg_hba.conf says who may connect from where"},
        {"does not exist", "cannot be used", "`createuser` and `createdb` make what is missing"},
        {"permission denied", "may not be used by this user",
         "GRANT CONNECT ON DATABASE gives the right"},
        {"timeout expired", "does not answer",
         "see whether the server runs there; connect_timeout=SECONDS of the URL waits shorter"},
        {"", "cannot be reached", "see whether the server runs there"},
    };
    char why[300];
    weir_buffer where = {0};
    size_t i = 0;
    short_message(c, c->connection ? c->server->q->errorMessage(c->connection) : "out of memory",
                  why, sizeof why);
    while (!strstr(why, reasons[i].sign)) i++;
    weir__pg_describe(c, &where);
    weir_fail(error, WEIR_STORE, "the store %s %s: %s", where.data, reasons[i].what, why);
    weir_error_hint(error, "%s", reasons[i].hint);
    weir_buffer_deinit(&where);
}

/* Notes why, says it, and whether it is worth another try. */
static weir__pg_outcome failed(weir__pg *c, const PGresult *result, weir_error *error) {
    const weir__libpq *q = c->server->q;
    const char *state = result ? q->resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *constraint = result ? q->resultErrorField(result, PG_DIAG_CONSTRAINT_NAME) : NULL;
    const char *primary = result ? q->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    snprintf(c->state, sizeof c->state, "%s", state ? state : "");
    snprintf(c->constraint, sizeof c->constraint, "%s", constraint ? constraint : "");
    char why[300];
    weir_buffer where = {0};
    short_message(c, primary ? primary : q->errorMessage(c->connection), why, sizeof why);
    weir__pg_describe(c, &where);
    bool again = strcmp(c->state, "40001") == 0 || strcmp(c->state, "40P01") == 0;
    /* Without a state it is libpq that failed, before or instead of the server. */
    bool lost = !*c->state || q->status(c->connection) != CONNECTION_OK ||
                strncmp(c->state, "08", 2) == 0 || strncmp(c->state, "57P0", 4) == 0;
    if (strcmp(c->state, "42501") == 0) {
        weir_fail(error, WEIR_STORE, "the user lacks a right in the store %s: %s", where.data, why);
        weir_error_hint(error,
                        "an owner of the database can make the schema `weir`, and grant its use");
    } else if (strcmp(c->state, "53100") == 0) {
        weir_fail(error, WEIR_STORE, "the disk of the store %s is full", where.data);
        weir_error_hint(error, "make room there");
    } else if (strcmp(c->state, "25006") == 0) {
        weir_fail(error, WEIR_STORE, "the store %s is read-only", where.data);
        weir_error_hint(error, "name the primary server; target_session_attrs=read-write finds it");
    } else {
        weir_fail(error, WEIR_STORE, "the store %s %s: %s", where.data,
                  lost ? "was lost" : "cannot be used", why);
    }
    weir_buffer_deinit(&where);
    if (lost) weir__pg_disconnect(c);
    return lost || again ? WEIR__PG_LOST : WEIR__PG_FAILED;
}

/* --- connections ---------------------------------------------------------------------------- */

static void drop_notice(void *arg, const char *message) {
    (void)arg, (void)message;
}

void weir__pg_say_waits(weir__pg *c) {
    weir_buffer what = {0};
    if (c->waited || !c->listener.waits) return;
    c->waited = true;
    weir_buffer_printf(&what, "the store %s, which does not answer", c->server->where);
    c->listener.waits(c->listener.arg, what.data);
    weir_buffer_deinit(&what);
}

static void *make_connection(void *arg) {
    /* What the URL says comes later and wins; the encoding is ours. */
    static const char *const keys[] = {"connect_timeout",
                                       "fallback_application_name",
                                       "keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "tcp_user_timeout",
                                       "dbname",
                                       "client_encoding",
                                       NULL};
    const weir__pg *c = arg;
    const char *timeout = getenv("PGCONNECT_TIMEOUT");
    const char *const values[] = {timeout ? timeout : "10", "weir", "10", "3", "3", "20000",
                                  c->server->url,           "UTF8", NULL};
    return c->server->q->connectdbParams(keys, values, 1);
}

/* Beside this thread where somebody wants to know that it takes its time. */
static PGconn *connect_heard(weir__pg *c) {
    uint64_t due = weir_clock_steady_us() + CONNECT_SAID_US;
    struct timespec until = {(time_t)(due / 1000000), (long)(due % 1000000) * 1000};
    pthread_t thread;
    void *made;
    if (!c->listener.waits || weir_thread_start(&thread, make_connection, c))
        return make_connection(c);
    if (pthread_clockjoin_np(thread, &made, CLOCK_MONOTONIC, &until) != 0) {
        weir__pg_say_waits(c);
        pthread_join(thread, &made);
    }
    return made;
}

bool weir__pg_connect(weir__pg *c, weir_error *error) {
    const weir__libpq *q = c->server->q;
    if (c->connection) return true;
    c->prepared = 0;
    c->streaming = false;
    c->connection = connect_heard(c);
    if (!c->connection || q->status(c->connection) != CONNECTION_OK) {
        connect_failed(c, error);
        weir__pg_disconnect(c);
        return false;
    }
    c->waited = false;
    q->setNoticeProcessor(c->connection, drop_notice, NULL);
    if (q->serverVersion(c->connection) < SERVER_MIN) {
        weir_fail(error, WEIR_STORE, "the store's server is PostgreSQL %d; weir needs 15 or newer",
                  q->serverVersion(c->connection) / 10000);
        weir__pg_disconnect(c);
        return false;
    }
    PGresult *result = NULL;
    if (weir__pg_run(c, c->session, &result, error) != WEIR__PG_DONE) {
        weir__pg_disconnect(c);
        return false;
    }
    q->clear(result);
    return true;
}

void weir__pg_disconnect(weir__pg *c) {
    if (c->connection) c->server->q->finish(c->connection);
    c->connection = NULL;
}

static weir__pg_outcome judge(weir__pg *c, PGresult *result, PGresult **out, weir_error *error) {
    ExecStatusType status = c->server->q->resultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE) {
        *out = result;
        return WEIR__PG_DONE;
    }
    weir__pg_outcome outcome = failed(c, result, error);
    c->server->q->clear(result);
    return outcome;
}

weir__pg_outcome weir__pg_run(weir__pg *c, const char *sql, PGresult **out, weir_error *error) {
    return judge(c, c->server->q->exec(c->connection, sql), out, error);
}

/* --- statements ----------------------------------------------------------------------------- */

static weir__pg_outcome prepare(weir__pg *c, weir__pg_statement statement, char name[static 8],
                                weir_error *error) {
    snprintf(name, 8, "s%d", (int)statement);
    if (c->prepared & UINT64_C(1) << statement) return WEIR__PG_DONE;
    const char *sql = statement == WEIR__PG_APPEND_ROWS  ? c->server->append_rows
                      : statement == WEIR__PG_APPEND_FEW ? c->server->append_few
                                                         : weir__pg_sql[statement];
    PGresult *result = c->server->q->prepare(c->connection, name, sql, 0, NULL);
    weir__pg_outcome outcome = judge(c, result, &result, error);
    if (outcome != WEIR__PG_DONE) return outcome;
    c->server->q->clear(result);
    c->prepared |= UINT64_C(1) << statement;
    return WEIR__PG_DONE;
}

typedef struct bound {
    const char *values[WEIR__PG_PARAMETERS_MAX];
    int lengths[WEIR__PG_PARAMETERS_MAX], formats[WEIR__PG_PARAMETERS_MAX];
} bound;

static void bind(const weir__pg_parameters *p, bound *b) {
    for (int i = 0; i < p->count; i++) {
        b->values[i] = weir_buffer_str(&p->values[i]).data;
        b->lengths[i] = (int)p->values[i].length;
        b->formats[i] = 1;
    }
}

weir__pg_outcome weir__pg_execute(weir__pg *c, weir__pg_statement statement,
                                  const weir__pg_parameters *p, PGresult **out, weir_error *error) {
    char name[8];
    bound b;
    weir__pg_outcome outcome = prepare(c, statement, name, error);
    if (outcome != WEIR__PG_DONE) return outcome;
    bind(p, &b);
    return judge(c,
                 c->server->q->execPrepared(c->connection, name, p->count, b.values, b.lengths,
                                            b.formats, 1),
                 out, error);
}

weir__pg_outcome weir__pg_query(weir__pg *c, const char *sql, const weir__pg_parameters *p,
                                PGresult **out, weir_error *error) {
    bound b;
    bind(p, &b);
    return judge(c,
                 c->server->q->execParams(c->connection, sql, p->count, NULL, b.values, b.lengths,
                                          b.formats, 1),
                 out, error);
}

weir__pg_outcome weir__pg_stream(weir__pg *c, weir__pg_statement statement,
                                 const weir__pg_parameters *p, weir_error *error) {
    char name[8];
    bound b;
    weir__pg_outcome outcome = prepare(c, statement, name, error);
    if (outcome != WEIR__PG_DONE) return outcome;
    bind(p, &b);
    if (!c->server->q->sendQueryPrepared(c->connection, name, p->count, b.values, b.lengths,
                                         b.formats, 1))
        return failed(c, NULL, error);
    c->server->q->setSingleRowMode(c->connection);
    c->streaming = true;
    return WEIR__PG_DONE;
}

weir__pg_outcome weir__pg_next(weir__pg *c, PGresult **out, weir_error *error) {
    const weir__libpq *q = c->server->q;
    PGresult *result = q->getResult(c->connection), *row = NULL;
    *out = NULL;
    if (!result) {
        c->streaming = false;
        return WEIR__PG_DONE;
    }
    weir__pg_outcome outcome = judge(c, result, &row, error);
    if (outcome == WEIR__PG_DONE && q->ntuples(row) > 0) {
        *out = row;
        return WEIR__PG_DONE;
    }
    if (row) q->clear(row); /* the end has a result of its own, without rows */
    while (c->connection && (result = q->getResult(c->connection))) q->clear(result);
    c->streaming = false;
    return outcome;
}

void weir__pg_stop(weir__pg *c) {
    const weir__libpq *q = c->server->q;
    if (!c->connection || !c->streaming) return;
    char ignored[256];
    PGcancel *cancel = q->getCancel(c->connection);
    if (cancel) q->cancel(cancel, ignored, sizeof ignored);
    q->freeCancel(cancel);
    for (PGresult *result; (result = q->getResult(c->connection));) q->clear(result);
    c->streaming = false;
}
