/* The fields as docs/compatibility.md lists them. */
#include "workflow/fields.h"

static const char *type_text(weir__field_type type) {
    static const char *const texts[] = {
        "text", "text or number", "integer", "integer or text", "boolean",      "object",
        "list", "list of lists",  "map",     "list of texts",   "map of texts", "object",
        "list", "anything"};
    return texts[type];
}

static const char *state_text(weir__field_state state) {
    switch (state) {
    case WEIR__FIELD_WORKS: return "works";
    case WEIR__FIELD_DIFFERS: return "differs";
    case WEIR__FIELD_NOT_YET: return "not yet";
    default: return "cluster only";
    }
}

/* Whether both can stand in one row. */
static bool is_alike(const weir__field_entry *a, const weir__field_entry *b) {
    return b->name && strcmp(state_text(a->state), state_text(b->state)) == 0 &&
           b->state != WEIR__FIELD_OLD && strcmp(a->note, b->note) == 0 &&
           strcmp(type_text(a->type), type_text(b->type)) == 0;
}

static void write_part(const weir__field_of *of, weir_buffer *out) {
    weir_buffer_printf(out, "\n## %s\n\n| field | type | state | note |\n|---|---|---|---|\n",
                       of->title);
    const char *prefix = strchr(of->prefix, ' ') ? "" : of->prefix;
    for (const weir__field_entry *field = of->fields; field->name; field++) {
        if (field->state == WEIR__FIELD_OLD) continue;
        weir_buffer_printf(out, "| `%s%s`", prefix, field->name);
        while (is_alike(field, field + 1)) {
            field++;
            weir_buffer_printf(out, ", `%s%s`", prefix, field->name);
        }
        bool said = field->state == WEIR__FIELD_CLUSTER_SAID;
        weir_buffer_printf(out, " | %s | %s | %s%s%s |\n", type_text(field->type),
                           state_text(field->state), field->note,
                           said && field->note[0] ? "; " : "", said ? "a warning says so" : "");
    }
}

void weir_workflow_fields_write(weir_buffer *out) {
    for (const weir__field_of *const *part = weir__field_parts; *part; part++)
        write_part(*part, out);
}
