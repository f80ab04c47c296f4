/* Matching: one walk, one set of compounds an element. */
#include "bytes.h"
#include "selector.h"

typedef struct walk {
    const weir__selector *selector;
    weir__walk (*visit)(xmlNode *element, void *arg);
    void *arg;
    bool stopped, deep;
} walk;

/* What is known of where an element stands. */
typedef struct surroundings {
    uint64_t above, parent, before,
        previous;  /* compounds that hold for any ancestor, … any sibling before, … */
    int32_t place; /* among its siblings, from 1 */
} surroundings;

/* The attribute's text; false when there is none. Values with entities are several nodes: only then memory is needed. */
static bool attribute_text(const xmlNode *element, const char *name, weir_str *out, xmlChar **own) {
    const xmlAttr *attribute = xmlHasProp(element, (const xmlChar *)name);
    *own = NULL;
    if (!attribute) return false;
    const xmlNode *child = attribute->children;
    if (child && (child->next || child->type != XML_TEXT_NODE)) {
        *own = xmlNodeListGetString(element->doc, child, 1);
        *out = weir__str(*own ? (const char *)*own : "");
    } else {
        *out = weir__str(child && child->content ? (const char *)child->content : "");
    }
    return true;
}

static bool has_word(weir_str text, weir_str word) {
    for (size_t at = 0, end; at < text.length; at = end + 1) {
        for (end = at; end < text.length && !weir__is_blank(text.data[end]);) end++;
        if (word.length && weir__str_equal(weir__str_part(text, at, end), word)) return true;
    }
    return false;
}

static bool compare(weir__test_kind kind, weir_str text, weir_str value) {
    size_t n = value.length;
    bool fits = n <= text.length;
    switch (kind) {
    case WEIR__TEST_HAS: return true;
    case WEIR__TEST_IS: return weir__str_equal(text, value);
    case WEIR__TEST_BEGINS: return n && fits && memcmp(text.data, value.data, n) == 0;
    case WEIR__TEST_ENDS:
        return n && fits && memcmp(text.data + text.length - n, value.data, n) == 0;
    case WEIR__TEST_CONTAINS: return n && memmem(text.data, text.length, value.data, n);
    case WEIR__TEST_WORD: return has_word(text, value);
    default:
        return fits && memcmp(text.data, value.data, n) == 0 &&
               (text.length == n || text.data[n] == '-');
    }
}

static bool test_place(const weir__test *test, const xmlNode *element, int32_t place) {
    if (test->last) return !xmlNextElementSibling((xmlNode *)element);
    int32_t beyond = place - test->first;
    return test->step ? beyond % test->step == 0 && beyond / test->step >= 0 : beyond == 0;
}

static bool holds(const weir__selector *selector, const weir__test *test, const xmlNode *element,
                  int32_t place) {
    const char *name = selector->texts + test->name;
    bool ok;
    if (test->kind == WEIR__TEST_TAG) {
        ok = weir__str_same(weir__str((const char *)element->name), name);
    } else if (test->kind == WEIR__TEST_NTH) {
        ok = test_place(test, element, place);
    } else {
        weir_str text, value = {selector->texts + test->value, test->value_length};
        xmlChar *own;
        ok = attribute_text(element, name, &text, &own) && compare(test->kind, text, value);
        if (own) xmlFree(own);
    }
    return ok != test->negated;
}

static uint64_t match(const walk *w, const xmlNode *element, const surroundings *here) {
    const weir__selector *selector = w->selector;
    uint64_t found = 0;
    for (uint32_t i = 0; i < selector->compound_count; i++) {
        const weir__compound *compound = &selector->compounds[i];
        uint64_t way = compound->joined == ' '   ? here->above
                       : compound->joined == '>' ? here->parent
                       : compound->joined == '+' ? here->previous
                                                 : here->before;
        if (compound->joined && (i == 0 || !(way >> (i - 1) & 1))) continue;
        bool ok = true;
        for (uint32_t t = compound->tests_from; ok && t < compound->tests_to; t++)
            ok = holds(selector, &selector->tests[t], element, here->place);
        if (ok) found |= (uint64_t)1 << i;
    }
    return found;
}

static void walk_children(walk *w, xmlNode *parent, uint64_t above, uint64_t own, unsigned depth) {
    if (depth > WEIR__ELEMENT_DEPTH_MAX) {
        w->deep = w->stopped = true;
        return;
    }
    surroundings here = {.above = above, .parent = own};
    for (xmlNode *node = parent->children, *next; node && !w->stopped; node = next) {
        next = node->next;
        if (node->type != XML_ELEMENT_NODE) continue;
        here.place++;
        uint64_t found = match(w, node, &here);
        if (found & w->selector->ends) w->stopped = w->visit(node, w->arg) == WEIR__WALK_STOP;
        if (!w->stopped) walk_children(w, node, above | found, found, depth + 1);
        here.previous = found;
        here.before |= found;
    }
}

bool weir__selector_each(const weir__selector *selector, xmlNode *root,
                         weir__walk (*visit)(xmlNode *element, void *arg), void *arg) {
    walk w = {selector, visit, arg, false, false};
    walk_children(&w, root, 0, 0, 0);
    return !w.deep;
}
