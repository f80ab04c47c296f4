#include "workflow/coordinator.h"

/* As Argo words it: the container, Kubernetes' reason, the exit code, and what else is to be said. */
static void say_container(weir_buffer *out, weir_str name, const weir_value *how, int64_t code) {
    const weir_value *memory = weir_member_named(how, "out_of_memory");
    bool full = weir_is(memory, WEIR_BOOL) && weir_bool_get(memory);
    weir_buffer_printf(out, "%.*s: %s (exit code %lld)", WEIR_ARG(name),
                       full ? "OOMKilled" : "Error", (long long)code);
}

void weir__say_exit(const weir_outcome *outcome, weir__verdict *v) {
    const weir_value *failure = outcome->failure;
    weir_str name = weir_member_text(failure, "container"), why = weir_member_text(failure, "why");
    /* 128 + signal, as a shell has it, stands in the outputs of a command. */
    bool killed = !name.length && weir_member_named(failure, "signal");
    const weir_value *code = weir_member_named(killed ? outcome->outputs : failure, "exit_code");
    if (!weir_is(code, WEIR_INT)) return;
    weir__say(v, v->phase, "");
    say_container(&v->message, name.length ? name : WEIR_STR("main"), failure, weir_int_get(code));
    if (why.length) weir_buffer_printf(&v->message, ": %.*s", WEIR_ARG(why));
}

/* --- members of a set ------------------------------------------------------------------------------- */

static const weir_value *container_named(const weir_outcome *outcome, weir_str name) {
    const weir_value *list = weir_member_named(outcome->outputs, "containers");
    for (size_t i = 0; weir_is(list, WEIR_ARRAY) && i < weir_value_count(list); i++)
        if (weir_str_equal(weir_member_text(weir_array_at(list, i), "name"), name))
            return weir_array_at(list, i);
    return NULL;
}

static void put_time(const weir_value *from, const char *key, weir_value *to, const char *as) {
    weir_value *us = weir_member_named(from, key);
    if (weir_is(us, WEIR_INT)) weir_member_put(to, as, weir_value_ref(us));
}

/* Exit code 64 is that of what Argo could not begin. One that never ran of a pod that ended otherwise failed with it. */
static weir_value *judge_member(weir_str name, const weir_value *how, bool well) {
    const weir_value *code = weir_member_named(how, "exit_code");
    bool over = weir_is(code, WEIR_INT);
    int64_t number = over ? weir_int_get(code) : 0;
    weir_str why = weir_member_text(how, "why");
    weir_value *member = weir_object_new();
    weir__phase phase = number == 64                 ? WEIR__PHASE_ERROR
                        : number || (!over && !well) ? WEIR__PHASE_FAILED
                                                     : WEIR__PHASE_SUCCEEDED;
    weir_buffer message = {0};
    if (number) {
        say_container(&message, name, how, number);
        weir_buffer_printf(&message, ": %.*s", WEIR_ARG(why));
    } else if (!over && !well) {
        weir_buffer_text(&message, "Pod Failed whilst container running");
    }
    weir_member_put_text(member, "phase", weir_str_from(weir__phase_texts[phase]));
    if (message.length) weir_member_put_text(member, "message", weir_buffer_str(&message));
    put_time(how, "started_us", member, "started");
    put_time(how, "finished_us", member, "finished");
    weir_buffer_deinit(&message);
    return member;
}

weir_value *weir__judge_members(const weir__node *n, const weir_outcome *outcome) {
    weir_value *members = weir_object_new();
    bool well = outcome->kind == WEIR_OUTCOME_SUCCEEDED; /* also of one that is remembered */
    for (size_t i = 0; i < n->template->member_count; i++) {
        weir_str name = n->template->members[i].name;
        weir_member_set(members, name, judge_member(name, container_named(outcome, name), well));
    }
    return members;
}

bool weir__fits_members(const weir_value *members) {
    if (!members) return true;
    if (!weir_is(members, WEIR_OBJECT)) return false;
    for (size_t i = 0; i < weir_value_count(members); i++)
        if (weir__phase_in(weir_object_at(members, i)) >= WEIR__PHASES) return false;
    return true;
}

/* Of a pod that is not over: those that wait for nobody run with it. */
static const char *phase_of(const weir__run *run, const weir__node *n, const weir__member *member) {
    bool runs = weir_tasks_state(run->tasks, n->task) != WEIR_STATE_READY;
    return runs && !member->dependencies.count ? "Running" : "Pending";
}

weir_value *weir__describe_member(const weir__run *run, uint32_t node, uint32_t at) {
    const weir__node *n = weir__node_at(run, node);
    const weir__member *member = &n->template->members[at];
    const weir_value *ends = weir_member_named(n->end, "containers");
    const weir_value *end = ends ? weir_member(ends, member->name) : NULL;
    weir_value *out = weir_object_new();
    weir_buffer name = {0};
    weir_buffer_printf(&name, "%.*s.%.*s", WEIR_ARG(weir_member_text(n->start, "name")),
                       WEIR_ARG(member->name));
    weir_member_put_text(out, "name", weir_buffer_str(&name));
    weir_member_put_text(out, "displayName", member->name);
    weir_member_put_text(out, "type", WEIR_STR("Container"));
    weir_str phase = end      ? weir_member_text(end, "phase")
                     : n->end ? weir_str_from(weir__phase_texts[n->phase])
                              : weir_str_from(phase_of(run, n, member));
    weir_member_put_text(out, "phase", phase);
    weir_str message = weir_member_text(end, "message");
    if (message.length) weir_member_put_text(out, "message", message);
    weir_member_put_text(out, "template", n->template->name);
    weir_member_put_text(out, "container", member->name);
    weir_member_put(out, "pod", weir_int_new(n->task));
    weir_member_put(out, "started", weir_int_new((int64_t)n->started_us));
    if (n->end) weir_member_put(out, "finished", weir_int_new((int64_t)n->finished_us));
    put_time(end, "started", out, "started");
    put_time(end, "finished", out, "finished");
    weir_buffer_deinit(&name);
    return out;
}
