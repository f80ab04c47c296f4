/* Expressions for `weir.h`: what the pure language wants of the outside, it gets here. */
#include <stdio.h>
#include <time.h>

#include <weir/weir.h>

#include "data/document.h"
#include "expr/expr.h"

enum { ZONE_BYTES_MAX = 1024 * 1024, ZONE_NAME_MAX = 64 };

/* A name of the time zone database, which leads nowhere else. */
static bool is_zone_name(weir_str name) {
    bool ok = name.length > 0 && name.length <= ZONE_NAME_MAX && name.data[0] != '/';
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        ok = ok &&
             ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("_+-/", c));
    }
    return ok;
}

static bool read_zone(void *arg, weir_str name, weir_buffer *out) {
    (void)arg;
    char path[128];
    weir_error ignored;
    if (!is_zone_name(name)) return false;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%.*s", WEIR_ARG(name));
    return weir_file_read(path, ZONE_BYTES_MAX, out, &ignored);
}

weir_value *weir_evaluate(const char *text, size_t length, weir_value *env, weir_error *error) {
    weir_value *nothing = env ? NULL : weir_object_new();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    weir_expr_options options = {.env = env ? env : nothing, .floats = true};
    weir_expr_world world = {.env = env ? env : nothing,
                             .floats = true,
                             .now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                             .zone = read_zone};
    world.seed = (uint64_t)world.now_ns;
    weir_expr *expr = weir_expr_compile((weir_str){text, length}, &options, error);
    weir_value *out = expr ? weir_expr_eval(expr, &world, error) : NULL;
    weir_expr_free(expr);
    weir_value_unref(nothing);
    return out;
}
