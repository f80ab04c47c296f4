/* Pipelines by chance. */
#include "scenario.h"
#include "simulation.h"

void scenario_write_pipeline(uint64_t *chance, weir_buffer *text, weir_value *request) {
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
    }
    static const char *const modes[] = {"sync", "scheduled"};
    uint64_t mode = chance_draw(chance, 4);
    if (mode < 2) weir_member_put_text(request, "mode", weir_str_from(modes[mode]));
    if (mode == 1) weir_member_put(request, "tick_us", weir_int_new(300 * 1000));
}
