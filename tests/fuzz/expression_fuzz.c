/* Any text is an expression or an error with a place; what it gives, it gives again. */
#include "data/json.h"
#include "expr/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool visit(void *arg, weir_str name) {
    ++*(size_t *)arg;
    return name.length > 0;
}

static void run(weir_str text, const weir_expr_options *options, weir_value *env) {
    weir_error error = {0}, again = {0};
    weir_expr *expr = weir_expr_compile(text, options, &error);
    if (!expr) {
        weir_assert(error.code && error.message[0]);
        return;
    }
    size_t names = 0;
    weir_expr_names(expr, visit, &names);
    weir_expr_world world = {.env = env, .floats = true, .now_ns = 1700000000000000000, .seed = 1};
    weir_value *first = weir_expr_eval(expr, &world, &error),
               *second = weir_expr_eval(expr, &world, &again);
    weir_assert((first != NULL) == (second != NULL) && error.code == again.code);
    weir_assert(!first || weir_value_equal(first, second));
    weir_assert(first || (error.line > 0 && error.column > 0));
    weir_value_unref(first);
    weir_value_unref(second);
    weir_expr_free(expr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static weir_value *env;
    if (!env) {
        const char *json = "{\"i\":10,\"s\":\"Hello\",\"nums\":[5,3,8],\"m\":{\"a\":{\"b\":1}},"
                           "\"n\":null,\"t\":true}";
        weir_assert(weir_json_parse(weir_str_from(json), WEIR_STR(""), &env, NULL));
    }
    weir_str text = {(const char *)data, size};
    weir_expr_options known = {.env = env, .floats = true};
    run(text, &known, env);
    run(text, NULL, env);
    return 0;
}
