/* The tree of `argo get`. */
#include <stdio.h>

#include "base/map.h"
#include "base/time.h"
#include "cli/humanize.h"
#include "cli/output.h"
#include "cli/tabs.h"
#include "cli/workflow_fit.h"
#include "cli/workflow_text.h"

enum {
    BRANCH_BYTES_MAX = 4096, /* deeper nodes are not drawn further to the right */
    POD_PREFIX_MAX = 242     /* of a name's 253 characters, 10 are the hash */
};

/* A node whose children are being drawn. What its first line and the others begin with is in `branches`. */
typedef struct frame {
    uint32_t node, next; /* child */
    size_t first, first_length, rest, rest_length;
    bool hidden, indents; /* it has no line; but its children are moved as if it had */
} frame;

typedef struct drawing {
    const weir_workflow_look *look;
    weir_str name;
    weir_forest forest;
    weir_tabs tabs;
    weir_buffer branches; /* a stack */
    WEIR_VECTOR(frame) frames;
} drawing;

void weir_workflow_put_colored(const weir_workflow_look *look, int color, const char *text,
                               weir_buffer *out) {
    if (look->color && *text)
        weir_buffer_printf(out, "\033[%dm%s\033[0m", color, text);
    else
        weir_buffer_text(out, text);
}

bool weir_workflow_node_is_suspended(const weir_value *node) {
    return weir_str_is(weir_member_text(node, "type"), "Suspend") &&
           weir_str_is(weir_member_text(node, "phase"), "Running");
}

void weir_workflow_put_pod(weir_str workflow, const weir_value *node, weir_buffer *out) {
    weir_str name = weir_member_text(node, "name");
    size_t from = out->length;
    weir_output_plain(out, workflow);
    if (weir_str_equal(name, workflow)) return;
    weir_str template = weir_member_text(weir_member_named(node, "templateRef"), "template");
    if (!template.length) template = weir_member_text(node, "templateName");
    if (!template.length) template = weir_member_text(node, "template"); /* of weir's status */
    if (template.length) weir_buffer_byte(out, '-');
    weir_output_plain(out, template);
    if (out->length - from > POD_PREFIX_MAX) {
        out->length = from + POD_PREFIX_MAX;
        out->data[out->length] = '\0';
    }
    weir_buffer_printf(out, "-%u", weir_hash_fnv32(name));
}

/* --- one line ------------------------------------------------------------------------------- */

static void put_icon(const weir_workflow_look *look, const weir_value *node, weir_buffer *out) {
    static const struct {
        const char *phase, *icon;
        int color;
    } icons[] = {{"Pending", "◷", WEIR_YELLOW},  {"Running", "●", WEIR_CYAN},
                 {"Succeeded", "✔", WEIR_GREEN}, {"Skipped", "○", WEIR_PLAIN},
                 {"Failed", "✖", WEIR_RED},      {"Error", "⚠", WEIR_RED}};
    weir_str phase = weir_member_text(node, "phase");
    if (weir_workflow_node_is_suspended(node)) {
        weir_workflow_put_colored(look, WEIR_CYAN, look->ascii ? "Suspend" : "ǁ", out);
        return;
    }
    for (size_t i = 0; i < sizeof icons / sizeof *icons; i++)
        if (weir_str_is(phase, icons[i].phase))
            weir_workflow_put_colored(look, icons[i].color,
                                      look->ascii ? icons[i].phase : icons[i].icon, out);
}

static void put_template(drawing *d, const weir_value *node) {
    weir_buffer *out = weir_tabs_cell(&d->tabs);
    const weir_value *reference = weir_member_named(node, "templateRef");
    if (!reference) {
        weir_output_plain(out, weir_member_text(node, "templateName"));
        return;
    }
    weir_output_plain(out, weir_member_text(reference, "name"));
    weir_buffer_byte(out, '/');
    weir_output_plain(out, weir_member_text(reference, "template"));
}

static void put_duration(drawing *d, const weir_value *node) {
    uint64_t from = 0, to = d->look->now_us;
    char text[WEIR_HUMANIZE_BYTES];
    bool begun = weir_workflow_moment(node, "startedAt", &from);
    if (!weir_workflow_moment(node, "finishedAt", &to) && !begun) to = 0;
    uint64_t took_us = to > from ? to - from : 0;
    weir_tabs_add(&d->tabs, weir_str_from(d->look->fine ? weir_duration_format(took_us, text)
                                                        : weir_humanize_short(took_us, text)));
}

static void put_artifacts(drawing *d, const weir_value *node) {
    weir_buffer *out = weir_tabs_cell(&d->tabs);
    const weir_value *list = weir_member_named(weir_member_named(node, "outputs"), "artifacts");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++) {
        if (i) weir_buffer_byte(out, ',');
        weir_output_plain(out, weir_member_text(weir_array_at(list, i), "name"));
    }
}

/* STEP TEMPLATE PODNAME DURATION [ARTIFACTS] MESSAGE [RESOURCESDURATION] [NODENAME] */
static void put_node(drawing *d, const weir_value *node, weir_str branch) {
    bool wide = d->look->form == WEIR_LOOK_WIDE;
    weir_str type = weir_member_text(node, "type");
    bool pod = weir_str_is(type, "Pod");
    weir_tabs_line(&d->tabs);
    weir_buffer *out = weir_tabs_cell(&d->tabs);
    weir_buffer_str_append(out, branch);
    put_icon(d->look, node, out);
    weir_buffer_byte(out, ' ');
    weir_output_plain(out, weir_member_text(node, "displayName"));
    put_template(d, node);
    out = weir_tabs_cell(&d->tabs);
    if (pod) weir_workflow_put_pod(d->name, node, out);
    if (pod || (d->look->fine && !weir_str_is(type, "Skipped")))
        put_duration(d, node);
    else
        weir_tabs_cell(&d->tabs);
    if (wide) put_artifacts(d, node);
    weir_tabs_add(&d->tabs, weir_member_text(node, "message"));
    if (wide)
        weir_workflow_put_resources(weir_member_named(node, "resourcesDuration"),
                                    weir_tabs_cell(&d->tabs));
    bool host = pod && d->look->form != WEIR_LOOK_TEXT;
    weir_tabs_add(&d->tabs, host ? weir_member_text(node, "hostNodeName") : WEIR_STR(""));
}

static void put_titles(drawing *d) {
    static const char *const titles[] = {"TEMPLATE",  "PODNAME", "DURATION",
                                         "ARTIFACTS", "MESSAGE", "RESOURCESDURATION"};
    bool wide = d->look->form == WEIR_LOOK_WIDE;
    weir_tabs_line(&d->tabs);
    weir_workflow_put_colored(d->look, WEIR_PLAIN, "STEP", weir_tabs_cell(&d->tabs));
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
        if (wide || (i != 3 && i != 5)) weir_tabs_add(&d->tabs, weir_str_from(titles[i]));
    if (d->look->form != WEIR_LOOK_TEXT) weir_tabs_add(&d->tabs, WEIR_STR("NODENAME"));
}

/* --- the branches --------------------------------------------------------------------------- */

bool weir_workflow_node_is_hidden(const weir_workflow_look *look, const weir_value *node,
                                  bool *indents) {
    weir_str type = weir_member_text(node, "type");
    const weir_value *children = weir_member_named(node, "children");
    *indents = weir_str_is(type, "StepGroup");
    if (*indents) return true;
    if (weir_str_is(type, "Retry") && weir_is(children, WEIR_ARRAY) &&
        weir_value_count(children) == 1)
        return true;
    if (weir_str_is(type, "Skipped") && weir_str_is(weir_member_text(node, "phase"), "Omitted"))
        return true;
    return look->selector && !weir_field_selector_matches(look->selector, node);
}

/* Puts the node's line, unless it is hidden, and makes it the one whose children come next. The frame's branches are made. */
static void begin_node(drawing *d, frame f) {
    const weir_value *node = d->forest.nodes[f.node].value;
    f.hidden = weir_workflow_node_is_hidden(d->look, node, &f.indents);
    if (!f.hidden)
        put_node(d, node,
                 weir_str_slice(weir_buffer_str(&d->branches), f.first, f.first + f.first_length));
    *weir_vector_push(&d->frames) = f;
}

/* What stands before a child, and before those below it: of an only, a first, a middle and a last one. */
typedef enum among { ONLY, FIRST, MIDDLE, LAST } among;

static const char *part_of(const drawing *d, const frame *parent, among place) {
    static const char *const utf8[] = {"──", "┬─", "├─", "└─"};
    static const char *const ascii[] = {"--", "+-", "|-", "`-"};
    if (parent->hidden && !parent->indents) return "";
    if (!parent->hidden) place = place == ONLY || place == LAST ? LAST : MIDDLE;
    return d->look->ascii ? ascii[place] : utf8[place];
}

static const char *rest_of(const drawing *d, const frame *parent, among place) {
    if (parent->hidden && !parent->indents) return "";
    if (place == ONLY || place == LAST) return "  ";
    return d->look->ascii ? "| " : "│ ";
}

static size_t push_branch(drawing *d, size_t from, size_t length, const char *part,
                          size_t *new_length) {
    size_t at = d->branches.length;
    weir_buffer_reserve(&d->branches, length);
    weir_buffer_append(&d->branches, d->branches.data + from, length);
    if (length < BRANCH_BYTES_MAX) weir_buffer_text(&d->branches, part);
    *new_length = d->branches.length - at;
    return at;
}

static void begin_child(drawing *d) {
    frame *parent = &d->frames.items[d->frames.count - 1];
    const weir_forest_node *n = &d->forest.nodes[parent->node];
    among place = n->child_count == 1                  ? ONLY
                  : parent->next == 0                  ? FIRST
                  : parent->next + 1 == n->child_count ? LAST
                                                       : MIDDLE;
    /* The first of a hidden node stands where that would. */
    bool instead = parent->hidden && parent->next == 0;
    frame child = {.node = d->forest.children[n->from + parent->next++]};
    const char *part = part_of(d, parent, place), *rest = rest_of(d, parent, place);
    child.first = push_branch(d, instead ? parent->first : parent->rest,
                              instead ? parent->first_length : parent->rest_length, part,
                              &child.first_length);
    child.rest = push_branch(d, parent->rest, parent->rest_length, rest, &child.rest_length);
    begin_node(d, child);
}

static void put_root(drawing *d, uint32_t root) {
    weir_buffer_clear(&d->branches);
    weir_buffer_byte(&d->branches, ' ');
    begin_node(d, (frame){.node = root, .first_length = 1, .rest_length = 1});
    while (d->frames.count) {
        const frame *top = &d->frames.items[d->frames.count - 1];
        if (top->next < d->forest.nodes[top->node].child_count) {
            begin_child(d);
        } else {
            d->branches.length = top->first;
            d->frames.count--;
        }
    }
}

static uint32_t exit_root(const drawing *d, const weir_value *nodes) {
    weir_buffer name = {0}, id = {0};
    weir_buffer_str_append(&name, d->name);
    weir_buffer_text(&name, ".onExit");
    weir_buffer_str_append(&id, d->name);
    weir_buffer_printf(&id, "-%u", weir_hash_fnv32(weir_buffer_str(&name)));
    uint32_t root = weir_forest_root(&d->forest, nodes, weir_buffer_str(&id));
    weir_buffer_deinit(&name);
    weir_buffer_deinit(&id);
    return root;
}

bool weir_workflow_print_tree(const weir_value *workflow, const weir_workflow_look *look,
                              weir_buffer *out) {
    enum { CELLS_OF_GAP = 6 };
    const weir_value *nodes = weir_member_named(weir_member_named(workflow, "status"), "nodes");
    drawing d = {.look = look,
                 .name = weir_member_text(weir_member_named(workflow, "metadata"), "name"),
                 .tabs = {.padding = 2}};
    weir_forest_init(&d.forest, nodes);
    weir_buffer left_out = {0};
    if (look->rows) weir_workflow_fit(&d.forest, look, &left_out);
    uint32_t root = weir_forest_root(&d.forest, nodes, d.name);
    if (root != WEIR_FOREST_NONE) {
        put_titles(&d);
        put_root(&d, root);
        root = exit_root(&d, nodes);
        if (root != WEIR_FOREST_NONE) {
            weir_tabs_line(&d.tabs);
            for (int i = 0; i < CELLS_OF_GAP; i++) weir_tabs_cell(&d.tabs);
            put_root(&d, root);
        }
    }
    bool any = d.tabs.lines.count > 0;
    size_t from = out->length;
    weir_tabs_print(&d.tabs, out);
    weir_buffer_str_append(out, weir_buffer_str(&left_out));
    if (look->columns) weir_workflow_cut(out, from, look->columns);
    weir_buffer_deinit(&left_out);
    weir_forest_deinit(&d.forest);
    weir_tabs_deinit(&d.tabs);
    weir_buffer_deinit(&d.branches);
    weir_vector_deinit(&d.frames);
    return any;
}
