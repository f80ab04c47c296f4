#include "task/claims.h"

typedef struct row {
    weir_value *value; /* [run, node, priority, created, number, held, nested, [names]]; owned */
    weir_str run;      /* in the value */
    weir_value *names; /* the same */
    uint32_t node;
    int64_t priority;
    uint64_t created_us, number;
    bool held, nested;
} row;

struct weir_claims {
    WEIR_VECTOR(row) rows;
    uint64_t numbers; /* given so far */
    bool changed;
};

enum { RUN, NODE, PRIORITY, CREATED, NUMBER, HELD, NESTED, NAMES, FIELDS };

/* --- the book as a value -------------------------------------------------------------------------- */

static weir_value *row_value(const row *r, weir_str run, weir_value *names) {
    weir_value *value = weir_array_new();
    weir_array_append(value, weir_string_from(run));
    weir_array_append(value, weir_int_new(r->node));
    weir_array_append(value, weir_int_new(r->priority));
    weir_array_append(value, weir_int_new((int64_t)r->created_us));
    weir_array_append(value, weir_int_new((int64_t)r->number));
    weir_array_append(value, weir_bool_new(r->held));
    weir_array_append(value, weir_bool_new(r->nested));
    weir_array_append(value, names);
    return value;
}

static bool is_row(const weir_value *value) {
    static const weir_type types[FIELDS] = {WEIR_STRING, WEIR_INT,  WEIR_INT,  WEIR_INT,
                                            WEIR_INT,    WEIR_BOOL, WEIR_BOOL, WEIR_ARRAY};
    if (!weir_is(value, WEIR_ARRAY) || weir_value_count(value) != FIELDS) return false;
    for (size_t i = 0; i < FIELDS; i++)
        if (!weir_is(weir_array_at(value, i), types[i])) return false;
    const weir_value *names = weir_array_at(value, NAMES);
    for (size_t i = 0; i < weir_value_count(names); i++)
        if (!weir_is(weir_array_at(names, i), WEIR_STRING)) return false;
    return true;
}

/* Takes the value over. */
static void push_row(weir_claims *book, weir_value *value) {
    *weir_vector_push(&book->rows) =
        (row){.value = value,
              .run = weir_string_get(weir_array_at(value, RUN)),
              .names = weir_array_at(value, NAMES),
              .node = (uint32_t)weir_int_get(weir_array_at(value, NODE)),
              .priority = weir_int_get(weir_array_at(value, PRIORITY)),
              .created_us = (uint64_t)weir_int_get(weir_array_at(value, CREATED)),
              .number = (uint64_t)weir_int_get(weir_array_at(value, NUMBER)),
              .held = weir_bool_get(weir_array_at(value, HELD)),
              .nested = weir_bool_get(weir_array_at(value, NESTED))};
}

weir_claims *weir_claims_read(weir_str bytes) {
    weir_claims *book = weir_alloc(sizeof *book);
    size_t offset = 0;
    weir_value *all = NULL;
    weir_error ignored;
    if (!bytes.length || !weir_value_decode(bytes, &offset, &all, &ignored)) return book;
    for (size_t i = 0; weir_is(all, WEIR_ARRAY) && i < weir_value_count(all); i++) {
        weir_value *value = weir_array_at(all, i);
        if (!is_row(value)) continue;
        push_row(book, weir_value_ref(value));
        uint64_t number = book->rows.items[book->rows.count - 1].number;
        if (number > book->numbers) book->numbers = number;
    }
    weir_value_unref(all);
    return book;
}

void weir_claims_free(weir_claims *book) {
    for (size_t i = 0; i < book->rows.count; i++) weir_value_unref(book->rows.items[i].value);
    weir_vector_deinit(&book->rows);
    weir_free(book);
}

void weir_claims_write(const weir_claims *book, weir_buffer *out) {
    weir_value *all = weir_array_new();
    for (size_t i = 0; i < book->rows.count; i++) {
        const row *r = &book->rows.items[i];
        weir_array_append(all, row_value(r, r->run, weir_value_ref(r->names)));
    }
    weir_value_encode(all, out);
    weir_value_unref(all);
}

bool weir_claims_changed(const weir_claims *book) {
    return book->changed;
}

/* --- rows ------------------------------------------------------------------------------------------ */

/* How often: what a run wants back may be several places of one lock. */
static uint64_t count_name(const row *r, weir_str name) {
    uint64_t count = 0;
    for (size_t i = 0; i < weir_value_count(r->names); i++)
        count += weir_str_equal(weir_string_get(weir_array_at(r->names, i)), name);
    return count;
}

static row *find_row(const weir_claims *book, weir_str run, uint32_t node) {
    for (size_t i = 0; i < book->rows.count; i++)
        if (book->rows.items[i].node == node && weir_str_equal(book->rows.items[i].run, run))
            return &book->rows.items[i];
    return NULL;
}

static void remove_at(weir_claims *book, size_t at) {
    weir_value_unref(book->rows.items[at].value);
    book->rows.items[at] = book->rows.items[--book->rows.count];
    book->changed = true;
}

void weir_claims_drop(weir_claims *book, weir_str run, uint32_t node) {
    for (size_t i = book->rows.count; i-- > 0;)
        if (book->rows.items[i].node == node && weir_str_equal(book->rows.items[i].run, run))
            remove_at(book, i);
}

void weir_claims_drop_run(weir_claims *book, weir_str run) {
    for (size_t i = book->rows.count; i-- > 0;)
        if (weir_str_equal(book->rows.items[i].run, run)) remove_at(book, i);
}

static row *add_row(weir_claims *book, const weir_claim *claim, bool held) {
    weir_value *names = weir_array_new();
    for (size_t i = 0; i < weir_value_count(claim->locks); i++)
        weir_array_append(
            names, weir_string_from(weir_member_text(weir_array_at(claim->locks, i), "name")));
    row r = {.node = claim->node,
             .priority = claim->priority,
             .created_us = claim->created_us,
             .number = ++book->numbers,
             .held = held,
             .nested = claim->nested};
    push_row(book, row_value(&r, claim->run, names));
    book->changed = true;
    return &book->rows.items[book->rows.count - 1];
}

/* Whether `a` is to have its locks before `b`. */
static bool comes_before(const row *a, const row *b) {
    if (a->nested != b->nested) return a->nested;
    if (a->priority != b->priority) return a->priority > b->priority;
    if (a->created_us != b->created_us) return a->created_us < b->created_us;
    return a->number < b->number;
}

/* Who asks; `own` is its row, or NULL where it asks for more than one. */
typedef struct asker {
    weir_str run;
    uint32_t node;
    weir_claim_alive *alive;
    void *arg;
} asker;

static bool is_own(const row *r, const asker *who) {
    return r->node == who->node && weir_str_equal(r->run, who->run);
}

/* Whether so many places of the lock are free for the claim, whose row is `at`. Rows of the dead that bar it go; so what
 * was found by its place is to be found again. */
static bool has_room(weir_claims *book, const asker *who, const row *own, const weir_value *lock) {
    uint64_t before = 0, limit = weir_member_count(lock, "limit");
    weir_str name = weir_member_text(lock, "name");
    row mine = *own; /* rows move */
    for (size_t i = 0; i < book->rows.count;) {
        const row *r = &book->rows.items[i];
        uint64_t places = count_name(r, name);
        bool bars =
            places && !is_own(r, who) && (r->held || (!mine.nested && comes_before(r, &mine)));
        if (bars && !weir_str_equal(r->run, who->run) && !who->alive(who->arg, r->run)) {
            remove_at(book, i);
            continue;
        }
        if (bars) before += places;
        if (before >= limit) return false;
        i++;
    }
    return before < limit;
}

static bool say_full(weir_error *error) {
    return weir_fail(error, WEIR_LIMIT, "more than %d locks are had or waited for",
                     WEIR_CLAIMS_MAX);
}

bool weir_claims_ask(weir_claims *book, const weir_claim *claim, weir_claim_alive *alive, void *arg,
                     bool *granted, weir_error *error) {
    asker who = {claim->run, claim->node, alive, arg};
    row *own = find_row(book, claim->run, claim->node);
    *granted = own && own->held;
    if (*granted) return true;
    if (!own && book->rows.count >= WEIR_CLAIMS_MAX) return say_full(error);
    if (!own) own = add_row(book, claim, false);
    row mine = *own;
    *granted = true;
    for (size_t i = 0; *granted && i < weir_value_count(claim->locks); i++)
        *granted = has_room(book, &who, &mine, weir_array_at(claim->locks, i));
    if (!*granted) return true;
    own = find_row(book, claim->run, claim->node);
    own->held = book->changed = true;
    return true;
}

/* --- what a run had -------------------------------------------------------------------------------- */

/* How many of the run's claims want the lock. */
static uint64_t wanted_of(const weir_claim *claims, size_t count, weir_str name) {
    uint64_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < weir_value_count(claims[i].locks); k++)
            wanted +=
                weir_str_equal(weir_member_text(weir_array_at(claims[i].locks, k), "name"), name);
    return wanted;
}

/* Of what others have of the lock; the dead's goes. */
static uint64_t had_by_others(weir_claims *book, const weir_claim *claim, weir_str name,
                              weir_claim_alive *alive, void *arg) {
    uint64_t had = 0;
    for (size_t i = 0; i < book->rows.count;) {
        const row *r = &book->rows.items[i];
        bool other = r->held && count_name(r, name) && !weir_str_equal(r->run, claim->run);
        if (other && !alive(arg, r->run)) {
            remove_at(book, i);
            continue;
        }
        had += other;
        i++;
    }
    return had;
}

static bool may_have_all(weir_claims *book, const weir_claim *claims, size_t count,
                         weir_claim_alive *alive, void *arg) {
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < weir_value_count(claims[i].locks); k++) {
            const weir_value *lock = weir_array_at(claims[i].locks, k);
            weir_str name = weir_member_text(lock, "name");
            if (had_by_others(book, &claims[i], name, alive, arg) + wanted_of(claims, count, name) >
                weir_member_count(lock, "limit"))
                return false;
        }
    }
    return true;
}

static bool has_all(const weir_claims *book, const weir_claim *claims, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const row *r = find_row(book, claims[i].run, claims[i].node);
        if (!r || !r->held) return false;
    }
    return true;
}

/* What the run asked for besides, or was granted, and does not know any more: its engine died before that was durable. */
static void drop_unknown(weir_claims *book, const weir_claim *claims, size_t count) {
    for (size_t i = book->rows.count; i-- > 0;) {
        const row *r = &book->rows.items[i];
        bool known = !weir_str_equal(r->run, claims[0].run);
        for (size_t k = 0; k < count && !known; k++) known = r->node == claims[k].node;
        if (!known) remove_at(book, i);
    }
}

/* All its locks, as one claim that stands before all others. */
static void wait_for_all(weir_claims *book, const weir_claim *claims, size_t count) {
    weir_value *all = weir_array_new();
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < weir_value_count(claims[i].locks); k++)
            weir_array_append(all, weir_value_ref(weir_array_at(claims[i].locks, k)));
    weir_claim one = claims[0];
    one.node = WEIR_CLAIM_BACK;
    one.priority = INT64_MAX;
    one.nested = false;
    one.locks = all;
    (void)add_row(book, &one, false);
    weir_value_unref(all);
}

bool weir_claims_take_back(weir_claims *book, const weir_claim *claims, size_t count,
                           weir_claim_alive *alive, void *arg, bool *granted, weir_error *error) {
    weir_assert(count);
    *granted = has_all(book, claims, count);
    if (*granted) {
        drop_unknown(book, claims, count);
        return true;
    }
    *granted = may_have_all(book, claims, count, alive, arg);
    if (!*granted && find_row(book, claims[0].run, WEIR_CLAIM_BACK)) return true;
    weir_claims_drop_run(book, claims[0].run);
    if (book->rows.count + count >= WEIR_CLAIMS_MAX) return say_full(error);
    if (!*granted) wait_for_all(book, claims, count);
    for (size_t i = 0; *granted && i < count; i++) (void)add_row(book, &claims[i], true);
    return true;
}
