/* Commands to whoever drives a run: rows that anyone writes, and that the one with the lease looks for. */
#include <time.h>

#include "store/postgresql_internal.h"

enum { LOOK_US = 5 * 1000 };

typedef struct order {
    weir__postgresql *s;
    char *run;
    uint64_t command;
    weir_buffer line;
} order;

/* On the loop's thread. The run may be another's since. */
static void take_order(void *arg, const weir_error *why) {
    order *o = arg;
    weir_str run = weir_str_from(o->run);
    (void)why;
    if (o->s->store.take && weir__pg_fence(o->s, run))
        o->s->store.take(o->s->store.take_arg, run, o->command, weir_buffer_str(&o->line));
    weir_buffer_deinit(&o->line);
    weir_free(o->run);
    weir_free(o);
}

static void take_orders(weir__postgresql *s, const PGresult *result) {
    const weir__pg *c = &s->writer_connection;
    weir_error nothing = {0};
    for (int row = 0; row < s->server.q->ntuples(result); row++) {
        order *o = weir_alloc(sizeof *o);
        *o = (order){.s = s,
                     .command = (uint64_t)weir__pg_number(c, result, row, 0),
                     .run = weir_str_dup(weir__pg_text(c, result, row, 1))};
        weir_buffer_str_append(&o->line, weir__pg_text(c, result, row, 2));
        weir__writer_tell(s->writer, &nothing, take_order, o);
    }
}

void weir__pg_look_for_commands(weir__postgresql *s) {
    weir__pg *c = &s->writer_connection;
    weir__pg_parameters p = {0};
    PGresult *result;
    weir_error ignored;
    int runs = weir__pg_add_array(&p, WEIR__PG_TEXT);
    pthread_mutex_lock(&s->lock);
    size_t count = 0;
    for (size_t i = 0; i < s->held.count; i++) {
        if (s->held.items[i].state != WEIR__PG_HELD) continue;
        weir__pg_push_text(&p, runs, weir_str_from(s->held.items[i].run));
        count++;
    }
    pthread_mutex_unlock(&s->lock);
    /* One that is gone is made anew by the next append, or to renew the leases. */
    if (count && c->connection &&
        weir__pg_execute(c, WEIR__PG_COMMANDS, &p, &result, &ignored) == WEIR__PG_DONE) {
        take_orders(s, result);
        s->server.q->clear(result);
    }
    weir__pg_parameters_deinit(&p);
}

void weir__pg_answer(weir_store *store, uint64_t command, weir_str answer) {
    weir__postgresql *s = (weir__postgresql *)store;
    weir__pg *c = &s->readers[0];
    weir__pg_parameters p = {0};
    PGresult *result;
    weir_error ignored;
    weir__pg_add_number(&p, (int64_t)command);
    weir__pg_add_text(&p, answer);
    if (c->connection && !c->streaming &&
        weir__pg_execute(c, WEIR__PG_COMMAND_ANSWER, &p, &result, &ignored) == WEIR__PG_DONE)
        s->server.q->clear(result);
    weir__pg_parameters_deinit(&p);
}

/* --- the other side --------------------------------------------------------------------------- */

/* One number, or none: then *out is 0. */
static bool ask_number(weir__postgresql *s, weir__pg_statement statement,
                       const weir__pg_parameters *p, uint64_t *out, weir_error *error) {
    weir__pg *c;
    PGresult *result;
    if (!weir__pg_ask(s, statement, p, &c, &result, error)) return false;
    *out = s->server.q->ntuples(result) ? (uint64_t)weir__pg_number(c, result, 0, 0) : 0;
    s->server.q->clear(result);
    return true;
}

static bool insert(weir__postgresql *s, weir_str run, weir_str line, uint64_t *command,
                   weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg_add_text(&p, run);
    weir__pg_add_text(&p, line);
    bool ok = ask_number(s, WEIR__PG_COMMAND, &p, command, error);
    weir__pg_parameters_deinit(&p);
    if (ok && !*command)
        return weir_fail(error, WEIR_NOT_FOUND, "there is no run `%.*s`", WEIR_ARG(run));
    return ok;
}

/* With `last` the command is taken back when it has no answer. */
static bool look(weir__postgresql *s, uint64_t command, bool last, bool *answered,
                 weir_buffer *answer, weir_error *error) {
    weir__pg_parameters p = {0};
    weir__pg *c;
    PGresult *result;
    weir__pg_add_number(&p, (int64_t)command);
    weir__pg_add_number(&p, last);
    bool ok = weir__pg_ask(s, WEIR__PG_COMMAND_END, &p, &c, &result, error);
    weir__pg_parameters_deinit(&p);
    if (!ok) return false;
    *answered = s->server.q->ntuples(result) && weir__pg_number(c, result, 0, 0);
    if (*answered) weir_buffer_str_append(answer, weir__pg_text(c, result, 0, 1));
    s->server.q->clear(result);
    return true;
}

bool weir__pg_command(weir_store *store, weir_str run, weir_str line, uint64_t timeout_us,
                      weir_buffer *answer, weir_error *error) {
    weir__postgresql *s = (weir__postgresql *)store;
    uint64_t command, due = weir_clock_steady_us() + timeout_us;
    bool answered = false;
    if (!insert(s, run, line, &command, error)) return false;
    for (bool last = false; !answered && !last;) {
        nanosleep(&(struct timespec){.tv_nsec = LOOK_US * 1000}, NULL);
        last = weir_clock_steady_us() >= due;
        if (!look(s, command, last, &answered, answer, error)) return false;
    }
    if (answered) return true;
    return weir_fail(error, WEIR_EXPIRED, "the process that drives the run does not answer");
}
