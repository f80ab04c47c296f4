/* A PostgreSQL in virtual time that keeps one run: what the statements that weir sends do (known by their numbers: their SQL
 * is tested with real servers), and which of that is on its disk. It has a clock of its own. Before and after each
 * statement time passes, in which its connection may break, the server go away, or the process that asks die or be
 * stopped; a statement whose connection breaks is carried out, not carried out, or carried out later.
 * virtual_libpq.h is the way to it. One thread. */
#ifndef WEIR_SIMULATION_VIRTUAL_SERVER_H
#define WEIR_SIMULATION_VIRTUAL_SERVER_H

#include "base/vector.h"
#include "simulation.h"
#include "store/postgresql_connection.h"

enum { SERVER_TEXT_MAX = 64 };

typedef struct server_lease {
    bool there;
    uint64_t fence, expires_us; /* by the server's clock */
    char owner[SERVER_TEXT_MAX], engine[SERVER_TEXT_MAX], process[SERVER_TEXT_MAX];
} server_lease;

typedef struct server_record {
    bool there;
    uint64_t finished_us;
    char phase[SERVER_TEXT_MAX], owner[SERVER_TEXT_MAX];
} server_record;

/* What one commit leaves behind. Of the journal only the length: it grows. */
typedef struct server_state {
    size_t batches;
    uint64_t fences;
    server_lease lease;
    server_record record;
} server_state;

typedef struct server_batch {
    int64_t version, checksum;
    weir_buffer bytes;
} server_batch;

/* Rows, or what went wrong. */
typedef struct server_answer {
    char state[6]; /* SQLSTATE; "": all went well */
    const char *constraint;
    int rows, columns;
    uint64_t touched;
    WEIR_VECTOR(weir_buffer) cells;
} server_answer;

typedef struct virtual_server {
    simulation *sim;
    WEIR_VECTOR(server_batch) journal;
    server_state now, kept; /* as all see it; as a crash of the server leaves it */
    int64_t clock_us;       /* by how much its clock is ahead of the time */
    uint64_t crashes;       /* connections of before are gone */
    uint32_t losses_left;   /* connections that chance breaks at a statement */
    bool away;              /* nobody can connect */
    uint32_t cut_off;       /* a bit for each engine that cannot */
    /* A batch is on the disk; and when somebody waits, for what others do meanwhile. */
    void (*committed)(void *arg, weir_str bytes);
    void (*wait)(void *arg, uint64_t us);
    /* The number of the engine that asks; its process is gone. */
    uint32_t (*asker)(void *arg);
    bool (*is_dead)(void *arg);
    void *arg;
} virtual_server;

void virtual_server_deinit(virtual_server *server);
uint64_t virtual_server_clock_us(const virtual_server *server);
/* `lazy`: the commit does not wait for the disk. */
void virtual_server_execute(virtual_server *server, weir__pg_statement statement, int count,
                            const weir_str *parameters, bool lazy, server_answer *out);
void server_answer_deinit(server_answer *answer);
/* All commits are on the disk. */
void virtual_server_flush(virtual_server *server);
/* What was not is gone, and so are all connections. */
void virtual_server_crash(virtual_server *server);

#endif
