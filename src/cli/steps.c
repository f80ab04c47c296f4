#include "cli/steps.h"

#include "cli/output.h"

/* A single step that writes more than this is not kept to the end, but shown from then on. */
enum { ONLY_BYTES_MAX = 1024 * 1024 };

static void add_only(weir_steps *steps, uint32_t task, weir_str line) {
    if (steps->count == WEIR_STEPS_NONE) {
        steps->count = WEIR_STEPS_ONE;
        steps->task = task;
    }
    if (task != steps->task && steps->count == WEIR_STEPS_ONE) {
        steps->count = WEIR_STEPS_MANY;
        weir_buffer_deinit(&steps->only);
    }
    if (steps->count == WEIR_STEPS_MANY) return;
    weir_buffer_str_append(&steps->only, line);
    weir_buffer_byte(&steps->only, '\n');
}

void weir_steps_add(weir_steps *steps, uint32_t task, weir_str line) {
    if (!steps->all) {
        add_only(steps, task, line);
        return;
    }
    weir_buffer_append(&steps->lines, &task, sizeof task);
    weir_buffer_append(&steps->lines, &line.length, sizeof line.length);
    weir_buffer_str_append(&steps->lines, line);
}

bool weir_steps_waiting(const weir_steps *steps) {
    return steps->lines.length || steps->only.length > ONLY_BYTES_MAX;
}

static void read_names(weir_steps *steps, const weir_run *run) {
    weir_value *status = weir_run_status(run), *nodes = weir_member_named(status, "nodes");
    for (size_t i = 0; weir_is(nodes, WEIR_ARRAY) && i < weir_value_count(nodes); i++) {
        const weir_value *node = weir_array_at(nodes, i), *task = weir_member_named(node, "task");
        if (!weir_is(task, WEIR_INT) || weir_int_get(task) < 0) continue;
        size_t index = (size_t)weir_int_get(task);
        while (steps->names.count <= index) *weir_vector_push(&steps->names) = NULL;
        if (!steps->names.items[index])
            steps->names.items[index] = weir_str_dup(weir_member_text(node, "name"));
    }
    weir_value_unref(status);
}

static bool knows(const weir_steps *steps, uint32_t task) {
    return task < steps->names.count && steps->names.items[task];
}

void weir_steps_print(weir_steps *steps, const weir_run *run, weir_buffer *out) {
    bool asked = false;
    for (size_t at = 0; at < steps->lines.length;) {
        uint32_t task;
        weir_str line;
        memcpy(&task, steps->lines.data + at, sizeof task);
        memcpy(&line.length, steps->lines.data + at + sizeof task, sizeof line.length);
        at += sizeof task + sizeof line.length;
        line.data = steps->lines.data + at;
        at += line.length;
        if (!knows(steps, task) && !asked) read_names(steps, run);
        asked = asked || !knows(steps, task);
        if (knows(steps, task))
            weir_output_plain(out, weir_str_from(steps->names.items[task]));
        else
            weir_buffer_printf(out, "task %u", task);
        weir_buffer_text(out, ": ");
        weir_buffer_str_append(out, line);
        weir_buffer_byte(out, '\n');
    }
    weir_buffer_clear(&steps->lines);
    weir_buffer_str_append(out, weir_buffer_str(&steps->only));
    weir_buffer_clear(&steps->only);
}

void weir_steps_deinit(weir_steps *steps) {
    for (size_t i = 0; i < steps->names.count; i++) weir_free(steps->names.items[i]);
    weir_vector_deinit(&steps->names);
    weir_buffer_deinit(&steps->lines);
    weir_buffer_deinit(&steps->only);
    steps->count = WEIR_STEPS_NONE;
}
