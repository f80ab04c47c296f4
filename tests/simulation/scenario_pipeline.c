/* Pipelines by chance. */
#include "scenario.h"
#include "simulation.h"

enum { CROWD_MAX = 40, LARGE = 2000 /* as much memory as the limit is */ };

/* What a component wants, by a chance of its own. */
static void write_wish(scenario *s, uint64_t *chance, bool large) {
    weir_buffer_printf(&s->text, "        resources: {memory: %u, cpu: 0.%u}\n",
                       large ? LARGE : 1 + (unsigned)chance_draw(chance, LARGE / 2),
                       1 + (unsigned)chance_draw(chance, 9));
    if (s->estimates)
        weir_buffer_printf(&s->text, "        estimate: {seconds: 0.%02u, memory: %u}\n",
                           1 + (unsigned)chance_draw(chance, 30),
                           1 + (unsigned)chance_draw(chance, LARGE));
}

/* Many that want something of the same, and one that wants all of it: each needs one before, or nothing. */
static void write_crowd(scenario *s, uint64_t *chance) {
    uint32_t count = 24 + (uint32_t)chance_draw(chance, CROWD_MAX - 24),
             large = (uint32_t)chance_draw(chance, 6);
    weir_buffer_text(&s->text, "pipeline:\n  name: p\n  inputs: [x]\n  outputs: [");
    for (uint32_t i = 0; i < count; i++)
        weir_buffer_printf(&s->text, "%sc%u.value", i ? ", " : "", i);
    weir_buffer_text(&s->text, "]\n  components:\n");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = (uint32_t)chance_draw(chance, 4 * i + 1);
        weir_buffer_printf(&s->text, "    - c%u:\n        runner: work\n        inputs: {a: ", i);
        if (from < i)
            weir_buffer_printf(&s->text, "c%u.value", from);
        else
            weir_buffer_text(&s->text, "x");
        weir_buffer_text(&s->text, ", b: x}\n        outputs: [value]\n");
        write_wish(s, chance, i == large);
    }
    weir_value *inputs = weir_object_new();
    weir_member_put(inputs, "x", weir_int_new(1));
    weir_member_put(s->request, "inputs", inputs);
    s->limits.memory_bytes = LARGE;
}

void scenario_write_pipeline(scenario *s, uint64_t *chance) {
    uint64_t wishes = chance_mix(s->seed ^ 0x817e5);
    weir_buffer *text = &s->text;
    weir_value *request = s->request;
    s->estimates = chance_draw(&wishes, 3) == 0;
    if (chance_draw(&wishes, 3) == 0) {
        write_crowd(s, &wishes);
        return;
    }
    static const char *const runners[] = {"runner: mix", "runner: work",
                                          "run: [echo, '{{inputs.a}}', '{{inputs.b}}']"};
    uint32_t count = 1 + (uint32_t)chance_draw(chance, 6);
    weir_value *inputs = weir_object_new();
    weir_member_put(inputs, "x", weir_int_new((int64_t)chance_draw(chance, 1000)));
    weir_member_put(inputs, "y", weir_int_new((int64_t)chance_draw(chance, 1000)));
    weir_member_put(request, "inputs", inputs);
    weir_buffer_text(text, "pipeline:\n  name: p\n  inputs: [x, y]\n  outputs: [");
    for (uint32_t i = 0; i < count; i++) weir_buffer_printf(text, "%sc%u.value", i ? ", " : "", i);
    weir_buffer_text(text, "]\n  components:\n");
    for (uint32_t i = 0; i < count; i++) {
        weir_buffer_printf(text, "    - c%u:\n        %s\n        inputs: {", i,
                           runners[chance_draw(chance, 3)]);
        for (int p = 0; p < 2; p++) {
            uint32_t from = (uint32_t)chance_draw(chance, i + 2u);
            weir_buffer_printf(text, "%s: ", p ? ", b" : "a");
            if (from < i)
                weir_buffer_printf(text, "c%u.value", from);
            else
                weir_buffer_text(text, from == i ? "x" : "y");
        }
        weir_buffer_text(text, "}\n        outputs: [value]\n");
        if (chance_draw(chance, 2))
            weir_buffer_printf(text, "        retries: %u\n", (unsigned)chance_draw(chance, 4));
        if (chance_draw(chance, 3) == 0) weir_buffer_text(text, "        timeout: 2s\n");
        if (chance_draw(&wishes, 3) == 0) write_wish(s, &wishes, false);
    }
    static const char *const modes[] = {"sync", "scheduled"};
    uint64_t mode = chance_draw(chance, 4);
    if (mode < 2) weir_member_put_text(request, "mode", weir_str_from(modes[mode]));
    if (mode == 1) weir_member_put(request, "tick_us", weir_int_new(300 * 1000));
}
