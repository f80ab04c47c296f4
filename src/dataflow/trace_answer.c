/* The answer of a trace: goes from the match to what is next to it, and so on; each thing is met once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "dataflow/trace_internal.h"

enum {
    DEPTH_USUAL = 50,
    NODES_USUAL = 1000,
    NEIGHBOURS_MAX =
        50 /* that one thing has in the answer: an output operation may see a million values */
};

/* --- nodes -------------------------------------------------------------------------------------- */

static void birth_id(const weir__family *family, uint32_t number, weir_buffer *out) {
    const weir__birth *birth = &family->births.items[number];
    uint32_t came = WEIR__NONE;
    if (birth->from != WEIR__NONE) {
        came = family->members.items[birth->context].id;
        while (birth->from != WEIR__NONE) birth = &family->births.items[birth->from];
    }
    weir_buffer_printf(out, "%" PRIu32 ":%" PRIu64 ".%" PRIu32,
                       family->members.items[birth->context].id, birth->sequence, birth->nth);
    if (came != WEIR__NONE) weir_buffer_printf(out, "@%" PRIu32, came);
}

static void write_id(const weir__family *family, weir__matter matter, uint32_t number,
                     weir_buffer *out) {
    if (matter == WEIR__BIRTH) {
        birth_id(family, number, out);
        return;
    }
    const weir__act *act = &family->acts.items[number];
    bool is_act = matter == WEIR__ACT;
    const weir__member *member = &family->members.items[is_act ? act->context : number];
    weir_buffer_printf(out, "%" PRIu32 ":%" PRIu64, member->id,
                       is_act ? act->sequence : member->sequence);
}

static void put_time(weir_value *node, const char *key, uint64_t time_us) {
    char text[32];
    if (time_us) weir_member_put_text(node, key, weir_str_from(weir_moment_format(time_us, text)));
}

/* Which output of the act that gave it. */
static weir_str output_of(const weir__family *family, const weir__birth *birth) {
    const weir__flow *flow = family->members.items[birth->context].flow;
    if (birth->origin == WEIR__NONE) return WEIR_STR("");
    const weir__origin *origin = &flow->origins.items[birth->origin];
    return origin->instance == WEIR__NONE ? WEIR_STR("") : origin->text;
}

static void put_birth(const weir__family *family, const weir__birth *birth, weir_value *node) {
    const weir__flow *flow = family->members.items[birth->context].flow;
    const char *from = birth->from != WEIR__NONE                                    ? "forwarded"
                       : birth->invocation != WEIR__NONE                            ? "operation"
                       : birth->seed                                                ? "seed"
                       : family->members.items[birth->context].parent != WEIR__NONE ? "given"
                                                                                    : "outside";
    weir_member_put_text(node, "type", WEIR_STR("value"));
    weir_member_put_text(node, "definition", flow->definitions.items[birth->definition].name);
    if (birth->value) weir_member_put(node, "value", weir_value_ref(birth->value));
    weir_member_put_text(node, "from", weir_str_from(from));
    if (birth->invocation != WEIR__NONE)
        weir_member_put_text(node, "output", output_of(family, birth));
    put_time(node, "time", birth->time_us);
}

void weir__trace_put_act(const weir_trace *trace, const weir__family *family, const weir__act *act,
                         weir_value *node) {
    const weir__instance *instance =
        &family->members.items[act->context].flow->instances.items[act->instance];
    bool over = act->outcome < WEIR_OUTCOME_KINDS;
    weir_member_put_text(node, "type", WEIR_STR("operation"));
    weir_member_put_text(node, "instance", instance->name);
    weir_member_put_text(node, "operation", instance->spec->operation);
    if (act->task != WEIR_NO_TASK) {
        weir_member_put(node, "task", weir_int_new(act->task));
        if (act->attempt) weir_member_put(node, "attempt", weir_int_new(act->attempt));
        weir_member_put_text(node, "executor", instance->spec->executor);
    }
    if (act->host != WEIR__NONE)
        weir_member_put_text(node, "host", weir_str_from(trace->hosts.items[act->host]));
    if (act->pid) weir_member_put(node, "pid", weir_int_new(act->pid));
    weir_member_put_text(
        node, "outcome",
        weir_str_from(over ? weir_outcome_text((weir_outcome_kind)act->outcome) : "under way"));
    put_time(node, "started", act->started_us);
    put_time(node, "finished", act->finished_us);
    if (act->outputs) weir_member_put(node, "outputs", weir_value_ref(act->outputs));
}

weir_value *weir__trace_node(const weir_trace *trace, const weir__family *family,
                             weir__matter matter, uint32_t number) {
    weir_value *node = weir_object_new();
    weir_buffer id = {0};
    write_id(family, matter, number, &id);
    weir_member_put_text(node, "id", weir_buffer_str(&id));
    weir_buffer_deinit(&id);
    uint32_t at = number;
    if (matter == WEIR__BIRTH) {
        at = family->births.items[number].context;
        put_birth(family, &family->births.items[number], node);
    } else if (matter == WEIR__ACT) {
        at = family->acts.items[number].context;
        weir__trace_put_act(trace, family, &family->acts.items[number], node);
    } else {
        const weir__member *member = &family->members.items[number];
        weir_member_put_text(node, "type", WEIR_STR("result"));
        if (member->value) weir_member_put(node, "value", weir_value_ref(member->value));
        put_time(node, "time", member->time_us);
    }
    const weir__member *member = &family->members.items[at];
    weir_member_put_text(node, "context", weir_str_from(member->name));
    weir_member_put(node, "path", weir_value_ref(member->flow->path));
    return node;
}

/* --- what is next to what ----------------------------------------------------------------------- */

/* Numbers by what they belong to: first[of], then next[number]; WEIR__NONE ends. */
typedef struct chain {
    uint32_t *first, *next;
} chain;

typedef struct item {
    weir__matter matter;
    uint32_t number, depth;
} item;

typedef struct walk {
    weir_trace *trace;
    weir__family *family;
    weir_value *edges;
    WEIR_VECTOR(item) items; /* by node; those from `at` on are to be gone from */
    size_t at, limit;
    uint32_t depth;
    size_t neighbours, left_out; /* of the item that is gone from */
    bool cut;
    chain opened;                  /* members by the act that opened them */
    chain remaps;                  /* members that see another's inputs, by that */
    chain outputs;                 /* acts of the output stage by member */
    chain collectors;              /* the same, only those that collect */
    chain given;                   /* births by act */
    chain forwarded;               /* births by what they are */
    weir__numbers uses, first_use; /* acts by the births in their sets */
    weir__numbers sorted;          /* births by member and definition; empty: not yet */
} walk;

static uint32_t *none(size_t count) {
    uint32_t *items = weir_alloc((count + 1) * sizeof *items);
    memset(items, 0xff, (count + 1) * sizeof *items);
    return items;
}

static chain chain_new(size_t owners, size_t count) {
    return (chain){none(owners), none(count)};
}

/* In front of the others: who wants them in their order puts the last first. */
static void chain_put(chain *c, uint32_t owner, uint32_t number) {
    if (owner == WEIR__NONE) return;
    c->next[number] = c->first[owner];
    c->first[owner] = number;
}

static void chain_free(chain *c) {
    weir_free(c->first);
    weir_free(c->next);
}

static void index_members(walk *w) {
    const weir__family *f = w->family;
    size_t members = f->members.count, acts = f->acts.count;
    w->opened = chain_new(acts, members);
    w->remaps = chain_new(members, members);
    w->outputs = chain_new(members, acts);
    w->collectors = chain_new(members, acts);
    for (uint32_t i = (uint32_t)members; i-- > 0;) {
        chain_put(&w->opened, f->members.items[i].act, i);
        if (f->members.items[i].remap) chain_put(&w->remaps, f->members.items[i].parent, i);
    }
    for (uint32_t i = (uint32_t)acts; i-- > 0;) {
        const weir__act *act = &f->acts.items[i];
        const weir__flow *flow = f->members.items[act->context].flow;
        if (flow->instances.items[act->instance].stage != WEIR_STAGE_OUTPUT) continue;
        chain_put(&w->outputs, act->context, i);
        if (act->collected != WEIR__NONE) chain_put(&w->collectors, act->context, i);
    }
}

/* Counts how often each birth is in a set, then lists by whom. */
static void index_uses(walk *w) {
    const weir__family *f = w->family;
    w->first_use.items = weir_alloc((f->births.count + 2) * sizeof(uint32_t));
    uint32_t *first = w->first_use.items;
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t a = 0; a < f->acts.count; a++) {
            const uint32_t *set = f->pool.items + f->acts.items[a].set;
            for (uint32_t i = 1; i <= set[0]; i++) {
                if (set[i] == WEIR__DEFAULT || set[i] == WEIR__NONE) continue;
                if (pass)
                    w->uses.items[first[set[i] + 1]++] = a;
                else
                    first[set[i] + 2]++;
            }
        }
        for (size_t b = 2; !pass && b < f->births.count + 2; b++) first[b] += first[b - 1];
        if (!pass) w->uses.items = weir_alloc((first[f->births.count + 1] + (size_t)1) * 4);
    }
}

static void index_births(walk *w) {
    const weir__family *f = w->family;
    w->given = chain_new(f->acts.count, f->births.count);
    w->forwarded = chain_new(f->births.count, f->births.count);
    for (uint32_t i = (uint32_t)f->births.count; i-- > 0;) {
        chain_put(&w->given, f->births.items[i].invocation, i);
        chain_put(&w->forwarded, f->births.items[i].from, i);
    }
}

static int by_definition(const void *a, const void *b, void *arg) {
    const weir__family *f = arg;
    uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const weir__birth *x = &f->births.items[i], *y = &f->births.items[k];
    if (x->context != y->context) return x->context < y->context ? -1 : 1;
    if (x->definition != y->definition) return x->definition < y->definition ? -1 : 1;
    return i < k ? -1 : i > k;
}

static void sort_births(walk *w) {
    if (w->sorted.count) return;
    for (uint32_t i = 0; i < w->family->births.count; i++) *weir_vector_push(&w->sorted) = i;
    qsort_r(w->sorted.items, w->sorted.count, sizeof(uint32_t), by_definition, w->family);
}

/* The first of the sorted births that is not before (member, definition). */
static size_t find_sorted(const walk *w, uint32_t member, uint32_t definition) {
    size_t low = 0, high = w->sorted.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const weir__birth *b = &w->family->births.items[w->sorted.items[middle]];
        bool before = b->context < member || (b->context == member && b->definition < definition);
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- walking ------------------------------------------------------------------------------------ */

static uint32_t *node_of(weir__family *f, weir__matter matter, uint32_t number) {
    if (matter == WEIR__BIRTH) return &f->births.items[number].node;
    return matter == WEIR__ACT ? &f->acts.items[number].node : &f->members.items[number].node;
}

static void note_missing(weir_trace *trace, weir__matter matter, uint32_t number, uint32_t node) {
    weir__numbers *missing = &trace->missing[matter];
    while (missing->count <= number) *weir_vector_push(missing) = WEIR__NONE;
    missing->items[number] = node;
    trace->missing_count++;
}

static bool lacks_value(const weir__family *f, weir__matter matter, uint32_t number) {
    if (matter == WEIR__BIRTH) return !f->births.items[number].value;
    if (matter == WEIR__RESULT)
        return !f->members.items[number].value && f->members.items[number].sequence;
    const weir__act *act = &f->acts.items[number];
    const weir__flow *flow = f->members.items[act->context].flow;
    return flow->instances.items[act->instance].stage == WEIR_STAGE_OUTPUT && !act->outputs &&
           act->outcome == WEIR_OUTCOME_SUCCEEDED;
}

/* The thing's node, made when it is new; WEIR__NONE: it was left out. */
static uint32_t meet(walk *w, weir__matter matter, uint32_t number, uint32_t depth) {
    uint32_t *node = node_of(w->family, matter, number);
    if (*node != WEIR__NONE) return *node;
    if (w->trace->nodes.count == w->limit || depth > w->depth) {
        w->cut = true;
        return WEIR__NONE;
    }
    *node = (uint32_t)w->trace->nodes.count;
    *weir_vector_push(&w->trace->nodes) = weir__trace_node(w->trace, w->family, matter, number);
    *weir_vector_push(&w->items) = (item){matter, number, depth};
    if (lacks_value(w->family, matter, number)) note_missing(w->trace, matter, number, *node);
    return *node;
}

/* Meets what is next to the item that is gone from, the way data took being `forward` or back. */
static void link(walk *w, weir__matter matter, uint32_t number, weir_str name) {
    const item from = w->items.items[w->at];
    uint32_t depth = from.depth + (matter == WEIR__ACT);
    uint32_t node = w->neighbours < NEIGHBOURS_MAX ? meet(w, matter, number, depth) : WEIR__NONE;
    if (node == WEIR__NONE) {
        w->left_out++;
        w->cut = true;
        return;
    }
    w->neighbours++;
    bool forward = w->trace->query->forward;
    weir_value **nodes = w->trace->nodes.items, *edge = weir_object_new();
    weir_member_put(edge, "from",
                    weir_value_ref(weir_member_named(nodes[forward ? w->at : node], "id")));
    weir_member_put(edge, "to",
                    weir_value_ref(weir_member_named(nodes[forward ? node : w->at], "id")));
    if (name.length) weir_member_put_text(edge, "name", name);
    weir_array_append(w->edges, edge);
}

static const weir__instance *instance_of(const walk *w, const weir__act *act) {
    return &w->family->members.items[act->context].flow->instances.items[act->instance];
}

static weir_str definition_name(const walk *w, uint32_t birth) {
    const weir__birth *b = &w->family->births.items[birth];
    return w->family->members.items[b->context].flow->definitions.items[b->definition].name;
}

/* Whether an input of an act that opened a context became this input of the context: by its definition, where the act's
 * parameters are the inputs. */
static bool became(const walk *w, const weir__act *act, uint32_t outer, uint32_t inner) {
    return instance_of(w, act)->nested != WEIR__NESTED_CUSTOM ||
           weir_str_equal(definition_name(w, outer), definition_name(w, inner));
}

static bool is_given(const weir__birth *birth) {
    return birth->invocation == WEIR__NONE && birth->from == WEIR__NONE && !birth->seed;
}

static void back_from_birth(walk *w, uint32_t number) {
    const weir__family *f = w->family;
    const weir__birth *birth = &f->births.items[number];
    const weir__member *member = &f->members.items[birth->context];
    if (birth->from != WEIR__NONE) {
        link(w, WEIR__BIRTH, birth->from, WEIR_STR("forwarded"));
    } else if (birth->invocation != WEIR__NONE) {
        link(w, WEIR__ACT, birth->invocation, output_of(f, birth));
    } else if (is_given(birth) && member->act != WEIR__NONE) {
        const weir__act *act = &f->acts.items[member->act];
        const uint32_t *set = f->pool.items + act->set;
        for (uint32_t i = 1; i <= set[0]; i++)
            if (set[i] != WEIR__DEFAULT && became(w, act, set[i], number))
                link(w, WEIR__BIRTH, set[i], WEIR_STR("given to the subflow"));
    }
}

/* What an output operation saw of a context: the values of a definition that were there. */
static void back_to_collected(walk *w, const weir__act *act, uint32_t member, uint32_t definition) {
    sort_births(w);
    for (size_t i = find_sorted(w, member, definition); i < w->sorted.count; i++) {
        const weir__birth *b = &w->family->births.items[w->sorted.items[i]];
        if (b->context != member || b->definition != definition ||
            w->sorted.items[i] >= act->births)
            return;
        link(w, WEIR__BIRTH, w->sorted.items[i], WEIR_STR("collected"));
    }
}

static void back_to_all_collected(walk *w, const weir__act *act) {
    const weir__family *f = w->family;
    const uint32_t *list = f->pool.items + act->collected;
    const weir__member *member = &f->members.items[act->context];
    for (uint32_t i = 1; i <= list[0]; i++) {
        uint64_t at = list[i];
        back_to_collected(w, act, act->context, list[i]);
        weir_str name = member->flow->definitions.items[list[i]].name;
        for (const weir__member *m = member; m->remap; m = &f->members.items[m->parent])
            if (weir__definition_find(f->members.items[m->parent].flow, name, &at))
                back_to_collected(w, act, m->parent, (uint32_t)at);
    }
}

static void back_from_act(walk *w, uint32_t number) {
    const weir__family *f = w->family;
    const weir__act *act = &f->acts.items[number];
    const uint32_t *set = f->pool.items + act->set;
    const weir__instance *instance = instance_of(w, act);
    for (uint32_t i = 1; i <= set[0]; i++)
        if (set[i] != WEIR__DEFAULT)
            link(w, WEIR__BIRTH, set[i], instance->parameters.items[i - 1].name);
    if (act->collected != WEIR__NONE) back_to_all_collected(w, act);
    for (uint32_t m = w->opened.first[number]; m != WEIR__NONE; m = w->opened.next[m])
        link(w, WEIR__RESULT, m, weir_str_from(f->members.items[m].name));
}

static void forward_to_collectors(walk *w, uint32_t number, uint32_t member) {
    const weir__family *f = w->family;
    weir_str name = definition_name(w, number);
    const weir__flow *flow = f->members.items[member].flow;
    uint64_t definition;
    if (weir__definition_find(flow, name, &definition))
        for (uint32_t a = w->collectors.first[member]; a != WEIR__NONE; a = w->collectors.next[a]) {
            const uint32_t *list = f->pool.items + f->acts.items[a].collected;
            for (uint32_t i = 1; i <= list[0]; i++)
                if (list[i] == definition && number < f->acts.items[a].births)
                    link(w, WEIR__ACT, a, WEIR_STR("collected"));
        }
    for (uint32_t m = w->remaps.first[member]; m != WEIR__NONE; m = w->remaps.next[m])
        forward_to_collectors(w, number, m);
}

/* To what the contexts were given that the act opened. */
static void forward_into(walk *w, uint32_t act, uint32_t number) {
    const weir__family *f = w->family;
    for (uint32_t m = w->opened.first[act]; m != WEIR__NONE; m = w->opened.next[m]) {
        if (f->members.items[m].remap) continue;
        sort_births(w);
        for (size_t i = find_sorted(w, m, 0); i < w->sorted.count; i++) {
            const weir__birth *b = &f->births.items[w->sorted.items[i]];
            if (b->context != m) break;
            if (is_given(b) && became(w, &f->acts.items[act], number, w->sorted.items[i]))
                link(w, WEIR__BIRTH, w->sorted.items[i], WEIR_STR("given to the subflow"));
        }
    }
}

static weir_str parameter_name(const walk *w, const weir__act *act, uint32_t birth) {
    const uint32_t *set = w->family->pool.items + act->set;
    uint32_t i = 1;
    while (set[i] != birth) i++;
    return instance_of(w, act)->parameters.items[i - 1].name;
}

static void forward_from_birth(walk *w, uint32_t number) {
    const weir__family *f = w->family;
    const uint32_t *first = w->first_use.items + number;
    for (uint32_t i = first[0]; i < first[1]; i++) {
        uint32_t act = w->uses.items[i];
        if (i > first[0] && w->uses.items[i - 1] == act) continue;
        link(w, WEIR__ACT, act, parameter_name(w, &f->acts.items[act], number));
        forward_into(w, act, number);
    }
    for (uint32_t b = w->forwarded.first[number]; b != WEIR__NONE; b = w->forwarded.next[b])
        link(w, WEIR__BIRTH, b, WEIR_STR("forwarded"));
    forward_to_collectors(w, number, f->births.items[number].context);
}

static void forward_from_act(walk *w, uint32_t number) {
    const weir__act *act = &w->family->acts.items[number];
    for (uint32_t b = w->given.first[number]; b != WEIR__NONE; b = w->given.next[b])
        link(w, WEIR__BIRTH, b, output_of(w->family, &w->family->births.items[b]));
    if (instance_of(w, act)->stage == WEIR_STAGE_OUTPUT &&
        w->family->members.items[act->context].sequence)
        link(w, WEIR__RESULT, act->context, WEIR_STR(""));
}

static void go_from(walk *w) {
    const item it = w->items.items[w->at];
    bool forward = w->trace->query->forward;
    if (it.matter == WEIR__BIRTH) {
        (forward ? forward_from_birth : back_from_birth)(w, it.number);
    } else if (it.matter == WEIR__ACT) {
        (forward ? forward_from_act : back_from_act)(w, it.number);
    } else if (forward) {
        uint32_t act = w->family->members.items[it.number].act;
        if (act != WEIR__NONE) link(w, WEIR__ACT, act, WEIR_STR("result"));
    } else {
        for (uint32_t a = w->outputs.first[it.number]; a != WEIR__NONE; a = w->outputs.next[a])
            link(w, WEIR__ACT, a, WEIR_STR(""));
    }
}

static void walk_deinit(walk *w) {
    chain *const chains[] = {&w->opened,     &w->remaps, &w->outputs,
                             &w->collectors, &w->given,  &w->forwarded};
    for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) chain_free(chains[i]);
    weir_vector_deinit(&w->items);
    weir_vector_deinit(&w->uses);
    weir_vector_deinit(&w->first_use);
    weir_vector_deinit(&w->sorted);
}

static void walk_all(weir_trace *trace, const weir__match *match, weir_value *edges, bool *cut) {
    const weir_lineage_query *query = trace->query;
    walk w = {.trace = trace,
              .family = match->family,
              .edges = edges,
              .depth = query->depth ? query->depth : DEPTH_USUAL,
              .limit = query->limit ? query->limit : NODES_USUAL};
    trace->root = match->family->root;
    index_members(&w);
    index_uses(&w);
    index_births(&w);
    (void)meet(&w, match->matter, match->number, 0);
    for (size_t i = 0; i < match->others.count; i++)
        (void)meet(&w, match->matter, match->others.items[i], 0);
    for (; w.at < w.items.count; w.at++) {
        w.neighbours = w.left_out = 0;
        go_from(&w);
        if (w.left_out)
            weir_member_put(trace->nodes.items[w.at], "more", weir_int_new((int64_t)w.left_out));
    }
    *cut = w.cut || match->found > match->others.count + 1;
    walk_deinit(&w);
}

weir_value *weir_trace_answer(weir_trace *trace) {
    weir_value *answer = weir_object_new(), *edges = weir_array_new(), *nodes = weir_array_new();
    bool cut = false, direct = trace->match[WEIR__CALLED_SO].found > 0;
    const weir__match *match = &trace->match[direct ? WEIR__CALLED_SO : WEIR__GIVES_SO];
    if (match->found == 1 || (match->found && !*trace->query->what))
        walk_all(trace, match, edges, &cut);
    for (size_t i = 0; i < trace->nodes.count; i++)
        weir_array_append(nodes, trace->nodes.items[i]); /* the answer's by now */
    weir_member_put(answer, "found", weir_int_new((int64_t)match->found));
    weir_member_put(answer, "matches", weir_value_ref(match->nodes));
    weir_member_put(answer, "nodes", nodes);
    weir_member_put(answer, "edges", edges);
    weir_member_put(answer, "cut", weir_bool_new(cut));
    return answer;
}
