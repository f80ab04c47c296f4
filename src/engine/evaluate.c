/* Expressions for `weir.h`: what the pure language wants of the outside, it gets here. */
#include <time.h>

#include <weir/weir.h>

#include "engine/zone.h"
#include "expr/expr.h"

weir_value *weir_evaluate(const char *text, size_t length, weir_value *env, weir_error *error) {
    weir_value *nothing = env ? NULL : weir_object_new();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    weir_expr_options options = {.env = env ? env : nothing, .floats = true};
    weir_expr_world world = {.env = env ? env : nothing,
                             .floats = true,
                             .now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                             .zone = weir__zone_file};
    world.seed = (uint64_t)world.now_ns;
    weir_expr *expr = weir_expr_compile((weir_str){text, length}, &options, error);
    weir_value *out = expr ? weir_expr_eval(expr, &world, error) : NULL;
    weir_expr_free(expr);
    weir_value_unref(nothing);
    return out;
}
