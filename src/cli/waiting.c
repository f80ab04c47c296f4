#include "cli/waiting.h"

#include <stdio.h>

#include "base/map.h"
#include "base/size.h"
#include "base/time.h"
#include "cli/output.h"

enum { LINES_MAX = 20 };

bool weir_waiting_is(const weir_value *entry, const char *name) {
    const weir_value *path = weir_member_named(entry, "path");
    for (size_t i = 0; weir_is(path, WEIR_ARRAY) && i < weir_value_count(path); i++)
        if (weir_is(weir_array_at(path, i), WEIR_STRING) &&
            weir_str_is(weir_string_get(weir_array_at(path, i)), name))
            return true;
    return false;
}

static void put_amount(weir_str what, uint64_t amount, weir_buffer *out) {
    char text[24];
    if (weir_str_is(what, "memory"))
        weir_buffer_text(out, weir_size_format(amount, text));
    else if (weir_str_is(what, "cpu"))
        weir_buffer_printf(out, "%g", (double)amount / 1000);
    else
        weir_buffer_printf(out, "%llu", (unsigned long long)amount);
}

static void put_lack(const weir_value *entry, weir_str what, weir_buffer *out) {
    static const char *const names[][2] = {
        {"memory", "of memory"}, {"cpu", "of the processors"}, {"processes", "of the processes"}};
    const char *name = "";
    for (size_t i = 0; i < 3; i++)
        if (weir_str_is(what, names[i][0])) name = names[i][1];
    weir_buffer_text(out, "wants ");
    put_amount(what, weir_member_count(entry, "wants"), out);
    weir_buffer_printf(out, " %s; ", name);
    put_amount(what, weir_member_count(entry, "free"), out);
    weir_buffer_text(out, " of ");
    put_amount(what, weir_member_count(entry, "limit"), out);
    weir_buffer_text(out, " are free");
}

void weir_waiting_describe(const weir_value *entry, weir_buffer *out) {
    weir_str what = weir_member_text(entry, "for");
    weir_str behind = weir_member_text(entry, "behind");
    uint64_t begins_in_us = weir_member_count(entry, "begins_in_us");
    char text[24];
    if (behind.length) {
        weir_buffer_text(out, "behind ");
        weir_output_plain(out, behind);
        if (!weir_str_is(what, "memory") || !weir_member_count(entry, "wants")) return;
        weir_buffer_text(out, "; wants ");
        put_amount(what, weir_member_count(entry, "wants"), out);
        weir_buffer_text(out, " of memory");
        return;
    }
    if (weir_str_is(what, "slots"))
        weir_buffer_printf(out, "all %llu slots of the run are taken",
                           (unsigned long long)weir_member_count(entry, "limit"));
    else
        put_lack(entry, what, out);
    if (begins_in_us)
        weir_buffer_printf(out, ", expected in %s",
                           weir_duration_format((begins_in_us + 99999) / 100000 * 100000, text));
}

void weir_waiting_print(const weir_value *status, const char *only, weir_buffer *out) {
    const weir_value *list = weir_member_named(status, "waiting");
    weir_str scheduler = weir_member_text(status, "scheduler");
    uint64_t shown = 0, more = weir_member_count(status, "waiting_more");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        const weir_value *entry = weir_array_at(list, i);
        if (only && !weir_waiting_is(entry, only)) continue;
        if (shown == LINES_MAX) {
            more++;
            continue;
        }
        if (!shown++)
            weir_buffer_printf(out, "waiting for room, the next first (%.*s):\n",
                               WEIR_ARG(scheduler.length ? scheduler : WEIR_STR("fifo")));
        weir_buffer_text(out, "  ");
        weir_output_plain(out, weir_member_text(entry, "name"));
        weir_buffer_text(out, "  ");
        weir_waiting_describe(entry, out);
        weir_buffer_byte(out, '\n');
    }
    if (more && !only) weir_buffer_printf(out, "  … and %llu more\n", (unsigned long long)more);
}

/* --- at the nodes ------------------------------------------------------------------------------- */

/* Of one node: the first of its tasks that wait, and how many more do. */
typedef struct told {
    const weir_value *entry;
    uint64_t more;
} told;

typedef struct telling {
    weir_map
        places; /* in `items`: of a node of a workflow by its id, of an operation by its context and its name */
    WEIR_VECTOR(told) items;
    weir_arena arena;
    bool fine;
} telling;

static weir_str text_at(const weir_value *list, size_t at) {
    const weir_value *text = at < weir_value_count(list) ? weir_array_at(list, at) : NULL;
    return weir_is(text, WEIR_STRING) ? weir_string_get(text) : WEIR_STR("");
}

static void put_key(weir_str context, weir_str name, weir_buffer *out) {
    weir_buffer_clear(out);
    weir_buffer_str_append(out, context);
    weir_buffer_byte(out, '\n');
    weir_buffer_str_append(out, name);
}

static void take_entry(telling *t, const weir_value *entry, bool workflow) {
    const weir_value *path = weir_member_named(entry, "path");
    uint64_t at;
    if (!weir_is(path, WEIR_ARRAY) || weir_str_is(weir_member_text(entry, "for"), "slots")) return;
    size_t count = weir_value_count(path);
    weir_buffer key = {0};
    if (workflow)
        put_key(WEIR_STR(""), text_at(path, 2), &key);
    else
        put_key(count > 1 ? text_at(path, count - 2) : WEIR_STR(""),
                count ? text_at(path, count - 1) : WEIR_STR(""), &key);
    if (weir_map_get(&t->places, weir_buffer_str(&key), &at)) {
        weir_assert(t->items.items);
        t->items.items[at].more++;
    } else {
        weir_str kept = {weir_str_copy(&t->arena, weir_buffer_str(&key)), key.length};
        weir_map_set(&t->places, kept, t->items.count);
        *weir_vector_push(&t->items) = (told){entry, 0};
    }
    weir_buffer_deinit(&key);
}

/* The node, or a copy with its message; a new reference. */
static weir_value *tell_node(const telling *t, const weir_value *node, weir_str context,
                             weir_str name) {
    weir_buffer text = {0};
    uint64_t at;
    weir_value *made = weir_value_ref((weir_value *)(uintptr_t)node);
    put_key(context, name, &text);
    if (!weir_member_text(node, "message").length &&
        weir_map_get(&t->places, weir_buffer_str(&text), &at)) {
        const told *what = &t->items.items[at];
        weir_buffer_clear(&text);
        if (t->fine) {
            weir_waiting_describe(what->entry, &text);
            if (what->more)
                weir_buffer_printf(&text, "; %llu more wait", (unsigned long long)what->more);
        } else {
            weir_buffer_text(&text, "waits for ");
            weir_output_plain(&text, weir_member_text(what->entry, "for"));
        }
        made = weir_value_own(made);
        weir_member_put_text(made, "message", weir_buffer_str(&text));
    }
    weir_buffer_deinit(&text);
    return made;
}

/* Contexts come before what is in them. */
static weir_value *tell_list(const telling *t, const weir_value *nodes, bool workflow) {
    weir_value *made = weir_array_new();
    weir_map contexts = {0};
    for (size_t i = 0; i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i), *around = NULL;
        uint64_t at;
        if (weir_map_get(&contexts, weir_member_text(node, "parent"), &at))
            around = weir_array_at(nodes, at);
        weir_map_set(&contexts, weir_member_text(node, "id"), i);
        weir_array_append(
            made, tell_node(t, node, workflow ? WEIR_STR("") : weir_member_text(around, "name"),
                            weir_member_text(node, workflow ? "id" : "name")));
    }
    weir_map_deinit(&contexts);
    return made;
}

/* To be changed; its members are those of the original. */
static weir_value *own_copy(const weir_value *object) {
    return weir_value_own(weir_value_ref((weir_value *)(uintptr_t)object));
}

static void tell_workflow(const telling *t, weir_value *status) {
    const weir_value *workflow = weir_member_named(status, "workflow"),
                     *inner = weir_member_named(workflow, "status"),
                     *nodes = weir_member_named(inner, "nodes");
    if (!weir_is(nodes, WEIR_OBJECT)) return;
    weir_value *own_workflow = own_copy(workflow), *own_status = own_copy(inner),
               *own_nodes = own_copy(nodes);
    for (size_t i = 0; i < weir_value_count(nodes); i++)
        weir_member_set(
            own_nodes, weir_object_key(nodes, i),
            tell_node(t, weir_object_at(nodes, i), WEIR_STR(""), weir_object_key(nodes, i)));
    weir_member_put(own_status, "nodes", own_nodes);
    weir_member_put(own_workflow, "status", own_status);
    weir_member_put(status, "workflow", own_workflow);
}

weir_value *weir_waiting_tell(const weir_value *status, bool fine) {
    weir_value *made = weir_value_ref((weir_value *)(uintptr_t)status);
    const weir_value *waiting = weir_member_named(status, "waiting"),
                     *nodes = weir_member_named(status, "nodes");
    telling t = {.fine = fine};
    bool workflow = weir_str_is(weir_member_text(status, "kind"), "workflow");
    for (size_t i = 0; weir_is(waiting, WEIR_ARRAY) && i < weir_value_count(waiting); i++)
        take_entry(&t, weir_array_at(waiting, i), workflow);
    if (t.items.count) {
        made = weir_value_own(made);
        if (workflow) tell_workflow(&t, made);
        if (weir_is(nodes, WEIR_ARRAY))
            weir_member_put(made, "nodes", tell_list(&t, nodes, workflow));
    }
    weir_map_deinit(&t.places);
    weir_vector_deinit(&t.items);
    weir_arena_deinit(&t.arena);
    return made;
}
