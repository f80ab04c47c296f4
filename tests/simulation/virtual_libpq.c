#include "virtual_libpq.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TRIP_US_MAX = 1500, /* there, or back */
    LATE_US_MAX = 400 * 1000,
    LOSS_CHANCE = 25,
    VERSION = 150000
};

struct pg_conn {
    virtual_server *server;
    bool broken, lazy;
    uint64_t crashes; /* of the server before it was made */
    uint32_t engine;
    long schema; /* the version that is not committed; -1: none */
    PGresult *streamed;
    int row; /* that comes next */
};

struct pg_result {
    ExecStatusType status;
    server_answer answer;
    char touched[24];
};

static virtual_server *used;
static long schema = -1; /* the version; -1: there is none */

/* --- results -------------------------------------------------------------------------------- */

static PGresult *result_new(ExecStatusType status) {
    PGresult *result = weir_alloc(sizeof *result);
    result->status = status;
    return result;
}

static void clear(PGresult *result) {
    if (result) server_answer_deinit(&result->answer);
    weir_free(result);
}

static ExecStatusType result_status(const PGresult *result) {
    return result->status;
}

static char *result_error_field(const PGresult *result, int field) {
    if (field == PG_DIAG_SQLSTATE)
        return result->answer.state[0] ? (char *)(uintptr_t)result->answer.state : NULL;
    if (field == PG_DIAG_CONSTRAINT_NAME) return (char *)(uintptr_t)result->answer.constraint;
    return NULL;
}

static int ntuples(const PGresult *result) {
    return result->answer.rows;
}

static const weir_buffer *cell(const PGresult *result, int row, int column) {
    weir_assert(row < result->answer.rows && column < result->answer.columns);
    return &result->answer.cells.items[row * result->answer.columns + column];
}

static char *getvalue(const PGresult *result, int row, int column) {
    return cell(result, row, column)->data;
}

static int getlength(const PGresult *result, int row, int column) {
    return (int)cell(result, row, column)->length;
}

static int getisnull(const PGresult *result, int row, int column) {
    return !cell(result, row, column)->data;
}

static char *cmd_tuples(PGresult *result) {
    snprintf(result->touched, sizeof result->touched, "%llu",
             (unsigned long long)result->answer.touched);
    return result->touched;
}

/* --- connections ---------------------------------------------------------------------------- */

static PQconninfoOption *conninfo_parse(const char *text, char **why) {
    (void)text;
    *why = NULL;
    return calloc(1, sizeof(PQconninfoOption)); /* one without a keyword ends the list */
}

static bool is_broken(const PGconn *c) {
    return c->broken || c->crashes != c->server->crashes || c->server->away ||
           c->server->cut_off & 1u << c->engine || c->server->is_dead(c->server->arg);
}

static void pass(const virtual_server *server) {
    server->wait(server->arg, 1 + simulation_draw(server->sim, TRIP_US_MAX));
}

static PGconn *connectdb_params(const char *const *keys, const char *const *values, int expand) {
    (void)keys, (void)values, (void)expand;
    PGconn *c = weir_alloc(sizeof *c);
    *c = (PGconn){.server = used, .engine = used->asker(used->arg), .schema = -1};
    pass(used);
    c->crashes = used->crashes;
    c->broken = is_broken(c);
    return c;
}

static void finish(PGconn *c) {
    clear(c->streamed);
    weir_free(c);
}

static ConnStatusType status(const PGconn *c) {
    return is_broken(c) ? CONNECTION_BAD : CONNECTION_OK;
}

static char *error_message(const PGconn *c) {
    static char text[] = "the connection is broken";
    (void)c;
    return text;
}

static char *nothing_of(const PGconn *c) {
    static char text[] = "";
    (void)c;
    return text;
}

static int server_version(const PGconn *c) {
    (void)c;
    return VERSION;
}

static PQnoticeProcessor set_notice_processor(PGconn *c, PQnoticeProcessor process, void *arg) {
    (void)c, (void)arg;
    return process;
}

/* --- statements ----------------------------------------------------------------------------- */

static PGresult *result_number(long number) {
    PGresult *result = result_new(PGRES_TUPLES_OK);
    weir_buffer text = {0};
    weir_buffer_printf(&text, "%ld", number);
    *weir_vector_push(&result->answer.cells) = text;
    result->answer.rows = result->answer.columns = 1;
    return result;
}

static bool begins(const char *sql, const char *with) {
    return strncmp(sql, with, strlen(with)) == 0;
}

/* Settings, the schema's migrations, of which only the number counts, and a commit that waits for the disk. None of them takes
 * time, so that it does not matter who makes the schema. */
static PGresult *exec(PGconn *c, const char *sql) {
    long version;
    if (is_broken(c)) return result_new(PGRES_FATAL_ERROR);
    if (strstr(sql, "pg_logical_emit_message")) virtual_server_flush(c->server);
    if (begins(sql, "SET ")) c->lazy |= strstr(sql, "synchronous_commit = off") != NULL;
    if (begins(sql, "SELECT version FROM weir.schema")) {
        if (schema >= 0) return result_number(schema);
        PGresult *result = result_new(PGRES_FATAL_ERROR);
        snprintf(result->answer.state, sizeof result->answer.state, "42P01");
        return result;
    }
    if (sscanf(sql, "UPDATE weir.schema SET version = %ld", &version) == 1) c->schema = version;
    if (strcmp(sql, "COMMIT") == 0) schema = c->schema;
    return begins(sql, "SELECT count") ? result_number(0) : result_new(PGRES_COMMAND_OK);
}

static PGresult *prepare(PGconn *c, const char *name, const char *sql, int count,
                         const Oid *types) {
    (void)name, (void)sql, (void)count, (void)types;
    return result_new(is_broken(c) ? PGRES_FATAL_ERROR : PGRES_COMMAND_OK);
}

static PGresult *exec_params(PGconn *c, const char *sql, int count, const Oid *types,
                             const char *const *values, const int *lengths, const int *formats,
                             int format) {
    (void)count, (void)types, (void)values, (void)lengths, (void)formats, (void)format;
    simulation_problem(c->server->sim, "SQL that the virtual server does not know: %.100s", sql);
    return result_new(PGRES_FATAL_ERROR);
}

/* A statement on its way, with parameters of its own, as its sender may be gone when it is carried out. */
typedef struct sent {
    virtual_server *server;
    weir__pg_statement statement;
    int count;
    bool lazy;
    weir_str parameters[WEIR__PG_PARAMETERS_MAX];
    char *memory;
} sent;

static sent *send_statement(const PGconn *c, const char *name, int count, const char *const *values,
                            const int *lengths) {
    sent *s = weir_alloc(sizeof *s);
    size_t size = 0;
    for (int i = 0; i < count; i++) size += (size_t)lengths[i];
    char *at = weir_alloc(size + 1);
    *s = (sent){.server = c->server,
                .statement = (weir__pg_statement)strtol(name + 1, NULL, 10),
                .count = count,
                .lazy = c->lazy,
                .memory = at};
    for (int i = 0; i < count; i++) {
        if (lengths[i]) memcpy(at, values[i], (size_t)lengths[i]);
        s->parameters[i] = (weir_str){at, (size_t)lengths[i]};
        at += lengths[i];
    }
    return s;
}

static void sent_free(sent *s) {
    weir_free(s->memory);
    weir_free(s);
}

static void carry_out_late(void *arg, uint64_t crashes) {
    sent *s = arg;
    server_answer answer = {0};
    if (crashes == s->server->crashes) {
        simulation_trace(s->server->sim, "a statement of a broken connection is carried out");
        virtual_server_execute(s->server, s->statement, s->count, s->parameters, s->lazy, &answer);
    }
    server_answer_deinit(&answer);
    sent_free(s);
}

/* Whether chance breaks the connection before the statement comes to the server. */
static bool is_lost(PGconn *c, const sent *s) {
    if (is_broken(c)) return c->broken = true;
    if (s->statement != WEIR__PG_APPEND || !c->server->losses_left ||
        simulation_draw(c->server->sim, LOSS_CHANCE))
        return false;
    c->server->losses_left--;
    return c->broken = true;
}

static PGresult *exec_prepared(PGconn *c, const char *name, int count, const char *const *values,
                               const int *lengths, const int *formats, int format) {
    (void)formats, (void)format;
    virtual_server *server = c->server;
    PGresult *result = result_new(PGRES_TUPLES_OK);
    if (is_broken(c)) {
        result->status = PGRES_FATAL_ERROR;
        return result;
    }
    sent *s = send_statement(c, name, count, values, lengths);
    pass(server);
    if (is_lost(c, s)) {
        uint64_t fate = simulation_draw(server->sim, 3);
        uint64_t late_us = fate == 1 ? 1 : 1 + simulation_draw(server->sim, LATE_US_MAX);
        simulation_trace(server->sim, "a connection of engine %u breaks at statement %d", c->engine,
                         (int)s->statement);
        /* Not carried out; just before the next look; some time. */
        if (fate && !server->away)
            simulation_add(server->sim, late_us, carry_out_late, s, server->crashes);
        else
            sent_free(s);
        result->status = PGRES_FATAL_ERROR;
        return result;
    }
    virtual_server_execute(server, s->statement, count, s->parameters, s->lazy, &result->answer);
    sent_free(s);
    pass(server);
    if (is_broken(c) || result->answer.state[0]) result->status = PGRES_FATAL_ERROR;
    if (is_broken(c)) result->answer.state[0] = '\0'; /* nobody hears of it */
    return result;
}

/* --- row by row ----------------------------------------------------------------------------- */

static int send_query_prepared(PGconn *c, const char *name, int count, const char *const *values,
                               const int *lengths, const int *formats, int format) {
    clear(c->streamed);
    c->streamed = exec_prepared(c, name, count, values, lengths, formats, format);
    c->row = 0;
    return 1;
}

static int set_single_row_mode(PGconn *c) {
    (void)c;
    return 1;
}

/* A result for each row, one without at the end, then none. */
static PGresult *get_result(PGconn *c) {
    PGresult *all = c->streamed;
    if (!all) return NULL;
    if (is_broken(c)) all->status = PGRES_FATAL_ERROR;
    if (all->status == PGRES_FATAL_ERROR || c->row == all->answer.rows) {
        PGresult *last = result_new(all->status);
        c->streamed = NULL;
        clear(all);
        return last;
    }
    PGresult *one = result_new(PGRES_SINGLE_TUPLE);
    int columns = one->answer.columns = all->answer.columns;
    one->answer.rows = 1;
    for (int i = 0; i < columns; i++) {
        weir_buffer *from = &all->answer.cells.items[c->row * columns + i];
        *weir_vector_push(&one->answer.cells) = *from;
        *from = (weir_buffer){0};
    }
    c->row++;
    return one;
}

static PGcancel *get_cancel(PGconn *c) {
    (void)c;
    return NULL;
}

static int cancel(PGcancel *none, char *why, int size) {
    (void)none, (void)why, (void)size;
    return 0;
}

static void free_cancel(PGcancel *none) {
    (void)none;
}

static void free_options(PQconninfoOption *options) {
    free(options);
}

static const weir__libpq functions = {.size = sizeof functions,
                                      .conninfoParse = conninfo_parse,
                                      .conninfoFree = free_options,
                                      .freemem = free,
                                      .connectdbParams = connectdb_params,
                                      .finish = finish,
                                      .status = status,
                                      .errorMessage = error_message,
                                      .user = nothing_of,
                                      .host = nothing_of,
                                      .port = nothing_of,
                                      .db = nothing_of,
                                      .serverVersion = server_version,
                                      .setNoticeProcessor = set_notice_processor,
                                      .exec = exec,
                                      .prepare = prepare,
                                      .execParams = exec_params,
                                      .execPrepared = exec_prepared,
                                      .sendQueryPrepared = send_query_prepared,
                                      .setSingleRowMode = set_single_row_mode,
                                      .getResult = get_result,
                                      .getCancel = get_cancel,
                                      .cancel = cancel,
                                      .freeCancel = free_cancel,
                                      .resultStatus = result_status,
                                      .resultErrorField = result_error_field,
                                      .ntuples = ntuples,
                                      .getvalue = getvalue,
                                      .getisnull = getisnull,
                                      .getlength = getlength,
                                      .cmdTuples = cmd_tuples,
                                      .clear = clear};

void virtual_libpq_use(virtual_server *server) {
    used = server;
    weir__pg_give_libpq(&functions);
}
