/* Dataflows as files have them: from form to form, merged, checked; every case of the corpus there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/document.h"
#include "dataflow/file.h"
#include "quoted.h"

/* Takes `got` over. */
static void assert_value(const char *about, weir_value *got, const weir_value *wanted) {
    weir_buffer is = {0}, due = {0};
    weir_json_format(got, 0, &is);
    weir_json_format(wanted, 0, &due);
    if (!weir_value_equal(got, wanted))
        fail_msg("%s:\n%s\ninstead of\n%s", about, is.data, due.data);
    weir_buffer_deinit(&is);
    weir_buffer_deinit(&due);
    weir_value_unref(got);
}

/* --- forms ----------------------------------------------------------------------------------- */

#define A "{'name': 'A', 'primitive': 'int', 'lock': true}"
#define B "{'name': 'B', 'primitive': 'str'}"

/* The two forms of the same dataflow. */
static const struct forms {
    const char *about, *linked, *unlinked;
} forms[] = {
    {"nothing", "{'linked': true, 'definitions': {}}", "{}"},
    {"operations",
     "{'linked': true, 'definitions': {'A': " A ", 'B': " B "}, 'operations': {'o': {'name': 'n', "
     "'inputs': {'a': 'A'}, 'outputs': {'b': 'B'}, 'conditions': ['B'], 'validator': true, "
     "'instance_name': 'other', 'mine': [1]}}, 'mine': {'name': 'A'}}",
     "{'operations': {'o': {'name': 'n', 'inputs': {'a': " A "}, 'outputs': {'b': " B "}, "
     "'conditions': [" B "], 'validator': true, 'instance_name': 'other', 'mine': [1]}}, "
     "'mine': {'name': 'A'}}"},
    {"seeds and the book",
     "{'linked': true, 'definitions': {'A': " A ", 'B': " B "}, 'seed': [{'value': {'name': 'B'}, "
     "'definition': 'A', 'origin': ['x', 'y']}], 'forward': {'book': {'i': ['B', 'A']}, 'z': 1}}",
     "{'seed': [{'value': {'name': 'B'}, 'definition': " A ", 'origin': ['x', 'y']}], "
     "'forward': {'book': {'i': [" B ", " A "]}, 'z': 1}}"},
    {"a definition that nobody uses",
     "{'linked': true, 'definitions': {'A': " A ", 'B': " B "}, 'seed': [{'value': ['A'], "
     "'definition': 'B'}], 'flow': {'x': {'inputs': {'p': [{'seed': ['A']}]}}}}",
     "{'definitions': {'A': " A "}, 'seed': [{'value': ['A'], 'definition': " B "}], "
     "'flow': {'x': {'inputs': {'p': [{'seed': ['A']}]}}}}"},
    {"within a configuration",
     "{'linked': true, 'definitions': {}, 'configs': {'r': {'x': 1, 'dataflow': {'linked': true, "
     "'definitions': {'A': " A "}, 'operations': {'o': {'name': 'n', 'inputs': {'a': 'A'}}}}}, "
     "'s': {'dataflow': 'file.json'}}}",
     "{'configs': {'r': {'x': 1, 'dataflow': {'operations': {'o': {'name': 'n', 'inputs': {'a': " A
     "}}}}}, 's': {'dataflow': 'file.json'}}}"},
    {"what there is not",
     "{'linked': true, 'definitions': {'B': null}, 'operations': {'o': {'name': 'n', 'inputs': "
     "{'a': 'X', 'b': 'B', 'c': {}, 'd': 3}}}}",
     "{'definitions': {'B': null}, 'operations': {'o': {'name': 'n', 'inputs': {'a': 'X', "
     "'b': 'B', 'c': {}, 'd': 3}}}}"},
    {"what is no dataflow",
     "{'linked': true, 'definitions': 3, 'operations': [1], 'seed': {}, 'configs': 1, 'forward': "
     "2}",
     "{'definitions': 3, 'operations': [1], 'seed': {}, 'configs': 1, 'forward': 2}"},
};

static void either_form_gives_the_other(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        weir_value *linked = parse(forms[i].linked), *unlinked = parse(forms[i].unlinked);
        assert_value(forms[i].about, weir_dataflow_file_link(unlinked), linked);
        assert_value(forms[i].about, weir_dataflow_file_link(linked), linked);
        assert_value(forms[i].about, weir_dataflow_file_unlink(linked), unlinked);
        assert_value(forms[i].about, weir_dataflow_file_unlink(unlinked), unlinked);
        weir_value_unref(linked);
        weir_value_unref(unlinked);
    }
}

/* What a file may leave out, or say in a form of its own, is made uniform. */
static const struct {
    const char *about, *given, *linked;
} uniform[] = {
    {"names",
     "{'definitions': {'A': {'primitive': 'int'}, 'B': {'name': 'C'}}, 'operations': "
     "{'o': {'inputs': {'a': 'A'}}}}",
     "{'linked': true, 'definitions': {'A': {'name': 'A', 'primitive': 'int'}, 'B': {'name': "
     "'B'}}, 'operations': {'o': {'name': 'o', 'inputs': {'a': 'A'}}}}"},
    {"an instance's name that is its key",
     "{'linked': true, 'definitions': {}, 'operations': {'o': {'name': 'n', 'instance_name': "
     "'o'}}}",
     "{'linked': true, 'definitions': {}, 'operations': {'o': {'name': 'n'}}}"},
    {"both forms in one, conditions by name as DFFML writes them",
     "{'operations': {'o': {'name': 'n', 'inputs': {'a': 'A'}, 'conditions': ['B']}, 'p': {'name': "
     "'n', 'inputs': {'a': " A ", 'b': " B "}}}}",
     "{'linked': true, 'definitions': {'A': " A ", 'B': " B "}, 'operations': {'o': {'name': 'n', "
     "'inputs': {'a': 'A'}, 'conditions': ['B']}, 'p': {'name': 'n', 'inputs': {'a': 'A', 'b': "
     "'B'}}}}"},
    {"nothing but a text", "'dataflow'", "'dataflow'"},
};

static void links_what_is_not_uniform(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof uniform / sizeof *uniform; i++) {
        weir_value *given = parse(uniform[i].given), *linked = parse(uniform[i].linked);
        assert_value(uniform[i].about, weir_dataflow_file_link(given), linked);
        weir_value_unref(given);
        weir_value_unref(linked);
    }
}

/* --- auto flow ------------------------------------------------------------------------------- */

#define MAKER(name, definition)                                                                    \
    "'" name "': {'outputs': {'r': '" definition "'}, 'inputs': {'a': 'A'}}"

static const struct {
    const char *about, *operations, *flow;
} flows[] = {
    {"nothing", "{}", "{}"},
    {"no inputs", "{'o': {'outputs': {'r': 'A'}}}", "{'o': {'inputs': {}}}"},
    {"from the seed", "{'o': {'inputs': {'a': 'A'}}}", "{'o': {'inputs': {'a': ['seed']}}}"},
    {"from all that make it, not from the seed",
     "{" MAKER("x", "B") ", " MAKER("y", "B") ", 'o': {'inputs': {'b': 'B'}}}",
     "{'x': {'inputs': {'a': ['seed']}}, 'y': {'inputs': {'a': ['seed']}}, 'o': {'inputs': {'b': "
     "[{'x': 'r'}, {'y': 'r'}]}}}"},
    {"from itself", "{" MAKER("x", "A") "}", "{'x': {'inputs': {'a': [{'x': 'r'}]}}}"},
    {"conditions that are made",
     "{" MAKER("x", "B") ", " MAKER("y", "C") ", 'o': {'conditions': ['C', 'B', 'B']}}",
     "{'x': {'inputs': {'a': ['seed']}}, 'y': {'inputs': {'a': ['seed']}}, 'o': {'inputs': {}, "
     "'conditions': [{'y': 'r'}, {'x': 'r'}, {'x': 'r'}]}}"},
    {"one that nobody makes takes the place of those before",
     "{" MAKER("x", "B") ", 'o': {'conditions': ['B', 'S', 'B']}}",
     "{'x': {'inputs': {'a': ['seed']}}, 'o': {'inputs': {}, 'conditions': ['seed', {'x': 'r'}]}}"},
    {"and of two there is one", "{'o': {'conditions': ['S', 'T']}}",
     "{'o': {'inputs': {}, 'conditions': ['seed']}}"},
};

static void auto_flow_is_written_out(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof flows / sizeof *flows; i++) {
        weir_value *flow = weir_object_new(), *wanted = parse(flows[i].flow);
        weir_member_put(flow, "operations", parse(flows[i].operations));
        assert_value(flows[i].about, weir_dataflow_file_auto_flow(flow), wanted);
        weir_value_unref(flow);
        weir_value_unref(wanted);
    }
}

static void a_flow_that_is_too_large_is_refused(void **state) {
    (void)state;
    enum { MAKERS = 1500, READERS = 700 };
    weir_value *operations = weir_object_new(), *flow = weir_object_new(), *whole = NULL;
    weir_value *maker = parse("{'outputs': {'r': 'B'}}");
    weir_value *reader = parse("{'conditions': ['B', 'B']}");
    for (int i = 0; i < MAKERS + READERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "o%d", i);
        weir_member_put(operations, name, weir_value_ref(i < MAKERS ? maker : reader));
    }
    weir_member_put(flow, "operations", operations);
    weir_error error;
    assert_null(weir_dataflow_file_auto_flow(flow));
    assert_false(weir_dataflow_file_whole(flow, &whole, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    weir_value_unref(flow);
    weir_value_unref(maker);
    weir_value_unref(reader);
}

/* --- merge ----------------------------------------------------------------------------------- */

static const struct {
    const char *about, *base, *over, *merged; /* or, when not merged, the path of the error */
} merges[] = {
    {"with nothing", "{'a': 1, 'flow': {}}", "{}", "{'a': 1, 'flow': {}}"},
    {"nothing with something", "{}", "{'a': [1]}", "{'a': [1]}"},
    {"members, later ones win", "{'operations': {'o': {'name': 'n', 'retry': 1}}}",
     "{'operations': {'o': {'retry': 2}, 'p': {}}}",
     "{'operations': {'o': {'name': 'n', 'retry': 2}, 'p': {}}}"},
    {"lists behind each other", "{'seed': [1, 2], 'configs': {'o': {'l': [1]}}}",
     "{'seed': [2], 'configs': {'o': {'l': [1], 'm': 3}}}",
     "{'seed': [1, 2, 2], 'configs': {'o': {'l': [1, 1], 'm': 3}}}"},
    {"sources once",
     "{'flow': {'o': {'inputs': {'a': ['seed', {'x': 'r'}]}}}, 'operations': {'o': {'expand': "
     "['r']}}, 'forward': {'book': {'o': ['A']}}}",
     "{'flow': {'o': {'inputs': {'a': [{'y': 'r'}, 'seed']}}}, 'operations': {'o': {'expand': "
     "['r', 's']}}, 'forward': {'book': {'o': ['B', 'A']}}}",
     "{'flow': {'o': {'inputs': {'a': ['seed', {'x': 'r'}, {'y': 'r'}]}}}, 'operations': {'o': "
     "{'expand': ['r', 's']}}, 'forward': {'book': {'o': ['A', 'B']}}}"},
    {"a definition that both have is one", "{'definitions': {'A': {'default': [1], 'links': [2]}}}",
     "{'definitions': {'A': {'default': [1], 'links': [3]}}}",
     "{'definitions': {'A': {'default': [1], 'links': [2, 3]}}}"},
    {"values may be of any type", "{'configs': {'o': {'x': [1], 'dataflow': {'a': 1}}}}",
     "{'configs': {'o': {'x': 'y', 'dataflow': 'f'}}}",
     "{'configs': {'o': {'x': 'y', 'dataflow': 'f'}}}"},
    {"dataflows within",
     "{'configs': {'o': {'dataflow': {'seed': [1], 'definitions': {'A': "
     "{'default': [1]}}}}}}",
     "{'configs': {'o': {'dataflow': {'seed': [2], 'definitions': {'A': {'default': [1]}}}}}}",
     "{'configs': {'o': {'dataflow': {'seed': [1, 2], 'definitions': {'A': {'default': [1]}}}}}}"},
    {"only the overlay has a flow: the others keep theirs",
     "{'operations': {" MAKER("x", "B") ", 'o': {'inputs': {'b': 'B'}}}}",
     "{'flow': {'o': {'inputs': {'b': ['seed']}}}}",
     "{'operations': {" MAKER("x", "B") ", 'o': {'inputs': {'b': 'B'}}}, 'flow': {'o': {'inputs': "
                                        "{'b': ['seed']}}, 'x': {'inputs': {'a': ['seed']}}}}"},
    {"only the base has a flow: what is new gets one",
     "{'operations': {" MAKER("x", "B") ", 'never': {'inputs': {'a': 'A'}}}, 'flow': {'x': "
                                        "{'inputs': {'a': ['other']}}}}",
     "{'operations': {'o': {'inputs': {'b': 'B'}}}}",
     "{'operations': {" MAKER("x", "B") ", 'never': {'inputs': {'a': 'A'}}, 'o': {'inputs': {'b': "
                                        "'B'}}}, 'flow': {'x': {'inputs': {'a': ['other']}}, 'o': "
                                        "{'inputs': {'b': [{'x': 'r'}]}}}}"},
};

static const struct {
    const char *base, *over, *where;
} mismatches[] = {
    {"{'seed': []}", "{'seed': {}}", "seed"},
    {"{'operations': {'o/p': {'inputs': {'a': 'A'}}}}", "{'operations': {'o/p': {'inputs': []}}}",
     "operations/o~1p/inputs"},
    {"{'configs': {'o': {}}}", "{'configs': {'o': 3}}", "configs/o"},
    {"{'flow': {'o': 1}}", "{'flow': {'o': {}}}", "flow/o"},
    {"[]", "{}", ""},
    {"{}", "null", ""},
};

static void dataflows_are_merged(void **state) {
    (void)state;
    weir_buffer where = {0};
    weir_error error;
    for (size_t i = 0; i < sizeof merges / sizeof *merges; i++) {
        weir_value *base = parse(merges[i].base), *over = parse(merges[i].over), *merged;
        weir_value *wanted = parse(merges[i].merged), *kept = parse(merges[i].base);
        assert_true(weir_dataflow_file_merge(base, over, &merged, &where, &error));
        assert_value(merges[i].about, merged, wanted);
        assert_value("the base stays", base, kept);
        weir_value_unref(over);
        weir_value_unref(wanted);
        weir_value_unref(kept);
    }
    for (size_t i = 0; i < sizeof mismatches / sizeof *mismatches; i++) {
        weir_value *base = parse(mismatches[i].base), *over = parse(mismatches[i].over);
        weir_value *merged = NULL;
        assert_false(weir_dataflow_file_merge(base, over, &merged, &where, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        assert_string_equal(weir_buffer_str(&where).data, mismatches[i].where);
        weir_value_unref(base);
        weir_value_unref(over);
    }
    weir_buffer_deinit(&where);
}

/* --- check ----------------------------------------------------------------------------------- */

static const struct {
    const char *flow, *problems; /* "path code; …" of the whole */
    bool part;                   /* wrong for a part of one too */
} checks[] = {
    {"{'operations': {}}", "", true},
    {"[]", " invalid; ", true},
    {"{}", " invalid; ", false},
    {"{'operations': 3, 'seed': {}, 'flow': [], 'configs': 1, 'forward': 2, 'definitions': 'x'}",
     "definitions invalid; operations invalid; seed invalid; forward invalid; flow invalid; "
     "configs invalid; ",
     true},
    {"{'operations': {'o': 1, 'p': {'inputs': [], 'outputs': {'r': 5}, 'conditions': {}}}}",
     "operations/o invalid; operations/p/inputs invalid; operations/p/outputs/r invalid; "
     "operations/p/conditions invalid; ",
     true},
    {"{'operations': {'o': {'inputs': {'a': 'X'}, 'conditions': ['Y']}}, 'seed': [{'value': 1, "
     "'definition': 'Z'}], 'forward': {'book': {'o': ['W']}}}",
     "operations/o/inputs/a unknown_definition; operations/o/conditions/0 unknown_definition; "
     "seed/0/definition unknown_definition; forward/book/o/0 unknown_definition; ",
     false},
    {"{'operations': {}, 'flow': {'o': {'inputs': {}}}, 'forward': {'book': {'p': []}}}",
     "forward/book/p unknown_operation; flow/o unknown_operation; ", false},
    {"{'operations': {}, 'seed': [1, {'value': 1}, {'definition': {'name': 'A'}}]}",
     "seed/0 invalid; seed/1 invalid; seed/2 invalid; ", true},
    {"{'operations': {'o': {'inputs': {'a': {'name': 'A', 'primitive': 'int'}, 'b': {'name': 'A'}, "
     "'c': {'primitive': 'int', 'name': 'A'}}}}}",
     "operations/o/inputs/b invalid; ", true},
    {"{'operations': {'o': {}}, 'flow': {'o': {'inputs': {'a': 'seed', 'b': [1]}, 'conditions': "
     "'seed'}}}",
     "flow/o/inputs/a invalid; flow/o/inputs/b/0 invalid; flow/o/conditions invalid; ", true},
    {"{'operations': {}, 'configs': {'o': 1, 'p': {'dataflow': {'operations': {'q': 1}}}}}",
     "configs/o invalid; configs/p/dataflow/operations/q invalid; ", true},
};

static void note(void *arg, const char *path, const weir_error *error) {
    assert_true(error->message[0] && !error->line);
    weir_buffer_printf(arg, "%s %s; ", path, weir_code_text(error->code));
}

static void problems_have_paths(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        weir_value *flow = parse(checks[i].flow);
        weir_buffer said = {0};
        weir_dataflow_file_check(flow, true, note, &said);
        assert_string_equal(weir_buffer_str(&said).data, checks[i].problems);
        weir_buffer_clear(&said);
        weir_dataflow_file_check(flow, false, note, &said);
        assert_string_equal(weir_buffer_str(&said).data, checks[i].part ? checks[i].problems : "");
        weir_buffer_deinit(&said);
        weir_value_unref(flow);
    }
}

/* --- the corpus ------------------------------------------------------------------------------ */

static weir_value *sorted_texts(const weir_value *list) {
    weir_value *sorted = weir_object_new(); /* a set: of conditions, two equal ones are one */
    for (size_t i = 0; list && i < weir_value_count(list); i++) {
        weir_buffer text = {0};
        weir_json_format(weir_array_at(list, i), 0, &text);
        weir_member_set(sorted, weir_buffer_str(&text), weir_null_new());
        weir_buffer_deinit(&text);
    }
    return sorted;
}

/* A flow in which the order of sources does not count. */
static weir_value *without_order(const weir_value *flow) {
    weir_value *all = weir_object_new();
    for (size_t i = 0; i < weir_value_count(flow); i++) {
        const weir_value *entry = weir_object_at(flow, i);
        const weir_value *inputs = weir_member_named(entry, "inputs");
        weir_value *plain = weir_object_new(), *sources = weir_object_new();
        for (size_t p = 0; inputs && p < weir_value_count(inputs); p++)
            weir_member_set(sources, weir_object_key(inputs, p),
                            sorted_texts(weir_object_at(inputs, p)));
        weir_member_put(plain, "inputs", sources);
        weir_member_put(plain, "conditions", sorted_texts(weir_member_named(entry, "conditions")));
        weir_member_set(all, weir_object_key(flow, i), plain);
    }
    return all;
}

static weir_value *whole_of(const char *about, const weir_value *flow) {
    weir_value *whole = NULL;
    weir_error error;
    if (!weir_dataflow_file_whole(flow, &whole, &error)) fail_msg("%s: %s", about, error.message);
    return whole;
}

static void check_case(const char *name, const weir_value *test) {
    const weir_value *flow = weir_member_named(test, "dataflow");
    weir_value *linked = weir_dataflow_file_link(flow), *unlinked = weir_dataflow_file_unlink(flow);
    weir_value *whole = whole_of(name, flow), *nested = weir_dataflow_file_unlink(whole);
    weir_value *nothing = weir_object_new(), *merged = NULL;
    weir_buffer where = {0}, said = {0};
    const weir_value *is_linked = weir_member_named(flow, "linked");
    if (is_linked && weir_value_truth(is_linked)) assert_value(name, weir_value_ref(linked), flow);
    assert_value(name, weir_dataflow_file_link(unlinked), linked);
    assert_value(name, whole_of(name, whole), whole);
    assert_value(name, whole_of(name, nested), whole);
    assert_true(weir_dataflow_file_merge(linked, nothing, &merged, &where, NULL));
    assert_value(name, merged, linked);
    assert_true(weir_dataflow_file_merge(nothing, linked, &merged, &where, NULL));
    assert_value(name, merged, linked);
    const weir_value *expected = weir_member_named(weir_member_named(test, "expected"), "flow");
    if (weir_is(expected, WEIR_OBJECT)) {
        weir_value *wanted = without_order(expected);
        assert_value(name, without_order(weir_member_named(whole, "flow")), wanted);
        weir_value_unref(wanted);
        weir_dataflow_file_check(nested, true, note, &said);
        assert_string_equal(weir_buffer_str(&said).data, "");
    }
    weir_value *const values[] = {linked, unlinked, whole, nested, nothing};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) weir_value_unref(values[i]);
    weir_buffer_deinit(&where);
    weir_buffer_deinit(&said);
}

static void cases_of_the_corpus_go_there_and_back(void **state) {
    (void)state;
    char folder[512], path[1024];
    const char *source = getenv("WEIR_SOURCE");
    snprintf(folder, sizeof folder, "%s/tests/conformance/dataflow", source ? source : ".");
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(entries));) {
        weir_document document;
        weir_error error;
        if (!weir_str_ends(weir_str_from(entry->d_name), WEIR_STR(".json"))) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        assert_true(weir_document_load(&document, path, WEIR_YAML_CORE, &error));
        check_case(entry->d_name, document.roots.items[0]);
        weir_document_deinit(&document);
        count++;
    }
    closedir(entries);
    assert_in_range(count, 300, 3000);
}

/* --- documents of several files ---------------------------------------------------------------- */

static void read_part(weir_document *document, const char *file, const char *text) {
    weir_error error;
    assert_true(weir_document_parse(document, file, weir_str_from(text), WEIR_YAML_CORE, &error));
}

static void assert_place(const weir_document *document, const char *path, const char *place) {
    weir_problems problems = {0};
    char line[1024];
    weir_document_problem(document, 0, path, WEIR_INVALID, &problems, "x");
    weir_error_format(&problems.items[0], line, sizeof line);
    if (!strstr(line, place)) fail_msg("%s: %s instead of %s", path, line, place);
    weir_problems_deinit(&problems);
}

static void places_are_in_the_right_file(void **state) {
    (void)state;
    weir_document whole, over, member;
    weir_buffer where = {0};
    weir_value *merged = NULL;
    read_part(&whole, "a", "operations:\n  x: {name: n}\nseed:\n- 1\n- {}\n");
    read_part(&over, "b", "seed:\n- 3\n\n- 4\noperations:\n  y: {}\n  x:\n    retry: 1\n");
    read_part(&member, "c", "\ndataflow:\n  seed: 3\n");
    weir_document_compose(&whole);
    assert_true(
        weir_dataflow_file_merge(whole.roots.items[0], over.roots.items[0], &merged, &where, NULL));
    weir_value *configs = weir_object_new();
    weir_member_put(configs, "r/s", weir_value_ref(member.roots.items[0]));
    weir_member_put(merged, "configs", configs);
    weir_document_set_root(&whole, merged);
    weir_document_add_part(&whole, "", &over);
    weir_document_add_part(&whole, "configs/r~1s", &member);
    assert_place(&whole, "", "a:1:1: x");
    assert_place(&whole, "operations/x", "a:2:3: x");
    assert_place(&whole, "operations/x/name", "a:2:7: x");
    assert_place(&whole, "operations/x/retry", "b:8:5: x");
    assert_place(&whole, "operations/y/name", "b:6:3: x");
    assert_place(&whole, "operations/z", "a:1:1: x");
    assert_place(&whole, "seed/0", "a:4:3: x");
    assert_place(&whole, "seed/1", "a:5:3: x");
    assert_place(&whole, "seed/2", "b:2:3: x");
    assert_place(&whole, "seed/3", "b:4:3: x");
    assert_place(&whole, "configs/r~1s/dataflow/seed", "c:3:3: x");
    assert_place(&whole, "configs/r~1s/other", "c:2:1: x");
    weir_document_write(&whole);
    weir_document again;
    read_part(&again, "d", weir_buffer_str(&whole.text).data);
    assert_true(weir_value_equal(again.roots.items[0], whole.roots.items[0]));
    weir_document_deinit(&again);
    weir_document_deinit(&whole);
    weir_buffer_deinit(&where);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(either_form_gives_the_other),
        cmocka_unit_test(links_what_is_not_uniform),
        cmocka_unit_test(auto_flow_is_written_out),
        cmocka_unit_test(a_flow_that_is_too_large_is_refused),
        cmocka_unit_test(dataflows_are_merged),
        cmocka_unit_test(problems_have_paths),
        cmocka_unit_test(cases_of_the_corpus_go_there_and_back),
        cmocka_unit_test(places_are_in_the_right_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
