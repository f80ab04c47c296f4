#include <stdio.h>

#include "cli/commands.h"

typedef struct printing {
    weir_cli *cli;
    const char *field;   /* NULL: all of each result */
    weir_value *entries; /* of a form that is one value; NULL: another */
    weir_value
        *first; /* waits: whether texts say whose they are depends on whether there is a second */
    uint64_t count;
} printing;

/* A result by itself: a text as it is. */
static void print_value(weir_output *out, const weir_value *value, int indent) {
    if (!weir_is(value, WEIR_STRING)) {
        weir_output_value(out, value, indent);
        return;
    }
    weir_buffer_str_append(&out->text, weir_string_get(value));
    weir_buffer_byte(&out->text, '\n');
}

/* What a context has instead of a result when it failed. */
static weir_str failure_of(const weir_value *entry) {
    return weir_member_text(weir_member_named(entry, "error"), "what");
}

static void print_named(weir_output *out, const weir_value *entry) {
    weir_str failure = failure_of(entry);
    weir_output_plain(&out->text, weir_member_text(entry, "context"));
    weir_buffer_text(&out->text, failure.length ? ": failed: " : ": ");
    if (failure.length) weir_output_plain(&out->text, failure);
    if (failure.length)
        weir_buffer_byte(&out->text, '\n');
    else
        print_value(out, weir_member_named(entry, "result"), 0);
}

static void print_text(printing *p, const weir_value *entry) {
    if (p->count == 1 && p->cli->words.count == 1) {
        p->first = weir_value_ref((weir_value *)entry);
        return;
    }
    if (p->count == 2 && p->first) print_named(&p->cli->out, p->first);
    if (p->cli->words.count == 1)
        print_named(&p->cli->out, entry);
    else
        print_value(&p->cli->out, weir_member_named(entry, "result"), 2);
}

/* The entry with that part of its result only; NULL: it has none. */
static weir_value *part_of(const weir_value *entry, const char *field) {
    const weir_value *result = weir_member_named(entry, "result");
    weir_value *part = weir_is(result, WEIR_OBJECT) ? weir_member_named(result, field) : NULL;
    if (!part) return NULL;
    weir_value *copy = weir_object_new();
    for (size_t i = 0; i < weir_value_count(entry); i++)
        weir_member_set(copy, weir_object_key(entry, i), weir_value_ref(weir_object_at(entry, i)));
    weir_member_put(copy, "result", weir_value_ref(part));
    return copy;
}

static bool take_entry(void *arg, const weir_value *given) {
    printing *p = arg;
    weir_value *entry = p->field ? part_of(given, p->field) : weir_value_ref((weir_value *)given);
    if (!entry) return true;
    p->count++;
    if (p->entries)
        weir_array_append(p->entries, weir_value_ref(entry));
    else if (weir_cli_form(p->cli, "jsonl"))
        weir_output_value(&p->cli->out, entry, 0);
    else
        print_text(p, entry);
    weir_value_unref(entry);
    return weir_output_more(&p->cli->out);
}

bool weir_results_command(weir_cli *cli, weir_engine *engine, weir_error *error) {
    printing p = {.cli = cli, .field = weir_cli_text(cli, WEIR_FLAG_FIELD)};
    const char *context = cli->words.count > 1 ? cli->words.items[1] : NULL;
    if (weir_cli_whole(cli)) p.entries = weir_array_new();
    bool ok = weir_results(engine, cli->words.items[0], context, take_entry, &p, error);
    if (ok && p.field && !p.count) {
        ok = weir_fail(error, WEIR_NOT_FOUND, "no result of %s has `%s`", cli->words.items[0],
                       p.field);
        weir_error_hint(error, "`weir results %s` prints all there is", cli->words.items[0]);
    }
    if (ok && p.entries) weir_cli_print(cli, p.entries);
    if (ok && p.first && p.count == 1) {
        if (failure_of(p.first).length)
            print_named(&cli->out, p.first);
        else
            print_value(&cli->out, weir_member_named(p.first, "result"), 2);
    }
    if (ok && !p.count && weir_cli_form(cli, "text")) fprintf(stderr, "weir: no results yet\n");
    weir_value_unref(p.entries);
    weir_value_unref(p.first);
    return ok;
}
