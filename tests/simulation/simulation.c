#include "simulation.h"

#include <inttypes.h>
#include <stdio.h>

void simulation_deinit(simulation *sim) {
    weir_vector_deinit(&sim->moments);
    weir_vector_deinit(&sim->happenings);
}

uint64_t chance_mix(uint64_t number) {
    uint64_t z = number + 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t chance_next(uint64_t *state) {
    uint64_t before = *state;
    *state += 0x9e3779b97f4a7c15u;
    return chance_mix(before);
}

uint64_t chance_draw(uint64_t *state, uint64_t count) {
    return chance_next(state) % count;
}

uint64_t simulation_draw(simulation *sim, uint64_t count) {
    return chance_draw(&sim->chance, count);
}

void simulation_add(simulation *sim, uint64_t in_us, void (*happen)(void *arg, uint64_t what),
                    void *arg, uint64_t what) {
    weir_heap_add(&sim->moments, (weir_moment){sim->now_us + in_us, sim->happenings.count});
    *weir_vector_push(&sim->happenings) = (happening){happen, arg, what};
}

bool simulation_step(simulation *sim, uint64_t until_us) {
    const weir_moment *first = weir_heap_first(&sim->moments);
    if (!first || first->due_us > until_us) return false;
    weir_moment moment = weir_heap_take(&sim->moments);
    sim->now_us = moment.due_us;
    happening h = sim->happenings.items[moment.item];
    h.happen(h.arg, h.what);
    return true;
}

void simulation_problem(simulation *sim, const char *format, ...) {
    if (sim->problem[0]) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sim->problem, sizeof sim->problem, format, arguments);
    va_end(arguments);
    simulation_trace(sim, "PROBLEM %s", sim->problem);
}

void simulation_trace(const simulation *sim, const char *format, ...) {
    if (!sim->verbose) return;
    va_list arguments;
    va_start(arguments, format);
    printf("%10" PRIu64 "  ", sim->now_us);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}
