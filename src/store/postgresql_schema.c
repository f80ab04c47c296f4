#include <stdio.h>
#include <stdlib.h>

#include "store/postgresql_internal.h"

/* As in sqlite_schema.c: what makes each version from the one before. The tables are described in
 * docs/reference/store.md. Keys compare as bytes, whatever the database's language is. */
static const char *const migrations[] = {
    "CREATE TABLE weir.journal(stream text COLLATE \"C\" NOT NULL, seq bigint NOT NULL,"
    " version integer NOT NULL, checksum bigint NOT NULL, bytes bytea NOT NULL,"
    " PRIMARY KEY(stream, seq));"
    "CREATE TABLE weir.runs(number bigint GENERATED ALWAYS AS IDENTITY UNIQUE,"
    " id text COLLATE \"C\" PRIMARY KEY, name text COLLATE \"C\" NOT NULL UNIQUE,"
    " kind text NOT NULL, phase text NOT NULL, file text NOT NULL, owner text NOT NULL,"
    " parent text COLLATE \"C\" NOT NULL, created_us bigint NOT NULL, finished_us bigint NOT NULL);"
    "CREATE SEQUENCE weir.fences;"
    "CREATE TABLE weir.leases(run text COLLATE \"C\" PRIMARY KEY, fence bigint NOT NULL,"
    " owner text NOT NULL, engine text NOT NULL, process text NOT NULL,"
    " expires_at timestamptz NOT NULL) WITH (fillfactor = 50);"
    "CREATE TABLE weir.schema(version integer NOT NULL);"
    "INSERT INTO weir.schema VALUES(0)",
    "ALTER TABLE weir.runs ADD COLUMN labels text NOT NULL DEFAULT '';"
    "CREATE TABLE weir.labels(run bigint NOT NULL REFERENCES weir.runs(number) ON DELETE CASCADE,"
    " key text COLLATE \"C\" NOT NULL, value text COLLATE \"C\" NOT NULL, PRIMARY KEY(run, key));"
    "CREATE INDEX labels_by_value ON weir.labels(key, value, run);"
    "CREATE FUNCTION weir.put_labels() RETURNS trigger LANGUAGE plpgsql AS $put$ BEGIN"
    " INSERT INTO weir.labels(run, key, value) SELECT new.number, l.key, l.value"
    " FROM jsonb_each_text(new.labels::jsonb) AS l; RETURN NULL; END $put$;"
    "CREATE TRIGGER put_labels AFTER INSERT ON weir.runs FOR EACH ROW WHEN (new.labels <> '')"
    " EXECUTE FUNCTION weir.put_labels();"
    "CREATE INDEX runs_by_phase ON weir.runs(phase, number) WHERE phase <> 'Succeeded';"
    "CREATE INDEX runs_by_parent ON weir.runs(parent, number) WHERE parent <> '';"
    "CREATE INDEX runs_by_created ON weir.runs(created_us, number);"
    "CREATE TABLE weir.deleted(run text COLLATE \"C\" PRIMARY KEY, owner text NOT NULL,"
    " at timestamptz NOT NULL DEFAULT clock_timestamp())",
    "CREATE TABLE weir.memo(key text COLLATE \"C\" PRIMARY KEY, cache text NOT NULL,"
    " operation text NOT NULL, instance text NOT NULL,"
    " run text COLLATE \"C\" REFERENCES weir.runs(id) ON DELETE SET NULL,"
    " task bigint NOT NULL, created_us bigint NOT NULL, size bigint NOT NULL,"
    " version bigint NOT NULL, checksum bigint NOT NULL, value bytea, blob text,"
    " CHECK((value IS NULL) <> (blob IS NULL)));"
    "CREATE INDEX memo_created ON weir.memo(created_us);"
    "CREATE INDEX memo_run ON weir.memo(run)",
    "CREATE TABLE weir.commands(number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " run text COLLATE \"C\" NOT NULL, line text NOT NULL, answer text,"
    " made_at timestamptz NOT NULL DEFAULT clock_timestamp());"
    "CREATE INDEX commands_run ON weir.commands(run)",
    /* What is derived from the journal. The indexes are for foreign keys: so a run is deleted without looking at others. */
    "CREATE TABLE weir.contexts(run text COLLATE \"C\" NOT NULL"
    " REFERENCES weir.runs(id) ON DELETE CASCADE, number bigint NOT NULL, name text, parent bigint,"
    " phase text, message text, opened_us bigint, finished_us bigint, PRIMARY KEY(run, number),"
    " FOREIGN KEY(run, parent) REFERENCES weir.contexts(run, number));"
    "CREATE INDEX contexts_parent ON weir.contexts(run, parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE weir.nodes(run text COLLATE \"C\" NOT NULL"
    " REFERENCES weir.runs(id) ON DELETE CASCADE, number bigint NOT NULL, name text, type text,"
    " template text, parent bigint, phase text, message text, started_us bigint,"
    " finished_us bigint, PRIMARY KEY(run, number),"
    " FOREIGN KEY(run, parent) REFERENCES weir.nodes(run, number));"
    "CREATE INDEX nodes_parent ON weir.nodes(run, parent) WHERE parent IS NOT NULL;"
    "CREATE TABLE weir.tasks(run text COLLATE \"C\" NOT NULL"
    " REFERENCES weir.runs(id) ON DELETE CASCADE, number bigint NOT NULL, context bigint,"
    " node bigint, name text, operation text, executor text, phase text, attempts bigint,"
    " code text, message text, started_us bigint, finished_us bigint, PRIMARY KEY(run, number),"
    " FOREIGN KEY(run, context) REFERENCES weir.contexts(run, number),"
    " FOREIGN KEY(run, node) REFERENCES weir.nodes(run, number));"
    "CREATE INDEX tasks_context ON weir.tasks(run, context) WHERE context IS NOT NULL;"
    "CREATE INDEX tasks_node ON weir.tasks(run, node) WHERE node IS NOT NULL;"
    "CREATE TABLE weir.attempts(run text COLLATE \"C\" NOT NULL, task bigint NOT NULL,"
    " number bigint NOT NULL, phase text, host text, pid bigint, code text, message text,"
    " exit_code bigint, cpu_us bigint, memory_peak_bytes bigint, scheduled_us bigint,"
    " started_us bigint, finished_us bigint, PRIMARY KEY(run, task, number),"
    " FOREIGN KEY(run, task) REFERENCES weir.tasks(run, number) ON DELETE CASCADE);"
    "CREATE TABLE weir.locks(run text COLLATE \"C\" NOT NULL"
    " REFERENCES weir.runs(id) ON DELETE CASCADE, lock bigint NOT NULL, task bigint NOT NULL,"
    " state text, name text, context bigint, since_us bigint, PRIMARY KEY(run, lock, task));"
    "CREATE TABLE weir.derived(run text COLLATE \"C\" PRIMARY KEY"
    " REFERENCES weir.runs(id) ON DELETE CASCADE, seq bigint, definitions text);"
    "CREATE VIEW weir.definitions AS SELECT d.run, j.number - 1 AS number,"
    " j.value ->> 'flow' AS flow, j.value ->> 'name' AS name, j.value ->> 'primitive' AS primitive,"
    " coalesce((j.value ->> 'lock')::boolean, false)::integer AS lock,"
    " j.value ->> 'validator' AS validator, (j.value -> 'default')::text AS otherwise"
    " FROM weir.derived d,"
    " jsonb_array_elements(d.definitions::jsonb) WITH ORDINALITY AS j(value, number)",
    /* Blobs that journals refer to; 0: the run is gone. */
    "CREATE TABLE weir.blobs(run text COLLATE \"C\" NOT NULL, digest text COLLATE \"C\" NOT NULL,"
    " place text COLLATE \"C\" NOT NULL, size bigint NOT NULL, noted_us bigint NOT NULL,"
    " PRIMARY KEY(run, digest, place));"
    "CREATE INDEX blobs_forsaken ON weir.blobs(run, digest, place) WHERE noted_us = 0",
    /* What processes tell each other: see store/register.h. */
    ("CREATE TABLE weir.registers(key text COLLATE \"C\" PRIMARY KEY, value bytea NOT NULL,"
     " version bigint NOT NULL)"),
    /* What tasks took: see engine/history.h. Of no run, as it outlives them. */
    ("ALTER TABLE weir.attempts ADD COLUMN input_bytes bigint;"
     "ALTER TABLE weir.derived ADD COLUMN estimated_us bigint;"
     "CREATE TABLE weir.history(number bigint PRIMARY KEY, run text COLLATE \"C\" NOT NULL,"
     " identity bigint, operation text, name text, input_bytes bigint, wall_us bigint,"
     " cpu_us bigint, memory_bytes bigint, tasks bigint, finished_us bigint);"
     "CREATE INDEX history_identity ON weir.history(identity)"),
    "ALTER TABLE weir.history ADD COLUMN given_bytes bigint",
};
enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

/* One statement, one transaction, one trip: a run's batches are written while its lease has this fencing number, and all
 * or none. The lease's row stays as it is until the commit, so nobody takes it over in between. A run that begins here has no
 * lease that somebody could have: it gets one, unless it is over already; with its end that goes. */
#define APPEND(RUNS, ENDED, AND_ENDED)                                                             \
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[],"     \
    "  $4::bytea[], $5::bigint[], $6::bigint[]) AS g(stream, seq, checksum, bytes, fence,"         \
    "  lease)),"                                                                                   \
    " wanted AS MATERIALIZED (SELECT DISTINCT w.stream, w.fence FROM (SELECT stream, fence"        \
    "  FROM given" RUNS ") AS w"                                                                   \
    "  WHERE w.stream NOT IN (SELECT g.stream FROM given g WHERE g.lease & 1 = 1)),"               \
    " leased AS MATERIALIZED (SELECT l.run FROM weir.leases l JOIN wanted w"                       \
    "  ON l.run = w.stream AND l.fence = w.fence AND l.engine = $18::text FOR SHARE OF l)," ENDED  \
    " allowed AS MATERIALIZED (SELECT 1"                                                           \
    "  WHERE (SELECT count(*) FROM leased)" AND_ENDED " = (SELECT count(*) FROM wanted)),"         \
    " over AS MATERIALIZED (SELECT g.stream FROM given g, allowed WHERE g.lease & 2 = 2),"         \
    " begun AS (INSERT INTO weir.leases(run, fence, owner, engine, process, expires_at)"           \
    "  SELECT g.stream, g.fence, $19::text, $18::text, $20::text,"                                 \
    "  clock_timestamp() + $21::bigint * interval '1 microsecond' FROM given g, allowed"           \
    "  WHERE g.lease & 1 = 1 AND g.stream NOT IN (SELECT o.stream FROM over o) ON CONFLICT DO "    \
    "NOTHING),"                                                                                    \
    " given_back AS (DELETE FROM weir.leases l USING over o WHERE l.run = o.stream),"              \
    " recorded AS (INSERT INTO weir.runs(id, name, kind, phase, file, owner, parent, created_us,"  \
    "  finished_us, labels) SELECT r.id, r.name, r.kind, r.phase, r.file, r.owner, r.parent,"      \
    "  r.created, r.finished, r.labels FROM unnest($7::text[], $8::text[], $9::text[],"            \
    "  $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::bigint[],"          \
    "  $16::text[]) WITH ORDINALITY AS r(id, name, kind, phase, file, owner, parent, created,"     \
    "  finished, labels, place), allowed"                                                          \
    "  ORDER BY r.place"                                                                           \
    "  ON CONFLICT(id) DO UPDATE SET name = excluded.name, kind = excluded.kind,"                  \
    "  phase = excluded.phase, file = excluded.file, owner = excluded.owner,"                      \
    "  parent = excluded.parent, finished_us = excluded.finished_us)"
#define JOURNAL                                                                                    \
    " INSERT INTO weir.journal(stream, seq, version, checksum, bytes)"                             \
    " SELECT stream, seq, $17::bigint::integer, checksum, bytes FROM given, allowed"

/* The same with rows of the derived tables, whose runs and fences are $23 and $24: what comes behind is made of the tables'
 * forms, see postgresql_rows.c. A run that is over has no lease any more: nobody writes its rows but who ended it. */
#define ROWS_RUNS "unnest($23::text[], $24::bigint[])"
const char weir__pg_append_head[] = APPEND(
    " UNION ALL SELECT * FROM " ROWS_RUNS,
    " ended AS MATERIALIZED (SELECT r.id FROM weir.runs r JOIN " ROWS_RUNS " AS g(run, fence)"
    "  ON r.id = g.run WHERE r.finished_us > 0"
    "  AND NOT EXISTS (SELECT 1 FROM weir.leases l WHERE l.run = r.id)),",
    " + (SELECT count(*) FROM ended)") ", journaled AS (" JOURNAL ")";

#define RENEWED(table, ends, set, or_where)                                                        \
    "UPDATE weir." table " t SET finished_us = coalesce(t.finished_us, $4::bigint),"               \
    "  phase = CASE WHEN t.finished_us IS NULL THEN '" ends "' ELSE t.phase END, message ="        \
    "  CASE WHEN t.finished_us IS NULL THEN '" WEIR__RENEWED_MESSAGE "' ELSE t.message END" set    \
    " FROM mine m WHERE t.run = m.run AND (t.finished_us IS NULL" or_where ")"
#define RECORD "id, name, kind, phase, file, owner, parent, created_us, finished_us, labels"
#define MEMO                                                                                       \
    "key, cache, operation, instance, coalesce(run, ''), task, created_us, size, version, "        \
    "checksum"

const char *const weir__pg_sql[WEIR__PG_STATEMENTS] = {
    [WEIR__PG_APPEND] = APPEND("", "", "") JOURNAL,
    [WEIR__PG_APPEND_ROWS] = NULL, /* the server's */
    [WEIR__PG_APPEND_FEW] = NULL,
    [WEIR__PG_CLEAR_ROWS] =
        "WITH leased AS MATERIALIZED (SELECT run FROM weir.leases WHERE run = $1::text"
        "  AND fence = $2::bigint AND engine = $3::text FOR SHARE),"
        " a AS (DELETE FROM weir.attempts t USING leased l WHERE t.run = l.run),"
        " t AS (DELETE FROM weir.tasks t USING leased l WHERE t.run = l.run),"
        " n AS (DELETE FROM weir.nodes t USING leased l WHERE t.run = l.run),"
        " c AS (DELETE FROM weir.contexts t USING leased l WHERE t.run = l.run),"
        " k AS (DELETE FROM weir.locks t USING leased l WHERE t.run = l.run)"
        " DELETE FROM weir.derived t USING leased l WHERE t.run = l.run",
    /* As its rows are written: by who has the lease, or who ended the run. */
    [WEIR__PG_RENEW_ROWS] =
        "WITH leased AS MATERIALIZED (SELECT run FROM weir.leases WHERE run = $1::text"
        "  AND fence = $2::bigint AND engine = $3::text FOR SHARE),"
        " mine AS MATERIALIZED (SELECT run FROM leased UNION ALL SELECT r.id FROM weir.runs r"
        "  WHERE r.id = $1::text AND r.finished_us > 0"
        "  AND NOT EXISTS (SELECT 1 FROM weir.leases l WHERE l.run = r.id)),"
        " c AS (" RENEWED(
            "contexts", "Failed", "",
            "") "),"
                " t AS (" RENEWED(
                    "tasks", "Cancelled", ", node = NULL",
                    " OR t.node IS NOT NULL") "),"
                                              " a AS (" RENEWED(
                                                  "attempts", "Cancelled", "",
                                                  "") "),"
                                                      " k AS (DELETE FROM weir.locks t USING mine "
                                                      "m WHERE t.run = m.run)"
                                                      " DELETE FROM weir.nodes t USING mine m "
                                                      "WHERE t.run = m.run",
    [WEIR__PG_STREAMS] = WEIR__STREAMS("weir.journal"),
    [WEIR__PG_CUT] =
        "WITH leased AS MATERIALIZED (SELECT run FROM weir.leases WHERE run = $1::text"
        "  AND fence = $2::bigint AND engine = $3::text FOR SHARE),"
        " cut AS (DELETE FROM weir.journal j USING leased l WHERE j.stream = l.run"
        "  AND j.seq >= $4::bigint)"
        " INSERT INTO weir.runs(" RECORD ") SELECT $1::text, $5::text, $6::text, $7::text,"
        "  $8::text, $9::text, $10::text, $11::bigint, $12::bigint, $13::text FROM leased"
        " ON CONFLICT(id) DO UPDATE SET name = excluded.name, phase = excluded.phase,"
        "  finished_us = excluded.finished_us RETURNING number",
    [WEIR__PG_SHORTEN] =
        "WITH leased AS MATERIALIZED (SELECT run FROM weir.leases WHERE run = $1::text"
        "  AND fence = $2::bigint AND engine = $3::text FOR SHARE),"
        " over AS (SELECT l.run, g.number FROM leased l, unnest($5::bigint[]) AS g(number)),"
        " t AS (DELETE FROM weir.tasks t USING over o WHERE t.run = o.run"
        "  AND t.context = o.number),"
        " c AS (DELETE FROM weir.contexts c USING over o WHERE c.run = o.run"
        "  AND c.number = o.number),"
        " gone AS (DELETE FROM weir.journal j USING leased l WHERE j.stream = l.run"
        "  AND j.seq < $4::bigint)"
        " UPDATE weir.journal j SET version = $6::bigint::integer, checksum = g.checksum,"
        "  bytes = g.bytes FROM leased l, unnest($7::bigint[], $8::bytea[]) AS g(checksum, bytes)"
        "  WHERE j.stream = l.run AND j.seq = $4::bigint RETURNING j.seq",
    [WEIR__PG_DERIVED] = "SELECT seq FROM weir.derived WHERE run = $1::text",
    [WEIR__PG_LOOK_UP] =
        "SELECT count(*) FROM weir.journal j JOIN unnest($1::text[], $2::bigint[], $3::bigint[])"
        " AS g(stream, seq, checksum)"
        " ON j.stream = g.stream AND j.seq = g.seq AND j.checksum = g.checksum",
    [WEIR__PG_READ] = "SELECT seq, version::bigint, checksum, bytes FROM weir.journal"
                      " WHERE stream = $1::text AND seq >= $2::bigint ORDER BY seq",
    [WEIR__PG_FIND] = "SELECT id, name, kind, phase, file, owner, parent, created_us, finished_us,"
                      " labels, number FROM weir.runs WHERE name = $1::text"
                      " OR id = $1::text ORDER BY name = $1::text DESC LIMIT 1",
    [WEIR__PG_NAMES] = "SELECT name FROM weir.runs WHERE name = ANY($1::text[])",
    [WEIR__PG_CHECK] = "SELECT count(*), coalesce(sum(octet_length(bytes || ''::bytea)), 0)::bigint"
                       " FROM weir.journal",
    [WEIR__PG_FENCE] = "SELECT nextval('weir.fences')",
    [WEIR__PG_LEASE_TAKE] =
        "INSERT INTO weir.leases AS l(run, fence, owner, engine, process, expires_at)"
        " VALUES($1::text, nextval('weir.fences'), $2::text, $3::text, $4::text,"
        "  clock_timestamp() + $5::bigint * interval '1 microsecond')"
        " ON CONFLICT(run) DO UPDATE SET fence = excluded.fence, owner = excluded.owner,"
        "  engine = excluded.engine, process = excluded.process, expires_at = excluded.expires_at"
        " WHERE l.expires_at <= clock_timestamp() OR l.engine = excluded.engine"
        "  OR l.fence = $6::bigint RETURNING fence",
    [WEIR__PG_LEASE_LOOK] = "SELECT fence, owner, process,"
                            " ceil(extract(epoch FROM expires_at - clock_timestamp()))::bigint"
                            " FROM weir.leases WHERE run = $1::text",
    /* After a crash the server may have forgotten it; or else somebody had it and gave it back, which the record shows. */
    [WEIR__PG_LEASE_RESTORE] =
        "INSERT INTO weir.leases AS l(run, fence, owner, engine, process, expires_at)"
        " SELECT $1::text, $2::bigint, $3::text, $4::text, $5::text,"
        "  clock_timestamp() + $6::bigint * interval '1 microsecond' WHERE NOT EXISTS"
        "  (SELECT 1 FROM weir.runs WHERE id = $1::text AND (finished_us > 0 OR owner <> $3::text))"
        " AND NOT EXISTS (SELECT 1 FROM weir.deleted WHERE run = $1::text)"
        " ON CONFLICT(run) DO UPDATE SET expires_at = excluded.expires_at" /* the other thread did */
        "  WHERE l.fence = excluded.fence AND l.engine = excluded.engine RETURNING fence",
    [WEIR__PG_LEASE_BEAT] =
        "UPDATE weir.leases l SET expires_at = clock_timestamp() +"
        " $3::bigint * interval '1 microsecond' FROM unnest($1::text[], $2::bigint[])"
        " AS g(run, fence) WHERE l.run = g.run AND l.fence = g.fence AND l.engine = $4::text"
        " RETURNING l.run",
    [WEIR__PG_MEMO_FIND] = "SELECT " MEMO ", coalesce(value, ''::bytea), coalesce(blob, '')"
                           " FROM weir.memo WHERE key = ANY($1::text[])",
    [WEIR__PG_MEMO_LIST] =
        "SELECT " MEMO ", ''::bytea, coalesce(blob, '') FROM weir.memo"
        " WHERE ($1::text = '' OR starts_with(key, $1::text))"
        " AND ($2::text = '' OR cache = $2::text) AND ($3::text = '' OR operation = $3::text)"
        " AND ($4::bigint = 0 OR created_us < $4::bigint)"
        " ORDER BY created_us DESC, key LIMIT $5::bigint",
    [WEIR__PG_MEMO_REMOVE] =
        "DELETE FROM weir.memo m USING unnest($1::text[], $2::bigint[]) AS g(key, created)"
        " WHERE m.key = g.key AND m.created_us = g.created",
    /* An entry that is there stays, unless it is the one that is to be replaced. */
    [WEIR__PG_MEMO_PUT] =
        "INSERT INTO weir.memo AS m(key, cache, operation, instance, run, task, created_us, size,"
        " version, checksum, value, blob)"
        " SELECT DISTINCT ON (g.key) g.key, g.cache, g.operation, g.instance, r.id, g.task,"
        " g.created, g.size, g.version, g.checksum, CASE WHEN g.blob = '' THEN g.value END,"
        " nullif(g.blob, '') FROM unnest($1::text[], $2::text[], $3::text[], $4::text[],"
        " $5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[],"
        " $11::bigint[], $12::bigint[], $13::bytea[]) WITH ORDINALITY AS g(key, cache, operation,"
        " instance, run, blob, task, created, size, version, checksum, replaces, value, place)"
        " LEFT JOIN weir.runs r ON r.id = g.run ORDER BY g.key, g.place"
        " ON CONFLICT(key) DO UPDATE SET cache = excluded.cache, operation = excluded.operation,"
        " instance = excluded.instance, run = excluded.run, task = excluded.task,"
        " created_us = excluded.created_us, size = excluded.size, version = excluded.version,"
        " checksum = excluded.checksum, value = excluded.value, blob = excluded.blob"
        " WHERE m.created_us = (SELECT w.replaces FROM unnest($1::text[], $12::bigint[])"
        "  AS w(key, replaces) WHERE w.key = m.key LIMIT 1) RETURNING m.key",
    [WEIR__PG_REFER] = "INSERT INTO weir.blobs(run, digest, place, size, noted_us)"
                       " SELECT g.run, g.digest, g.place, g.size, $5::bigint"
                       " FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])"
                       " AS g(run, digest, place, size) ON CONFLICT DO NOTHING",
    [WEIR__PG_REGISTER_GET] = "SELECT version, value FROM weir.registers WHERE key = $1::text",
    [WEIR__PG_REGISTER_MAKE] = "INSERT INTO weir.registers(key, value, version)"
                               " VALUES($1::text, $2::bytea, 1 + $3::bigint)"
                               " ON CONFLICT(key) DO NOTHING RETURNING version",
    [WEIR__PG_REGISTER_PUT] = "UPDATE weir.registers SET value = $2::bytea, version = version + 1"
                              " WHERE key = $1::text AND version = $3::bigint RETURNING version",
    [WEIR__PG_HISTORY] =
        "SELECT coalesce(identity, 0), run, coalesce(name, ''), coalesce(input_bytes, 0),"
        " coalesce(wall_us, 0), coalesce(cpu_us, 0), coalesce(memory_bytes, 0),"
        " coalesce(tasks, 0), coalesce(finished_us, 0), coalesce(given_bytes, 0),"
        " coalesce(operation, ''), number FROM weir.history"
        " WHERE cardinality($1::bigint[]) = 0 OR identity = ANY($1::bigint[])",
    [WEIR__PG_REGISTER_LIST] = "SELECT key, version, value FROM weir.registers"
                               " WHERE key >= $1::text AND starts_with(key, $1::text) ORDER BY key",
    [WEIR__PG_REGISTER_REMOVE] = "DELETE FROM weir.registers WHERE key = $1::text"
                                 " AND version = $2::bigint RETURNING version",
    /* The lock makes the numbers of a run's commands come to light in their order. What nobody came for goes. */
    [WEIR__PG_COMMAND] =
        "WITH old AS (DELETE FROM weir.commands"
        "  WHERE made_at < clock_timestamp() - interval '1 hour'),"
        " asked AS MATERIALIZED (SELECT id FROM weir.runs WHERE id = $1::text FOR NO KEY UPDATE)"
        " INSERT INTO weir.commands(run, line) SELECT id, $2::text FROM asked RETURNING number",
    [WEIR__PG_COMMAND_END] =
        "DELETE FROM weir.commands WHERE number = $1::bigint"
        " AND (answer IS NOT NULL OR $2::bigint = 1)"
        " RETURNING (answer IS NOT NULL)::integer::bigint, coalesce(answer, '')",
    [WEIR__PG_COMMAND_ANSWER] = "UPDATE weir.commands SET answer = $2::text"
                                " WHERE number = $1::bigint AND answer IS NULL",
    [WEIR__PG_COMMANDS] = "SELECT c.number, c.run, c.line FROM weir.commands c"
                          " JOIN unnest($1::text[]) AS g(run) ON c.run = g.run"
                          " WHERE c.answer IS NULL ORDER BY c.number",
    [WEIR__PG_LEASE_END] = "DELETE FROM weir.leases WHERE run = $1::text AND fence = $2::bigint"
                           " AND engine = $3::text",
};

/* The first number of what the query gives; -1: nothing. As text, for plain queries give that. */
static bool ask_number(weir__pg *c, const char *sql, long *out, weir_error *error) {
    PGresult *result;
    if (weir__pg_run(c, sql, &result, error) != WEIR__PG_DONE) return false;
    *out = c->server->q->ntuples(result) > 0
               ? strtol(c->server->q->getvalue(result, 0, 0), NULL, 10)
               : -1;
    c->server->q->clear(result);
    return true;
}

static bool run(weir__pg *c, const char *sql, weir_error *error) {
    PGresult *result;
    if (weir__pg_run(c, sql, &result, error) != WEIR__PG_DONE) return false;
    c->server->q->clear(result);
    return true;
}

static bool is_other(weir__pg *c, weir_error *error) {
    weir_buffer where = {0};
    weir__pg_describe(c, &where);
    weir_fail(error, WEIR_STORE, "the schema `weir` in %s is not of this program", where.data);
    weir_error_hint(error, "rename it, or name another database with --store");
    weir_buffer_deinit(&where);
    return false;
}

/* Within a transaction, with the lock that all processes ask for. */
static bool migrate(weir__pg *c, weir_error *error) {
    long schemas, relations, marked, version = 0;
    if (!ask_number(c, "SELECT count(*) FROM pg_namespace WHERE nspname = 'weir'", &schemas,
                    error) ||
        !ask_number(c,
                    "SELECT count(*) FROM pg_class WHERE relnamespace ="
                    " (SELECT oid FROM pg_namespace WHERE nspname = 'weir')",
                    &relations, error) ||
        !ask_number(c,
                    "SELECT count(*) FROM pg_class WHERE relname = 'schema' AND relnamespace ="
                    " (SELECT oid FROM pg_namespace WHERE nspname = 'weir')",
                    &marked, error))
        return false;
    if (relations && !marked) return is_other(c, error);
    if (!schemas && !run(c, "CREATE SCHEMA weir", error)) return false;
    if (marked && !ask_number(c, "SELECT version FROM weir.schema", &version, error)) return false;
    if (version < 0) return is_other(c, error);
    for (; version < SCHEMA_VERSION; version++) {
        char note[64];
        snprintf(note, sizeof note, "UPDATE weir.schema SET version = %ld", version + 1);
        if (!run(c, migrations[version], error) || !run(c, note, error)) return false;
    }
    return true;
}

static bool change_schema(weir__pg *c, weir_error *error) {
    if (!run(c, "BEGIN; SET LOCAL synchronous_commit = on", error)) return false;
    /* The number is "weir" in ASCII. */
    bool ok = run(c, "SELECT pg_advisory_xact_lock(2003134834)", error) && migrate(c, error) &&
              run(c, "COMMIT", error);
    weir_error ignored;
    if (!ok && c->connection) (void)run(c, "ROLLBACK", &ignored);
    return ok;
}

bool weir__pg_prepare_schema(weir__pg *c, weir_error *error) {
    long version = 0;
    if (!ask_number(c, "SELECT version FROM weir.schema", &version, error)) {
        /* No schema, no table, no such column: is it ours to make? */
        bool absent = strcmp(c->state, "42P01") == 0 || strcmp(c->state, "3F000") == 0;
        if (strcmp(c->state, "42703") == 0) return is_other(c, error);
        if (!absent) return false;
        version = 0;
    }
    if (version < 0) return is_other(c, error);
    if (version < SCHEMA_VERSION) {
        if (!change_schema(c, error)) return false;
        if (!ask_number(c, "SELECT version FROM weir.schema", &version, error)) return false;
    }
    if (version <= SCHEMA_VERSION) return true;
    weir_buffer where = {0};
    weir__pg_describe(c, &where);
    weir_fail(error, WEIR_CONFLICT,
              "the store %s has format %ld, this weir reads and writes format %d", where.data,
              version, SCHEMA_VERSION);
    weir_error_hint(error, "use a newer weir, or name another store with --store");
    weir_buffer_deinit(&where);
    return false;
}
