/* Arithmetic, comparing, and logic. Ints stay ints; what does not fit 64 bits, or a float, is a failure. */
#include <inttypes.h>
#include <math.h>

#include "number.h"
#include "operations.h"
#include "order.h"
#include "parameter.h"

typedef struct operands {
    weir_value *a, *b;
    bool ints;
    int64_t i, j; /* when they are ints */
    double x, y;
} operands;

static bool take(const weir_host *host, weir_call *call, operands *o) {
    if (!weir__number_needed(host, call, "a", &o->a) ||
        !weir__number_needed(host, call, "b", &o->b))
        return false;
    o->ints = host->value_type(o->a) == WEIR_INT && host->value_type(o->b) == WEIR_INT;
    o->i = o->ints ? host->int_get(o->a) : 0;
    o->j = o->ints ? host->int_get(o->b) : 0;
    o->x = host->number_get(o->a);
    o->y = host->number_get(o->b);
    return true;
}

static bool give_int(const weir_host *host, weir_call *call, bool over, int64_t result) {
    if (over)
        return host->fail(call, "limit_exceeded", "the result does not fit an int of 64 bits");
    host->output(call, "result", host->int_new(result));
    return true;
}

static bool add(const weir_host *host, weir_call *call) {
    operands o;
    if (!take(host, call, &o)) return false;
    if (!o.ints) return weir__give_float(host, call, "result", o.x + o.y);
    int64_t result = 0;
    bool over = __builtin_add_overflow(o.i, o.j, &result);
    return give_int(host, call, over, result);
}

static bool subtract(const weir_host *host, weir_call *call) {
    operands o;
    if (!take(host, call, &o)) return false;
    if (!o.ints) return weir__give_float(host, call, "result", o.x - o.y);
    int64_t result = 0;
    bool over = __builtin_sub_overflow(o.i, o.j, &result);
    return give_int(host, call, over, result);
}

static bool multiply(const weir_host *host, weir_call *call) {
    operands o;
    if (!take(host, call, &o)) return false;
    if (!o.ints) return weir__give_float(host, call, "result", o.x * o.y);
    int64_t result = 0;
    bool over = __builtin_mul_overflow(o.i, o.j, &result);
    return give_int(host, call, over, result);
}

/* --- division ------------------------------------------------------------------------------- */

static bool take_divisor(const weir_host *host, weir_call *call, operands *o) {
    return take(host, call, o) && (o->y != 0 || host->fail(call, "invalid", "division by 0"));
}

/* The whole part, rounded down. */
static bool divide_whole(const weir_host *host, weir_call *call, const operands *o) {
    if (!o->ints) return weir__give_float(host, call, "result", floor(o->x / o->y));
    bool over = o->i == INT64_MIN && o->j == -1;
    int64_t result = over ? 0 : o->i / o->j;
    bool down = !over && o->i % o->j != 0 && (o->i < 0) != (o->j < 0);
    return give_int(host, call, over, result - down);
}

static bool divide(const weir_host *host, weir_call *call) {
    operands o;
    bool whole = false;
    if (!take_divisor(host, call, &o) || !weir__bool_given(host, call, "whole", &whole))
        return false;
    return whole ? divide_whole(host, call, &o) : weir__give_float(host, call, "result", o.x / o.y);
}

static bool modulo(const weir_host *host, weir_call *call) {
    operands o;
    if (!take_divisor(host, call, &o)) return false;
    if (o.ints) {
        int64_t rest = o.j == -1 ? 0 : o.i % o.j;
        return give_int(host, call, false, rest && (rest < 0) != (o.j < 0) ? rest + o.j : rest);
    }
    double rest = fmod(o.x, o.y);
    return weir__give_float(host, call, "result",
                            rest != 0 && (rest < 0) != (o.y < 0) ? rest + o.y : rest);
}

static bool power(const weir_host *host, weir_call *call) {
    operands o;
    if (!take(host, call, &o)) return false;
    if (!o.ints || o.j < 0) {
        if (o.x == 0 && o.y < 0) return host->fail(call, "invalid", "division by 0");
        if (o.x < 0 && o.y != trunc(o.y))
            return host->fail(call, "invalid", "a root of a number below 0");
        return weir__give_float(host, call, "result", pow(o.x, o.y));
    }
    int64_t result = 1, base = o.i;
    bool over = false, base_over = false;
    for (int64_t left = o.j; left > 0 && !over; left >>= 1) {
        if (left & 1) over = base_over || __builtin_mul_overflow(result, base, &result);
        base_over = base_over || __builtin_mul_overflow(base, base, &base);
    }
    return give_int(host, call, over, result);
}

/* --- of one number -------------------------------------------------------------------------- */

static bool negate(const weir_host *host, weir_call *call) {
    weir_value *number;
    int64_t result = 0;
    if (!weir__number_needed(host, call, "number", &number)) return false;
    if (host->value_type(number) == WEIR_FLOAT)
        return weir__give_float(host, call, "result", -host->number_get(number));
    bool over = __builtin_sub_overflow((int64_t)0, host->int_get(number), &result);
    return give_int(host, call, over, result);
}

static bool absolute(const weir_host *host, weir_call *call) {
    weir_value *number;
    if (!weir__number_needed(host, call, "number", &number)) return false;
    if (host->number_get(number) < 0) return negate(host, call);
    host->output(call, "result", host->value_ref(number));
    return true;
}

/* An int, as near as the function says. */
static bool make_whole(const weir_host *host, weir_call *call, double (*function)(double)) {
    weir_value *number;
    if (!weir__number_needed(host, call, "number", &number)) return false;
    if (host->value_type(number) == WEIR_INT)
        return give_int(host, call, false, host->int_get(number));
    double whole = function(host->number_get(number));
    bool fits = whole >= -0x1p63 && whole < 0x1p63;
    return give_int(host, call, !fits, fits ? (int64_t)whole : 0);
}

static bool round_down(const weir_host *host, weir_call *call) {
    return make_whole(host, call, floor);
}

static bool round_up(const weir_host *host, weir_call *call) {
    return make_whole(host, call, ceil);
}

static bool round_near(const weir_host *host, weir_call *call) {
    return make_whole(host, call, round);
}

static bool compare(const weir_host *host, weir_call *call) {
    const weir_value *a = weir__needed(host, call, "a");
    const weir_value *b = a ? weir__needed(host, call, "b") : NULL;
    int order;
    if (!b) return false;
    if (!weir__compare(host, a, b, &order))
        return host->fail(call, "invalid",
                          "two numbers or two texts can be compared, not %s and %s",
                          type_name(host, a), type_name(host, b));
    host->output(call, "order", host->int_new((order > 0) - (order < 0)));
    host->output(call, "less", host->bool_new(order < 0));
    host->output(call, "equal", host->bool_new(order == 0));
    host->output(call, "greater", host->bool_new(order > 0));
    return true;
}

/* --- logic ---------------------------------------------------------------------------------- */

static bool equal(const weir_host *host, weir_call *call) {
    const weir_value *a = weir__needed(host, call, "a");
    const weir_value *b = a ? weir__needed(host, call, "b") : NULL;
    if (b) host->output(call, "result", host->bool_new(weir__equal(host, a, b)));
    return b != NULL;
}

static bool connect(const weir_host *host, weir_call *call, bool either) {
    const weir_value *a = weir__needed(host, call, "a");
    const weir_value *b = a ? weir__needed(host, call, "b") : NULL;
    if (!b) return false;
    bool x = host->value_truth(a), y = host->value_truth(b);
    host->output(call, "result", host->bool_new(either ? x || y : x && y));
    return true;
}

static bool both(const weir_host *host, weir_call *call) {
    return connect(host, call, false);
}

static bool any(const weir_host *host, weir_call *call) {
    return connect(host, call, true);
}

static bool not(const weir_host *host, weir_call *call) {
    const weir_value *value = weir__needed(host, call, "value");
    if (value) host->output(call, "result", host->bool_new(!host->value_truth(value)));
    return value != NULL;
}

/* --- what there is -------------------------------------------------------------------------- */

enum { HINTS = WEIR_PURE | WEIR_CHEAP };
#define B                                                                                          \
    { "b", "generic", "The second, when it is no parameter." }
#define TWO(operation_name, operation_about, output_about, function)                               \
    OPERATION(.name = (operation_name), .about = (operation_about),                                \
              .inputs = PORTS({"a", "generic", "The first number."},                               \
                              {"b", "generic", "The second number."}),                             \
              .outputs = PORTS({"result", "generic", (output_about)}), .config = PORTS(B),         \
              .hints = HINTS, .run = (function))
#define ONE(operation_name, operation_about, output_about, function)                               \
    OPERATION(.name = (operation_name), .about = (operation_about),                                \
              .inputs = PORTS({"number", "generic", "The number."}),                               \
              .outputs = PORTS({"result", "generic", (output_about)}), .config = NO_PORTS,         \
              .hints = HINTS, .run = (function))
#define TRUTH(operation_name, operation_about, function)                                           \
    OPERATION(.name = (operation_name), .about = (operation_about),                                \
              .inputs = PORTS({"a", "generic", "The first value."},                                \
                              {"b", "generic", "The second value."}),                              \
              .outputs = PORTS({"result", "bool", "Whether it is so."}), .config = PORTS(B),       \
              .hints = HINTS, .run = (function))

static const weir_operation *const operations[] = {
    TWO("math.add", "Adds b to a.", "The sum: an int when both are.", add),
    TWO("math.subtract", "Subtracts b from a.", "The difference: an int when both are.", subtract),
    TWO("math.multiply", "Multiplies a with b.", "The product: an int when both are.", multiply),
    OPERATION(.name = "math.divide", .about = "Divides a by b.",
              .inputs = PORTS({"a", "generic", "The first number."},
                              {"b", "generic", "The second number; not 0."}),
              .outputs = PORTS({"result", "generic", "A float; if `whole`, an int when both are."}),
              .config = PORTS(B, {"whole", "bool", "Whether to round down to a whole number.",
                                  .otherwise = "false"}),
              .hints = HINTS, .run = divide),
    TWO("math.modulo", "What dividing a by b leaves.", "From 0 to b, with the sign of b.", modulo),
    TWO("math.power", "Raises a to the power of b.", "An int when both are and b is not below 0.",
        power),
    ONE("math.negate", "Turns the sign round.", "An int when it was one.", negate),
    ONE("math.absolute", "Takes the sign away.", "An int when it was one.", absolute),
    ONE("math.floor", "Rounds down.", "An int.", round_down),
    ONE("math.ceil", "Rounds up.", "An int.", round_up),
    ONE("math.round", "Rounds to the nearest int, halves away from 0.", "An int.", round_near),
    OPERATION(
            .name = "math.compare", .about = "Compares two numbers, or two texts by code points.",
            .inputs = PORTS({"a", "generic", "The first."}, {"b", "generic", "The second."}),
            .outputs = PORTS({"order", "int", "-1 when a is less, 0 when they are equal, 1."},
                             {"less", "bool", "Whether a is less."},
                             {"equal", "bool", "Whether they are equal."},
                             {"greater", "bool", "Whether a is greater."}),
            .config = PORTS(B), .hints = HINTS, .run = compare,
            .example =
                "operations:\n"
                "  full: {name: math.compare, inputs: {a: percent}, outputs: {greater: is_full}}\n"
                "configs:\n"
                "  full: {b: 90}\n"),
    TRUTH("logic.equal", "Whether two values are equal; 1 and 1.0 are.", equal),
    TRUTH("logic.and", "Whether both are true; null, false, 0, \"\", [] and {} are not.", both),
    TRUTH("logic.or", "Whether one of them is true; null, false, 0, \"\", [] and {} are not.", any),
    OPERATION(.name = "logic.not", .about = "Whether a value is null, false, 0, \"\", [] or {}.",
              .inputs = PORTS({"value", "generic", "The value."}),
              .outputs = PORTS({"result", "bool", "Whether it is so."}), .config = NO_PORTS,
              .hints = HINTS, .run = not ),
    NULL};

PLUGIN(weir_math_plugin, "math", operations)
