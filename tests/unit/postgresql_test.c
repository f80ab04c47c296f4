#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "store_cases.h"
#include "store_keep_cases.h"
#include "store_select_cases.h"

static char folder[64]; /* the server's */
static int port;
static PGconn *admin;

/* --- the server --- */

static void control(const char *command, const char *more) {
    char line[600];
    snprintf(line, sizeof line, "%s/tests/postgresql %s %s %s", getenv("WEIR_SOURCE"), command,
             folder, more);
    assert_int_equal(system(line), 0);
}

static int free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void connect_admin(void) {
    char text[200];
    if (admin) PQfinish(admin);
    snprintf(text, sizeof text, "host=%s port=%d user=weir dbname=postgres", folder, port);
    admin = PQconnectdb(text);
    assert_int_equal(PQstatus(admin), CONNECTION_OK);
    PQclear(PQexec(admin, "SET client_min_messages = warning"));
}

/* Runs SQL behind the store's back; the first field of the answer is in `out`. */
static void sql_to(char out[static 200], const char *sql) {
    PGresult *result = PQexec(admin, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(admin));
    snprintf(out, 200, "%s",
             status == PGRES_TUPLES_OK && PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
}

static void sql(const char *text) {
    char ignored[200];
    sql_to(ignored, text);
}

static void expect_sql(const char *text, const char *expected) {
    char found[200];
    sql_to(found, text);
    assert_string_equal(found, expected);
}

static int start_server(void **state) {
    (void)state;
    char more[16];
    /* In memory, where there is room: it syncs a thousand files when it starts. */
    snprintf(folder, sizeof folder, "%s/weir-pg-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(folder)) return -1;
    port = free_port();
    snprintf(more, sizeof more, "%d", port);
    control("start", more);
    connect_admin();
    sql("CREATE ROLE guest LOGIN PASSWORD 'right'");
    return 0;
}

static int stop_server(void **state) {
    (void)state;
    char command[100];
    PQfinish(admin);
    control("stop", "immediate");
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static const char *url_with(const char *parameters) {
    static char url[300];
    snprintf(url, sizeof url, "postgresql://weir@/postgres?host=%s&port=%d&%s", folder, port,
             parameters);
    return url;
}

static weir_store *open_one(weir_durability durability, const char *parameters) {
    weir_store *opened = NULL;
    if (!weir_store_open(loop, NULL, url_with(parameters), durability, &opened, &error))
        fail_msg("%s", error.message);
    return opened;
}

static int set_up(void **state) {
    (void)state;
    memset(&error, 0, sizeof error);
    sql("DROP SCHEMA IF EXISTS weir CASCADE");
    if (!weir_loop_open(&loop, &error)) return -1;
    store = open_one(WEIR_DURABILITY_FULL, "lease=5");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    if (store) weir_store_close(store);
    store = NULL;
    forget_owned();
    weir_loop_close(loop);
    return 0;
}

/* --- the schema --- */

static void several_processes_make_the_schema_once(void **state) {
    (void)state;
    weir_store_close(store);
    store = NULL;
    sql("DROP SCHEMA weir CASCADE");
    open_in_processes(NULL, url_with(""));
    expect_sql("SELECT string_agg(version::text, ' ') FROM weir.schema", "9");
}

/* The schema of version 1, as it was released. */
static const char version_1[] =
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
    "INSERT INTO weir.schema VALUES(0)";

static void version_1_is_brought_up(void **state) {
    (void)state;
    completion c = {0};
    weir_store_close(store);
    sql("DROP SCHEMA weir CASCADE; CREATE SCHEMA weir");
    sql(version_1);
    sql("UPDATE weir.schema SET version = 1; INSERT INTO weir.runs(id, name, kind, phase, file, "
        "owner,"
        " parent, created_us, finished_us) VALUES('a', 'older', 'dataflow', 'Succeeded', 'f',"
        " 'here:1', '', 5, 6), ('b', 'newer', 'dataflow', 'Failed', 'f', 'here:1', '', 3, 4)");
    store = open_one(WEIR_DURABILITY_FULL, "");
    expect_list(0, "newer=Failed older=Succeeded ");
    weir_run_record record = record_of("c", "labelled", "Running", 7);
    record.labels = WEIR_STR("{\"team\":\"red\"}");
    append_to("c", 1, "x", &record, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    expect_labelled("team=red", "labelled");
    expect_labelled("!team", "newerolder");
    assert_true(weir_store_delete(store, &WEIR_STR("a"), 1, &error));
    expect_list(0, "labelled=Running newer=Failed ");
    expect_sql("SELECT count(*) FROM weir.commands", "0");
}

static void expect_refused(const char *url, weir_code code, const char *message, const char *hint) {
    weir_store *none = NULL;
    assert_false(weir_store_open(loop, NULL, url, WEIR_DURABILITY_FULL, &none, &error));
    if (error.code != code || !strstr(error.message, message) || !strstr(error.hint, hint))
        fail_msg("%s: `%s` (%s), not `%s` (%s)", url, error.message, error.hint, message, hint);
    assert_null(strstr(error.message, "s3cret"));
    assert_null(strstr(error.hint, "s3cret"));
}

static void bad_stores_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *url; /* HOST: the socket's folder; PORT */
        weir_code code;
        const char *message, *hint;
    } cases[] = {
        {"postgresql://guest:s3cret@127.0.0.1:PORT/postgres", WEIR_STORE, "refuses the password",
         "PGPASSWORD"},
        {"postgresql://guest:s3cret@/postgres?host=HOST&port=PORT", WEIR_STORE,
         "refuses the password", "~/.pgpass"},
        {"postgresql://guest@127.0.0.1:PORT/postgres", WEIR_STORE, "wants a password",
         "PGPASSWORD"},
        {"postgresql://guest@127.0.0.1:PORT/postgres?password=s3cret", WEIR_STORE,
         "refuses the password", "service"},
        {"postgresql://guest:right@127.0.0.1:PORT/postgres?sslmode=require", WEIR_STORE,
         "cannot be reached by TLS", "sslmode"},
        {"postgresql://guest:s3cret@127.0.0.1:PORT/postgres?sslmode=s3cret", WEIR_STORE, "sslmode",
         ""},
        {"postgresql://guest:s3cret@127.0.0.1:1/postgres", WEIR_STORE, "Connection refused",
         "server runs"},
        {"postgresql://weir@/nowhere?host=HOST&port=PORT", WEIR_STORE, "does not exist",
         "createdb"},
        {"postgresql://guest:right@127.0.0.1:PORT/postgres", WEIR_STORE, "lacks a right",
         "schema `weir`"},
        {"postgresql://u:s3cret@[/x", WEIR_USAGE, "is not understood", "postgresql://USER"},
        {"postgresql://u@h/d?colour=red", WEIR_USAGE, "is not understood", "postgresql://USER"},
        {"postgresql://h/d?lease=0", WEIR_USAGE, "are seconds", ""},
        {"postgresql://h/d?patience=soon", WEIR_USAGE, "are seconds", ""},
        {"mysql://u:s3cret@h/d", WEIR_USAGE, "none that this weir knows", "sqlite:///"},
        {"sqlite://relative.db", WEIR_USAGE, "none that this weir knows", "sqlite:///"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer url = {0};
        for (const char *at = cases[i].url; *at; at++) {
            bool is_host = strncmp(at, "HOST", 4) == 0, is_port = strncmp(at, "PORT", 4) == 0;
            if (is_host) weir_buffer_text(&url, folder);
            if (is_port) weir_buffer_printf(&url, "%d", port);
            if (is_host || is_port)
                at += 3;
            else
                weir_buffer_byte(&url, *at);
        }
        expect_refused(url.data, cases[i].code, cases[i].message, cases[i].hint);
        weir_buffer_deinit(&url);
    }
}

static void other_schemas_are_refused(void **state) {
    (void)state;
    sql("UPDATE weir.schema SET version = 1000");
    expect_refused(url_with(""), WEIR_CONFLICT,
                   "has format 1000, this weir reads and writes format", "newer weir");
    sql("DELETE FROM weir.schema");
    expect_refused(url_with(""), WEIR_STORE, "is not of this program", "rename it");
    sql("ALTER TABLE weir.schema RENAME version TO edition");
    expect_refused(url_with(""), WEIR_STORE, "is not of this program", "rename it");
    sql("DROP TABLE weir.schema");
    expect_refused(url_with(""), WEIR_STORE, "is not of this program", "rename it");
    weir_store_close(store);
    sql("DROP SCHEMA weir CASCADE");
    sql("CREATE SCHEMA weir"); /* an owner has made it for others */
    store = open_one(WEIR_DURABILITY_FULL, "");
    expect_list(0, "");
}

static void who_may_only_read_reads(void **state) {
    (void)state;
    char url[200];
    completion c = {0};
    weir_run_record record = record_of("a", "kept", "Running", 1);
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    sql("GRANT USAGE ON SCHEMA weir TO guest");
    sql("GRANT SELECT ON ALL TABLES IN SCHEMA weir TO guest");
    weir_store_close(store);
    snprintf(url, sizeof url, "postgresql://guest:right@127.0.0.1:%d/postgres", port);
    assert_true(weir_store_open(loop, NULL, url, WEIR_DURABILITY_FULL, &store, &error));
    expect_batches("a", 1, "1:one ");
    expect_list(0, "kept=Running ");
    assert_false(weir_store_own(store, WEIR_STR("a"), &error));
    assert_non_null(strstr(error.message, "lacks a right"));
}

/* --- what is in it --- */

static void damage_is_found(void **state) {
    (void)state;
    static const struct {
        const char *sql, *message;
    } cases[] = {
        {"UPDATE weir.journal SET bytes = 'twp' WHERE seq = 2", "batch 2 of run `a` is damaged"},
        {"UPDATE weir.journal SET bytes = 'two', version = 9 WHERE seq = 2",
         "batch 2 of run `a` is in a form that this weir does not know"},
        {"DELETE FROM weir.journal WHERE seq = 2", "batch 2 of run `a` is missing"},
    };
    completion c = {0};
    append_to("a", 1, "one", NULL, &c);
    append_to("a", 2, "two", NULL, &c);
    append_to("a", 3, "three", NULL, &c);
    wait_for(&c, 3);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_buffer all = {0};
        sql(cases[i].sql);
        assert_false(weir_store_read(store, WEIR_STR("a"), 1, join_batches, &all, &error));
        assert_int_equal(error.code, WEIR_STORE);
        assert_string_equal(error.message, cases[i].message);
        assert_string_equal(weir_buffer_str(&all).data, "1:one ");
        weir_buffer_deinit(&all);
    }
}

static void texts_that_are_no_unicode_are_kept_readable(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record record = record_of("a", "kept", "Running", 1);
    record.file = WEIR_STR("a\xff\0z.json");
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 0);
    expect_sql("SELECT file FROM weir.runs", "a\xef\xbf\xbd\xef\xbf\xbdz.json");
    expect_found("\xff", NULL);
}

static bool count_up(void *arg, const weir_run_record *record) {
    (void)record;
    return ++*(int *)arg != 2500;
}

static void long_lists_come_in_pages(void **state) {
    (void)state;
    int seen = 0;
    sql("INSERT INTO weir.runs(id, name, kind, phase, file, owner, parent, created_us, finished_us)"
        " SELECT i, 'n' || i, '', '', '', '', '', i, i FROM generate_series(1, 3000) i");
    assert_true(weir_store_list(store, 0, count_up, &seen, &error));
    assert_int_equal(seen, 2500);
    seen = 0;
    assert_true(weir_store_list(store, 1700, count_up, &seen, &error));
    assert_int_equal(seen, 1700);
    seen = 2500;
    assert_true(weir_store_list(store, 0, count_up, &seen, &error));
    assert_int_equal(seen, 5500);
    expect_found("@latest", "3000");
}

static void a_batch_of_durability_is_on_the_disk_in_20_ms(void **state) {
    (void)state;
    completion c = {0};
    weir_store_close(store);
    store = open_one(WEIR_DURABILITY_BATCH, "");
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    char written[200], question[300];
    sql_to(written, "SELECT pg_current_wal_insert_lsn()");
    usleep(25 * 1000); /* the server's own writer sleeps 10 s */
    snprintf(question, sizeof question, "SELECT pg_current_wal_flush_lsn() >= '%s'", written);
    expect_sql(question, "t");
}

/* --- a connection that breaks --- */

/* Between the store and the server: bytes go both ways until the server answers what came while `cut` was set; that
 * answer is dropped, and the connection with it. */
typedef struct relay {
    int listener;
    char path[108];
    pthread_t thread;
    _Atomic int cut, cuts;
} relay;

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    close(fd);
    return -1;
}

typedef struct pipe_pair {
    relay *r;
    int client, server;
} pipe_pair;

static void *relay_one(void *arg) {
    pipe_pair p = *(pipe_pair *)arg;
    free(arg);
    struct pollfd ends[2] = {{p.client, POLLIN, 0}, {p.server, POLLIN, 0}};
    char bytes[65536];
    while (poll(ends, 2, -1) > 0) {
        int from = ends[0].revents ? 0 : 1;
        ssize_t count = recv(ends[from].fd, bytes, sizeof bytes, 0);
        if (count <= 0) break;
        if (from == 1 && p.r->cut) {
            p.r->cut--;
            p.r->cuts++;
            break;
        }
        if (send(ends[!from].fd, bytes, (size_t)count, MSG_NOSIGNAL) != count) break;
    }
    close(p.client);
    close(p.server);
    return NULL;
}

static void *relay_all(void *arg) {
    relay *r = arg;
    char path[108];
    snprintf(path, sizeof path, "%s/.s.PGSQL.%d", folder, port);
    for (;;) {
        int client = accept(r->listener, NULL, NULL), server = client < 0 ? -1 : connect_to(path);
        if (client < 0) return NULL;
        if (server < 0) {
            close(client);
            continue;
        }
        pipe_pair *p = malloc(sizeof *p);
        *p = (pipe_pair){r, client, server};
        pthread_t thread;
        pthread_create(&thread, NULL, relay_one, p);
        pthread_detach(thread);
    }
}

static void relay_open(relay *r) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(r->path, sizeof r->path, "%s/.s.PGSQL.1", folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", r->path);
    r->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(r->listener, 16), 0);
    assert_int_equal(pthread_create(&r->thread, NULL, relay_all, r), 0);
}

static void relay_close(relay *r) {
    shutdown(r->listener, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->listener);
    unlink(r->path);
}

static void open_by_relay(relay *r) {
    char url[200];
    relay_open(r);
    weir_store_close(store);
    snprintf(url, sizeof url, "postgresql://weir@/postgres?host=%s&port=1", folder);
    assert_true(weir_store_open(loop, NULL, url, WEIR_DURABILITY_FULL, &store, &error));
}

static void what_was_committed_unheard_is_not_written_twice(void **state) {
    (void)state;
    static relay r;
    completion c = {0};
    open_by_relay(&r);
    weir_run_record record = record_of("a", "kept", "Running", 1);
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    record.phase = WEIR_STR("Succeeded");
    r.cut = 1;
    append_to("a", 2, "two", &record, &c);
    append_to("b", 1, "uno", NULL, &c);
    wait_for(&c, 3);
    r.cut = 3; /* the look-up and what follows are cut too */
    append_to("a", 3, "three", NULL, &c);
    wait_for(&c, 4);
    assert_int_equal(r.cuts, 4);
    assert_int_equal(c.failed, 0);
    expect_batches("a", 1, "1:one 2:two 3:three ");
    expect_batches("b", 1, "1:uno ");
    expect_list(0, "kept=Succeeded ");
    expect_sql("SELECT count(*) FROM weir.journal", "4");
    weir_store_close(store);
    store = NULL;
    relay_close(&r);
}

static relay *the_relay;

/* Counts batches that come in order. */
static bool count_in_order(void *arg, uint64_t sequence, weir_str bytes) {
    (void)bytes;
    assert_int_equal(sequence, ++*(int *)arg);
    return true;
}

static bool cut_at_ten(void *arg, uint64_t sequence, weir_str bytes) {
    if (sequence == 10) the_relay->cut = 1;
    return count_in_order(arg, sequence, bytes);
}

static void a_read_goes_on_where_it_was_cut(void **state) {
    (void)state;
    static relay r;
    enum { BATCHES = 40, BYTES = 100 * 1000 };
    completion c = {0};
    open_by_relay(&r);
    own("a");
    for (int i = 1; i <= BATCHES; i++) {
        weir_buffer bytes = {0};
        weir_buffer_reserve(&bytes, BYTES);
        memset(bytes.data, 'x', BYTES);
        bytes.length = BYTES;
        weir_store_append(store, WEIR_STR("a"), (uint64_t)i, bytes, (weir_buffer){0}, NULL,
                          note_done, &c);
    }
    wait_for(&c, BATCHES);
    the_relay = &r;
    int found = 0;
    assert_true(weir_store_read(store, WEIR_STR("a"), 1, cut_at_ten, &found, &error));
    assert_int_equal(found, BATCHES);
    assert_int_equal(r.cuts, 1);
    weir_store_close(store);
    store = NULL;
    relay_close(&r);
}

enum { APPENDS = 300 };

static void appends_outlive_the_server(void **state) {
    (void)state;
    completion c = {0};
    int sent = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < APPENDS; i++) append_to("a", (uint64_t)++sent, "x", NULL, &c);
        if (round == 0) control("stop", "immediate");
        if (round == 1) control("stop", "fast");
        if (round == 2)
            sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'weir'");
        for (int i = 0; i < APPENDS; i++) append_to("a", (uint64_t)++sent, "x", NULL, &c);
        if (round < 2) {
            weir_loop_once(loop, false);
            control("again", "");
            connect_admin();
        }
        wait_for(&c, sent);
        if (c.failed) fail_msg("in round %d: %s", round, c.error.message);
    }
    int found = 0;
    if (!weir_store_read(store, WEIR_STR("a"), 1, count_in_order, &found, &error))
        fail_msg("after %d: %s", found, error.message);
    assert_int_equal(found, sent);
    expect_sql("SELECT count(*) || ' ' || max(seq) FROM weir.journal", "1800 1800");
}

static void patience_ends(void **state) {
    (void)state;
    completion c = {0};
    weir_store_close(store);
    store = open_one(WEIR_DURABILITY_FULL, "patience=1");
    append_to("a", 1, "one", NULL, &c);
    wait_for(&c, 1);
    own("b");
    control("stop", "fast");
    append_to("a", 2, "two", NULL, &c);
    append_to("b", 1, "uno", NULL, &c);
    uint64_t since = weir_clock_steady_us();
    wait_for(&c, 3);
    assert_true(weir_clock_steady_us() - since < 4 * 1000 * 1000);
    assert_int_equal(c.failed, 2);
    assert_int_equal(c.error.code, WEIR_STORE);
    assert_non_null(strstr(c.error.message, "did not come back in time"));
    assert_non_null(strstr(c.error.hint, "weir recover"));
    assert_false(weir_store_list(store, 0, join_names, NULL, &error));
    assert_non_null(strstr(error.message, "cannot be reached"));
    control("again", "");
    connect_admin();
    expect_batches("a", 1, "1:one ");
}

/* --- leases --- */

static void expect_owned(weir_store *by, const char *run) {
    if (!weir_store_own(by, weir_str_from(run), &error)) fail_msg("%s", error.message);
}

static char lost_run[16];

static void note_loss(void *arg, weir_str run, const weir_error *why) {
    assert_int_equal(why->code, WEIR_CONFLICT);
    snprintf(lost_run, sizeof lost_run, "%.*s", WEIR_ARG(run));
    ++*(int *)arg;
}

static void a_run_has_one_owner(void **state) {
    (void)state;
    weir_store *other = open_one(WEIR_DURABILITY_FULL, "");
    expect_owned(store, "a");
    assert_true(weir_store_is_owned(other, WEIR_STR("a")));
    assert_false(weir_store_is_owned(other, WEIR_STR("b")));
    assert_false(weir_store_own(other, WEIR_STR("a"), &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    assert_non_null(strstr(error.message, "driven by another process"));
    assert_non_null(strstr(error.hint, "lease ends within"));
    weir_store_disown(store, WEIR_STR("a"), true);
    assert_false(weir_store_is_owned(other, WEIR_STR("a")));
    expect_owned(other, "a");
    assert_false(weir_store_own(store, WEIR_STR("a"), &error));
    weir_store_close(other);
    expect_owned(store, "a");
}

static void append_begun(uint64_t sequence, uint64_t finished_us, completion *c) {
    weir_run_record record = record_of("a", "first", "Running", 1);
    record.finished_us = finished_us;
    int before = c->count;
    weir_store_append(store, WEIR_STR("a"), sequence, (weir_buffer){0}, (weir_buffer){0}, &record,
                      note_done, c);
    wait_for(c, before + 1);
    assert_int_equal(c->failed, 0);
}

static void a_new_run_has_its_lease_with_its_first_batch(void **state) {
    (void)state;
    completion c = {0};
    weir_store *other = open_one(WEIR_DURABILITY_FULL, "");
    assert_true(weir_store_begin(store, WEIR_STR("a"), &error));
    assert_false(weir_store_is_owned(other, WEIR_STR("a")));
    append_begun(1, 0, &c);
    assert_true(weir_store_is_owned(other, WEIR_STR("a")));
    assert_false(weir_store_own(other, WEIR_STR("a"), &error));
    append_begun(2, 0, &c);
    append_begun(3, 5, &c);
    assert_false(weir_store_is_owned(other, WEIR_STR("a")));
    expect_owned(other, "a");
    weir_store_disown(store, WEIR_STR("a"), true); /* has nothing left to give back */
    assert_true(weir_store_is_owned(store, WEIR_STR("a")));
    expect_sql("SELECT count(*) FROM weir.leases l, weir.fences f WHERE fence = last_value", "1");
    weir_store_close(other);
}

/* All at once: nobody sees a lease. */
static void a_run_of_one_batch_has_no_lease(void **state) {
    (void)state;
    completion c = {0};
    assert_true(weir_store_begin(store, WEIR_STR("b"), &error));
    weir_store_disown(store, WEIR_STR("b"), true); /* it came to nothing */
    assert_true(weir_store_begin(store, WEIR_STR("a"), &error));
    append_begun(1, 5, &c);
    expect_sql("SELECT count(*) FROM weir.leases", "0");
    expect_batches("a", 1, "1: ");
    weir_store_disown(store, WEIR_STR("a"), true);
    expect_owned(store, "a"); /* to be restarted */
    append_begun(2, 0, &c);
    append_begun(3, 6, &c);
    expect_sql("SELECT count(*) FROM weir.leases", "1");
    weir_store_disown(store, WEIR_STR("a"), true);
    expect_sql("SELECT count(*) FROM weir.leases", "0");
}

static uint64_t taken;

static void take(void *arg, weir_str run, uint64_t command, weir_str line) {
    (void)arg;
    assert_true(weir_str_is(run, "a") && weir_str_is(line, "jump"));
    taken = command;
}

/* Asks in a process of its own; exits with 0 when the answer is that. */
static pid_t ask(const char *wanted, uint64_t timeout_us) {
    pid_t child = fork();
    if (child) return child;
    weir_buffer answer = {0};
    weir_store *mine = NULL;
    bool ok = weir_store_open(loop, NULL, url_with(""), WEIR_DURABILITY_FULL, &mine, &error) &&
              weir_store_ask(mine, WEIR_STR("a"), WEIR_STR("jump"), timeout_us, &answer, &error);
    const char *got = ok ? answer.data : weir_code_text(error.code);
    if (strcmp(got, wanted) != 0) fprintf(stderr, "`%s`, not `%s`\n", got, wanted);
    _exit(strcmp(got, wanted) != 0);
}

static void expect_asked(pid_t child) {
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect_sql("SELECT count(*) FROM weir.commands", "0");
}

static void who_has_the_lease_takes_commands(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record record = record_of("a", "kept", "Running", 1);
    weir_store_listen(store, take, NULL);
    expect_asked(ask("not_found", 1000)); /* no such run */
    expect_owned(store, "a");
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    taken = 0;
    pid_t child = ask("how high?", 30 * 1000 * 1000);
    while (!taken) weir_loop_once(loop, true);
    uint64_t first = taken;
    for (taken = 0; !taken;) weir_loop_once(loop, true); /* it was not answered: given again */
    assert_int_equal(taken, first);
    weir_store_answer(store, taken, WEIR_STR("how high?"));
    expect_asked(child);
    weir_store_disown(store, WEIR_STR("a"), true);
    expect_asked(ask("expired", 200 * 1000)); /* nobody looks: it is taken back */
}

static void without_a_lease_nothing_is_written(void **state) {
    (void)state;
    completion c = {0};
    weir_store_append(store, WEIR_STR("a"), 1, (weir_buffer){0}, (weir_buffer){0}, NULL, note_done,
                      &c);
    wait_for(&c, 1);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.error.code, WEIR_CONFLICT);
    expect_sql("SELECT count(*) FROM weir.journal", "0");
}

static void who_was_away_too_long_writes_no_more(void **state) {
    (void)state;
    int losses = 0;
    completion mine = {0}, theirs = {0};
    weir_store_close(store);
    store = open_one(WEIR_DURABILITY_FULL, "lease=1");
    weir_store *other = open_one(WEIR_DURABILITY_FULL, "");
    weir_store_watch(store, note_loss, &losses);
    weir_run_record record = record_of("a", "first", "Running", 1);
    append_to("a", 1, "one", &record, &mine);
    append_to("b", 1, "uno", NULL, &mine);
    wait_for(&mine, 2);
    usleep(1500 * 1000); /* renewed meanwhile */
    assert_false(weir_store_own(other, WEIR_STR("a"), &error));
    /* As after a long stop: over, and taken at once. */
    sql("BEGIN; UPDATE weir.leases SET expires_at = now() - interval '1 second' WHERE run = 'a';"
        " UPDATE weir.leases SET fence = nextval('weir.fences'), engine = 'x' WHERE run = 'a';"
        " COMMIT");
    append_rows("a", 2, "Running", NULL, &mine);
    append_to("b", 2, "dos", NULL, &mine);
    append_to("a", 3, "later", NULL, &mine);
    wait_for(&mine, 5);
    assert_int_equal(mine.failed, 2);
    assert_int_equal(mine.error.code, WEIR_CONFLICT);
    assert_non_null(strstr(mine.error.message, "the lease of run `a` is another's"));
    expect_owned(other, "a");
    weir_store_append(other, WEIR_STR("a"), 2, (weir_buffer){0}, (weir_buffer){0}, NULL, note_done,
                      &theirs);
    wait_for(&theirs, 1);
    assert_int_equal(theirs.failed, 0);
    for (int i = 0; !losses && i < 100; i++) {
        usleep(20 * 1000);
        weir_loop_once(loop, false);
    }
    assert_int_equal(losses, 1);
    assert_string_equal(lost_run, "a");
    expect_batches("a", 1, "1:one 2: ");
    expect_batches("b", 1, "1:uno 2:dos ");
    weir_store_close(store); /* writes what waits */
    store = NULL;
    expect_sql("SELECT count(*) FROM weir.derived", "0");
    weir_store_close(other);
}

/* Nobody told it yet: its heartbeat has no answer, as after a long stop. */
static void who_may_have_lost_a_lease_asks(void **state) {
    (void)state;
    completion mine = {0};
    weir_store_close(store);
    store = open_one(WEIR_DURABILITY_FULL, "lease=1");
    append_to("a", 1, "one", NULL, &mine);
    wait_for(&mine, 1);
    assert_true(weir_store_holds(store, WEIR_STR("a"), &error));
    assert_true(weir_store_holds(store, WEIR_STR("nobody's"), &error));
    sql("BEGIN; LOCK TABLE weir.leases IN EXCLUSIVE MODE");
    usleep(1300 * 1000);
    sql("UPDATE weir.leases SET expires_at = now() - interval '1 second'; COMMIT");
    assert_true(weir_store_holds(store, WEIR_STR("a"), &error)); /* over, and nobody took it */
    expect_sql("SELECT expires_at > clock_timestamp() FROM weir.leases", "t"); /* nor can now */
    sql("BEGIN; LOCK TABLE weir.leases IN EXCLUSIVE MODE");
    usleep(600 * 1000);
    sql("UPDATE weir.leases SET fence = nextval('weir.fences'), engine = 'x' WHERE run = 'a';"
        " COMMIT");
    assert_false(weir_store_holds(store, WEIR_STR("a"), &error));
    assert_int_equal(error.code, WEIR_CONFLICT);
    assert_non_null(strstr(error.message, "the lease of run `a` is another's"));
    sql("DELETE FROM weir.leases");
    assert_true(
        weir_store_holds(store, WEIR_STR("a"), &error)); /* a server forgot it: taken again */
    sql("DELETE FROM weir.leases; INSERT INTO weir.runs(id, name, kind, phase, file, owner, parent,"
        " created_us, finished_us) VALUES('a', 'a', 'k', 'Succeeded', 'f', 'other:1', '', 1, 2)");
    usleep(600 * 1000);
    assert_false(weir_store_holds(store, WEIR_STR("a"), &error)); /* another ended the run */
}

static void the_lease_of_the_dead_is_free(void **state) {
    (void)state;
    int status;
    pid_t child = fork();
    if (!child) {
        weir_store *mine = NULL;
        weir_loop *own_loop = NULL;
        bool ok = weir_loop_open(&own_loop, &error) &&
                  weir_store_open(own_loop, NULL, url_with("lease=3600"), WEIR_DURABILITY_FULL,
                                  &mine, &error) &&
                  weir_store_own(mine, WEIR_STR("a"), &error);
        _exit(!ok);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    expect_sql("SELECT count(*) FROM weir.leases", "1");
    assert_false(weir_store_is_owned(store, WEIR_STR("a")));
    expect_owned(store, "a");
    /* Of another machine nobody knows that. */
    sql("UPDATE weir.leases SET process = 'elsewhere ' || process, engine = 'x',"
        " fence = nextval('weir.fences'), expires_at = now() + interval '1 hour'");
    assert_true(weir_store_is_owned(store, WEIR_STR("a")));
    assert_false(weir_store_own(store, WEIR_STR("a"), &error));
}

/* As an engine would that was stopped meanwhile. Without the mark it takes a lease again that simply is not there. */
static void a_deleted_run_is_not_taken_again(void **state) {
    (void)state;
    completion c = {0};
    weir_run_record record = record_of("a", "kept", "Running", 1);
    append_to("a", 1, "one", &record, &c);
    wait_for(&c, 1);
    assert_true(weir_store_delete(store, &WEIR_STR("a"), 1, &error));
    assert_true(weir_store_forget(store, WEIR_STR("a"), &error));
    append_to("a", 2, "two", NULL, &c);
    wait_for(&c, 2);
    assert_int_equal(c.failed, 1);
    assert_int_equal(c.error.code, WEIR_CONFLICT);
    expect_sql("SELECT count(*) FROM weir.journal", "0");
}

#define POSTGRESQL(function) {"postgresql: " #function, function, set_up, tear_down, NULL},

int main(void) {
    const struct CMUnitTest tests[] = {
        STORE_CASES(POSTGRESQL) SELECT_CASES(POSTGRESQL) KEEP_CASES(POSTGRESQL) POSTGRESQL(
            several_processes_make_the_schema_once) POSTGRESQL(a_deleted_run_is_not_taken_again)
            POSTGRESQL(version_1_is_brought_up) POSTGRESQL(bad_stores_are_refused) POSTGRESQL(
                other_schemas_are_refused) POSTGRESQL(who_may_only_read_reads)
                POSTGRESQL(damage_is_found) POSTGRESQL(texts_that_are_no_unicode_are_kept_readable)
                    POSTGRESQL(long_lists_come_in_pages) POSTGRESQL(
                        a_batch_of_durability_is_on_the_disk_in_20_ms)
                        POSTGRESQL(what_was_committed_unheard_is_not_written_twice) POSTGRESQL(
                            a_read_goes_on_where_it_was_cut) POSTGRESQL(appends_outlive_the_server)
                            POSTGRESQL(patience_ends) POSTGRESQL(a_run_has_one_owner)
                                POSTGRESQL(a_new_run_has_its_lease_with_its_first_batch)
                                    POSTGRESQL(a_run_of_one_batch_has_no_lease)
                                        POSTGRESQL(who_has_the_lease_takes_commands)
                                            POSTGRESQL(without_a_lease_nothing_is_written)
                                                POSTGRESQL(who_was_away_too_long_writes_no_more)
                                                    POSTGRESQL(who_may_have_lost_a_lease_asks)
                                                        POSTGRESQL(the_lease_of_the_dead_is_free)};
    return cmocka_run_group_tests_name("postgresql", tests, start_server, stop_server);
}
