/* A connection to PostgreSQL: how it is made, what its errors mean, statements with parameters in binary form. It belongs
 * to one thread; the server it leads to is described once and does not change. No error has a password in it. */
#ifndef WEIR_STORE_POSTGRESQL_CONNECTION_H
#define WEIR_STORE_POSTGRESQL_CONNECTION_H

#include "base/error.h"
#include "store/postgresql_api.h"
#include "store/store.h"

typedef struct weir__pg_server {
    const weir__libpq *q;
    char *url;      /* without our own parameters */
    char *password; /* that is in the URL; "" */
    char *where;    /* what the URL names, as it may be shown */
    uint64_t lease_us, patience_us;
    char *append_rows; /* the statements APPEND_ROWS and APPEND_FEW, made of the tables' forms */
    char *append_few;
} weir__pg_server;

/* For who has no use for the module (a simulator): these functions instead. Before a store is opened; borrowed. */
void weir__pg_give_libpq(const weir__libpq *functions);
/* Opens the module, and reads the URL: "lease" and "patience" (seconds) are ours, the rest is libpq's. */
WEIR_CHECKED bool weir__pg_server_init(weir__pg_server *server, const char *url, weir_error *error);
void weir__pg_server_deinit(weir__pg_server *server);

typedef struct weir__pg {
    const weir__pg_server *server;
    const char *session; /* SQL for a new connection */
    PGconn *connection;  /* NULL: none */
    uint64_t prepared;   /* a bit for each statement */
    bool streaming;      /* rows of it are being visited */
    bool waited;         /* its listener knows that the server is away */
    weir_store_listener listener;
    char state[6];       /* SQLSTATE of the last failure, or "" */
    char constraint[64]; /* that was violated, or "" */
} weir__pg;

typedef enum weir__pg_outcome {
    WEIR__PG_DONE,
    WEIR__PG_LOST, /* the connection is gone, or the server wants it tried again: nobody knows what was done */
    WEIR__PG_FAILED
} weir__pg_outcome;

/* Connects, unless it is. */
WEIR_CHECKED bool weir__pg_connect(weir__pg *connection, weir_error *error);
/* Tells the listener, once until the server is there, that it is waited for. */
void weir__pg_say_waits(weir__pg *connection);
void weir__pg_disconnect(weir__pg *connection);
/* "postgresql://user@host:port/database" */
void weir__pg_describe(const weir__pg *connection, weir_buffer *out);
/* Runs SQL without parameters. */
weir__pg_outcome weir__pg_run(weir__pg *connection, const char *sql, PGresult **out,
                              weir_error *error);

/* --- parameters */

enum { WEIR__PG_PARAMETERS_MAX = 96 };
typedef enum weir__pg_type {
    WEIR__PG_BYTES = 17, /* as PostgreSQL numbers its types */
    WEIR__PG_NUMBER = 20,
    WEIR__PG_TEXT = 25
} weir__pg_type;

/* Values in binary form, each an own buffer; zeroed at first. */
typedef struct weir__pg_parameters {
    int count;
    weir_buffer values[WEIR__PG_PARAMETERS_MAX];
} weir__pg_parameters;

void weir__pg_add_number(weir__pg_parameters *parameters, int64_t number);
/* What is no UTF-8, and NUL, becomes U+FFFD: PostgreSQL's text has neither. */
void weir__pg_add_text(weir__pg_parameters *parameters, weir_str text);
/* A new array, and one more element of parameter `at`. */
int weir__pg_add_array(weir__pg_parameters *parameters, weir__pg_type type);
void weir__pg_push_number(weir__pg_parameters *parameters, int at, int64_t number);
void weir__pg_push_text(weir__pg_parameters *parameters, int at, weir_str text);
void weir__pg_push_bytes(weir__pg_parameters *parameters, int at, weir_str bytes);
void weir__pg_parameters_deinit(weir__pg_parameters *parameters);

/* --- statements, prepared at first use */

typedef enum weir__pg_statement {
    WEIR__PG_APPEND,
    WEIR__PG_APPEND_ROWS,
    WEIR__PG_APPEND_FEW, /* rows of `contexts` and `derived` only, as of a run of calls */
    WEIR__PG_CLEAR_ROWS,
    WEIR__PG_RENEW_ROWS,
    WEIR__PG_DERIVED,
    WEIR__PG_STREAMS,
    WEIR__PG_CUT,
    WEIR__PG_SHORTEN,
    WEIR__PG_LOOK_UP,
    WEIR__PG_READ,
    WEIR__PG_FIND,
    WEIR__PG_NAMES,
    WEIR__PG_CHECK,
    WEIR__PG_FENCE,
    WEIR__PG_LEASE_TAKE,
    WEIR__PG_LEASE_LOOK,
    WEIR__PG_LEASE_RESTORE,
    WEIR__PG_LEASE_BEAT,
    WEIR__PG_LEASE_END,
    WEIR__PG_MEMO_FIND,
    WEIR__PG_MEMO_LIST,
    WEIR__PG_MEMO_REMOVE,
    WEIR__PG_MEMO_PUT,
    WEIR__PG_REFER,
    WEIR__PG_REGISTER_GET,
    WEIR__PG_REGISTER_MAKE,
    WEIR__PG_REGISTER_PUT,
    WEIR__PG_REGISTER_LIST,
    WEIR__PG_HISTORY,
    WEIR__PG_REGISTER_REMOVE,
    WEIR__PG_COMMAND,
    WEIR__PG_COMMAND_END,
    WEIR__PG_COMMAND_ANSWER,
    WEIR__PG_COMMANDS,
    WEIR__PG_STATEMENTS
} weir__pg_statement;

extern const char *const weir__pg_sql[WEIR__PG_STATEMENTS];

/* The result is the caller's to clear, and is given only when it is DONE. */
weir__pg_outcome weir__pg_execute(weir__pg *connection, weir__pg_statement statement,
                                  const weir__pg_parameters *parameters, PGresult **out,
                                  weir_error *error);
/* SQL that is made as it is needed. */
weir__pg_outcome weir__pg_query(weir__pg *connection, const char *sql,
                                const weir__pg_parameters *parameters, PGresult **out,
                                weir_error *error);
/* A statement row by row: weir__pg_next gives one at a time, NULL at the end. */
weir__pg_outcome weir__pg_stream(weir__pg *connection, weir__pg_statement statement,
                                 const weir__pg_parameters *parameters, weir_error *error);
weir__pg_outcome weir__pg_next(weir__pg *connection, PGresult **out, weir_error *error);
/* Ends a stream early. */
void weir__pg_stop(weir__pg *connection);

/* Fields of a row: a bigint; text or bytes, borrowed. */
int64_t weir__pg_number(const weir__pg *connection, const PGresult *result, int row, int column);
weir_str weir__pg_text(const weir__pg *connection, const PGresult *result, int row, int column);

#endif
