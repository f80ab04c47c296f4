/* The operations that the dataflow cases of this folder use, written against the plugin interface alone. What an
 * operation means is said beside its name in the table at the end; get_single and get_multi are weir's own. */
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <weir/operation.h>

static weir_value *in(const weir_host *host, weir_call *call, const char *name) {
    weir_value *value = host->parameter(call, name);
    return value ? host->value_ref(value) : host->null_new();
}

static bool give(const weir_host *host, weir_call *call, const char *name, weir_value *value) {
    host->output(call, name, value);
    return true;
}

static bool value_error(const weir_host *host, weir_call *call, const char *what) {
    return host->fail(call, NULL, "ValueError: %s", what);
}

/* A parameter that has to be of the type; borrowed. NULL after the call was failed. */
static weir_value *typed(const weir_host *host, weir_call *call, const char *name, weir_type type) {
    weir_value *value = host->parameter(call, name);
    if (value && host->value_type(value) == type) return value;
    value_error(host, call, name);
    return NULL;
}

static bool is_number(const weir_host *host, const weir_value *value) {
    return value && (host->value_type(value) == WEIR_INT || host->value_type(value) == WEIR_FLOAT);
}

/* --- numbers --- */

static bool calculate(const weir_host *host, weir_call *call, const char *output, char sign) {
    const weir_value *a = host->parameter(call, "a"), *b = host->parameter(call, "b");
    if (!is_number(host, a) || !is_number(host, b)) return value_error(host, call, "no numbers");
    if (host->value_type(a) == WEIR_INT && host->value_type(b) == WEIR_INT) {
        int64_t x = host->int_get(a), y = host->int_get(b), result = 0;
        bool over = sign == '+'   ? __builtin_add_overflow(x, y, &result)
                    : sign == '-' ? __builtin_sub_overflow(x, y, &result)
                                  : __builtin_mul_overflow(x, y, &result);
        if (over) return value_error(host, call, "beyond 64 bits");
        return give(host, call, output, host->int_new(result));
    }
    double x = host->number_get(a), y = host->number_get(b);
    return give(host, call, output,
                host->float_new(sign == '+'   ? x + y
                                : sign == '-' ? x - y
                                              : x * y));
}

static bool add(const weir_host *host, weir_call *call) {
    return calculate(host, call, "sum", '+');
}

static bool sub(const weir_host *host, weir_call *call) {
    return calculate(host, call, "diff", '-');
}

static bool mul(const weir_host *host, weir_call *call) {
    return calculate(host, call, "product", '*');
}

static bool neg(const weir_host *host, weir_call *call) {
    const weir_value *a = host->parameter(call, "a");
    if (!is_number(host, a)) return value_error(host, call, "a");
    return give(host, call, "result",
                host->value_type(a) == WEIR_INT ? host->int_new(-host->int_get(a))
                                                : host->float_new(-host->number_get(a)));
}

static bool lt(const weir_host *host, weir_call *call) {
    const weir_value *a = host->parameter(call, "a"), *b = host->parameter(call, "b");
    if (!is_number(host, a) || !is_number(host, b)) return value_error(host, call, "no numbers");
    return give(host, call, "result", host->bool_new(host->number_get(a) < host->number_get(b)));
}

static bool is_even(const weir_host *host, weir_call *call) {
    const weir_value *n = typed(host, call, "n", WEIR_INT);
    return n && give(host, call, "even", host->bool_new(host->int_get(n) % 2 == 0));
}

static bool is_positive(const weir_host *host, weir_call *call) {
    const weir_value *n = host->parameter(call, "n");
    if (!is_number(host, n)) return value_error(host, call, "n");
    return give(host, call, "positive", host->bool_new(host->number_get(n) > 0));
}

static bool countdown(const weir_host *host, weir_call *call) {
    const weir_value *n = typed(host, call, "n", WEIR_INT);
    return n && give(host, call, "n", host->int_new(host->int_get(n) - 1));
}

static bool countdown_stop(const weir_host *host, weir_call *call) {
    const weir_value *n = typed(host, call, "n", WEIR_INT);
    if (!n) return false;
    if (host->int_get(n) > 0) host->output(call, "n", host->int_new(host->int_get(n) - 1));
    return true;
}

static bool collatz(const weir_host *host, weir_call *call) {
    const weir_value *value = typed(host, call, "n", WEIR_INT);
    if (!value) return false;
    int64_t n = host->int_get(value);
    if (n != 1) host->output(call, "n", host->int_new(n % 2 ? 3 * n + 1 : n / 2));
    return true;
}

static bool div_mod(const weir_host *host, weir_call *call) {
    const weir_value *n = typed(host, call, "n", WEIR_INT), *d = typed(host, call, "d", WEIR_INT);
    if (!n || !d) return false;
    if (host->int_get(d) <= 0) return value_error(host, call, "d");
    host->output(call, "q", host->int_new(host->int_get(n) / host->int_get(d)));
    return give(host, call, "r", host->int_new(host->int_get(n) % host->int_get(d)));
}

static bool sum_list(const weir_host *host, weir_call *call) {
    const weir_value *xs = typed(host, call, "xs", WEIR_ARRAY);
    if (!xs) return false;
    int64_t whole = 0;
    double total = 0;
    bool all_whole = true;
    for (size_t i = 0; i < host->value_count(xs); i++) {
        const weir_value *x = host->array_at(xs, i);
        if (!is_number(host, x)) return value_error(host, call, "xs");
        total += host->number_get(x);
        all_whole = all_whole && host->value_type(x) == WEIR_INT &&
                    !__builtin_add_overflow(whole, host->int_get(x), &whole);
    }
    return give(host, call, "total", all_whole ? host->int_new(whole) : host->float_new(total));
}

/* --- truth --- */

static bool eq(const weir_host *host, weir_call *call) {
    weir_value *a = in(host, call, "a"), *b = in(host, call, "b");
    bool equal = host->value_equal(a, b);
    host->value_unref(a);
    host->value_unref(b);
    return give(host, call, "result", host->bool_new(equal));
}

static bool not_(const weir_host *host, weir_call *call) {
    const weir_value *x = host->parameter(call, "x");
    return give(host, call, "result", host->bool_new(!x || !host->value_truth(x)));
}

/* --- text --- */

static bool join(const weir_host *host, weir_call *call, weir_str a, weir_str b,
                 const char *output) {
    char *both = host->alloc(call, a.length + b.length + 1);
    memcpy(both, a.data, a.length);
    memcpy(both + a.length, b.data, b.length);
    return give(host, call, output, host->string_new(both, a.length + b.length));
}

static bool concat(const weir_host *host, weir_call *call) {
    const weir_value *a = typed(host, call, "a", WEIR_STRING);
    const weir_value *b = typed(host, call, "b", WEIR_STRING);
    return a && b && join(host, call, host->string_get(a), host->string_get(b), "result");
}

static bool v_bang(const weir_host *host, weir_call *call) {
    const weir_value *s = typed(host, call, "s", WEIR_STRING);
    return s && join(host, call, host->string_get(s), (weir_str){"!", 1}, "s");
}

static bool upper(const weir_host *host, weir_call *call) {
    const weir_value *s = typed(host, call, "s", WEIR_STRING);
    if (!s) return false;
    weir_str text = host->string_get(s);
    char *copy = host->alloc(call, text.length + 1);
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        copy[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return give(host, call, "result", host->string_new(copy, text.length));
}

static bool split(const weir_host *host, weir_call *call) {
    const weir_value *s = typed(host, call, "s", WEIR_STRING);
    if (!s) return false;
    weir_str text = host->string_get(s);
    weir_value *parts = host->array_new();
    for (size_t from = 0, to = 0; to <= text.length; to++) {
        if (to < text.length && text.data[to] != ',') continue;
        host->array_append(parts, host->string_new(text.data + from, to - from));
        from = to + 1;
    }
    return give(host, call, "parts", parts);
}

/* --- arrays and objects --- */

static bool length(const weir_host *host, weir_call *call) {
    const weir_value *x = host->parameter(call, "x");
    weir_type type = x ? host->value_type(x) : WEIR_NULL;
    if (type < WEIR_STRING) return value_error(host, call, "x");
    size_t n = type == WEIR_STRING ? 0 : host->value_count(x);
    if (type == WEIR_STRING) {
        weir_str text = host->string_get(x);
        for (size_t i = 0; i < text.length; i++) n += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    }
    return give(host, call, "n", host->int_new((int64_t)n));
}

static bool range(const weir_host *host, weir_call *call) {
    const weir_value *n = typed(host, call, "n", WEIR_INT);
    if (!n) return false;
    weir_value *items = host->array_new();
    for (int64_t i = 0; i < host->int_get(n); i++) host->array_append(items, host->int_new(i));
    return give(host, call, "items", items);
}

static bool pair(const weir_host *host, weir_call *call) {
    weir_value *items = host->array_new();
    host->array_append(items, in(host, call, "a"));
    host->array_append(items, in(host, call, "b"));
    return give(host, call, "pair", items);
}

static bool triple(const weir_host *host, weir_call *call) {
    weir_value *items = host->array_new();
    host->array_append(items, in(host, call, "a"));
    host->array_append(items, in(host, call, "b"));
    host->array_append(items, in(host, call, "c"));
    return give(host, call, "triple", items);
}

static bool wrap(const weir_host *host, weir_call *call) {
    weir_value *map = host->object_new();
    host->object_set(map, "v", 1, in(host, call, "x"));
    return give(host, call, "map", map);
}

static bool pick(const weir_host *host, weir_call *call) {
    const weir_value *m = typed(host, call, "m", WEIR_OBJECT);
    const weir_value *key = typed(host, call, "key", WEIR_STRING);
    if (!m || !key) return false;
    weir_str text = host->string_get(key);
    weir_value *value = host->object_get(m, text.data, text.length);
    if (!value) return host->fail(call, NULL, "KeyError: %s", text.data);
    return give(host, call, "value", host->value_ref(value));
}

/* --- what they give, or do not --- */

static bool constant(const weir_host *host, weir_call *call) {
    weir_value *value = host->config(call, "value");
    return give(host, call, "value", value ? host->value_ref(value) : host->null_new());
}

static bool identity(const weir_host *host, weir_call *call) {
    return give(host, call, "x", in(host, call, "x"));
}

static bool twice(const weir_host *host, weir_call *call) {
    host->output(call, "first", in(host, call, "x"));
    return give(host, call, "second", in(host, call, "x"));
}

static bool partial(const weir_host *host, weir_call *call) {
    return give(host, call, "first", in(host, call, "x"));
}

static bool badkey(const weir_host *host, weir_call *call) {
    return give(host, call, "nope", in(host, call, "x"));
}

static bool nothing(const weir_host *host, weir_call *call) {
    (void)host;
    (void)call;
    return true;
}

static bool null(const weir_host *host, weir_call *call) {
    return give(host, call, "result", host->null_new());
}

/* --- failures, and what is not pure --- */

static bool fail(const weir_host *host, weir_call *call) {
    return value_error(host, call, "always fails");
}

static bool fail_if_odd(const weir_host *host, weir_call *call) {
    const weir_value *n = typed(host, call, "n", WEIR_INT);
    if (!n) return false;
    if (host->int_get(n) % 2) return value_error(host, call, "odd");
    return give(host, call, "n", host->int_new(host->int_get(n)));
}

/* A case has one instance of it, so one count is enough. */
static bool flaky(const weir_host *host, weir_call *call) {
    static atomic_int calls;
    const weir_value *fails = host->config(call, "fails");
    if (atomic_fetch_add(&calls, 1) < (fails ? host->int_get(fails) : 0))
        return value_error(host, call, "not yet");
    return identity(host, call);
}

/* Gives one set for each number below n: { item }, or { i, sq }. */
static bool generate(const weir_host *host, weir_call *call, bool squares) {
    weir_value *n = typed(host, call, "n", WEIR_INT);
    for (int64_t i = 0; n && i < host->int_get(n); i++) {
        host->output(call, squares ? "i" : "item", host->int_new(i));
        if (squares) host->output(call, "sq", host->int_new(i * i));
        if (host->emit(call) == WEIR_EMIT_CANCELLED) return false;
    }
    return n != NULL;
}

static bool gen(const weir_host *host, weir_call *call) {
    return generate(host, call, false);
}

static bool gen_sq(const weir_host *host, weir_call *call) {
    return generate(host, call, true);
}

static bool gen_fail(const weir_host *host, weir_call *call) {
    return generate(host, call, false) && value_error(host, call, "gen_fail");
}

static void sleep_ms(int64_t ms) {
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (nanosleep(&time, &time) != 0) continue;
}

static bool sleep_operation(const weir_host *host, weir_call *call) {
    const weir_value *ms = typed(host, call, "ms", WEIR_INT);
    if (!ms) return false;
    sleep_ms(host->int_get(ms));
    return give(host, call, "ms", host->int_new(host->int_get(ms)));
}

static bool record_lock(const weir_host *host, weir_call *call) {
    sleep_ms(5);
    return identity(host, call);
}

static bool v_nonneg(const weir_host *host, weir_call *call) {
    const weir_value *x = host->parameter(call, "x");
    if (!is_number(host, x) || host->number_get(x) < 0) return value_error(host, call, "negative");
    return identity(host, call);
}

static bool v_clamp(const weir_host *host, weir_call *call) {
    const weir_value *x = host->parameter(call, "x");
    if (!is_number(host, x)) return value_error(host, call, "x");
    if (host->number_get(x) < 0) return give(host, call, "x", host->int_new(0));
    if (host->number_get(x) > 10) return give(host, call, "x", host->int_new(10));
    return identity(host, call);
}

/* --- the table --- */

#define PORT(port)                                                                                 \
    { port, "generic", "A value." }
#define NONE                                                                                       \
    { NULL, NULL, NULL }
#define NO_PORTS                                                                                   \
    { NONE }
#define ONE(a)                                                                                     \
    { PORT(a), NONE }
#define TWO(a, b)                                                                                  \
    { PORT(a), PORT(b), NONE }
#define THREE(a, b, c)                                                                             \
    { PORT(a), PORT(b), PORT(c), NONE }

enum { CALL = WEIR_PURE | WEIR_CHEAP };

/* X(C name, operation, inputs, outputs, configuration, hints, function, what it does) */
#define OPERATIONS(X)                                                                              \
    X(o_const, "const", NO_PORTS, ONE("value"), ONE("value"), CALL, constant, "config.value")      \
    X(o_add, "add", TWO("a", "b"), ONE("sum"), NO_PORTS, CALL, add, "a + b")                       \
    X(o_sub, "sub", TWO("a", "b"), ONE("diff"), NO_PORTS, CALL, sub, "a - b")                      \
    X(o_mul, "mul", TWO("a", "b"), ONE("product"), NO_PORTS, CALL, mul, "a * b")                   \
    X(o_neg, "neg", ONE("a"), ONE("result"), NO_PORTS, CALL, neg, "-a")                            \
    X(o_eq, "eq", TWO("a", "b"), ONE("result"), NO_PORTS, CALL, eq, "a == b, deep")                \
    X(o_lt, "lt", TWO("a", "b"), ONE("result"), NO_PORTS, CALL, lt, "a < b")                       \
    X(o_is_even, "is_even", ONE("n"), ONE("even"), NO_PORTS, CALL, is_even, "n % 2 == 0")          \
    X(o_is_positive, "is_positive", ONE("n"), ONE("positive"), NO_PORTS, CALL, is_positive,        \
      "n > 0")                                                                                     \
    X(o_not, "not", ONE("x"), ONE("result"), NO_PORTS, CALL, not_, "Whether x is false.")          \
    X(o_concat, "concat", TWO("a", "b"), ONE("result"), NO_PORTS, CALL, concat, "a, then b")       \
    X(o_upper, "upper", ONE("s"), ONE("result"), NO_PORTS, CALL, upper, "ASCII upper case")        \
    X(o_length, "length", ONE("x"), ONE("n"), NO_PORTS, CALL, length, "How many x has.")           \
    X(o_split, "split", ONE("s"), ONE("parts"), NO_PORTS, CALL, split, "s between its commas")     \
    X(o_range, "range", ONE("n"), ONE("items"), NO_PORTS, CALL, range, "0 to n - 1")               \
    X(o_identity, "identity", ONE("x"), ONE("x"), NO_PORTS, CALL, identity, "x")                   \
    X(o_pair, "pair", TWO("a", "b"), ONE("pair"), NO_PORTS, CALL, pair, "[a, b]")                  \
    X(o_triple, "triple", THREE("a", "b", "c"), ONE("triple"), NO_PORTS, CALL, triple,             \
      "[a, b, c]")                                                                                 \
    X(o_wrap, "wrap", ONE("x"), ONE("map"), NO_PORTS, CALL, wrap, "{v: x}")                        \
    X(o_sum_list, "sum_list", ONE("xs"), ONE("total"), NO_PORTS, CALL, sum_list, "Their sum.")     \
    X(o_dup, "dup", ONE("x"), TWO("first", "second"), NO_PORTS, CALL, twice, "x twice")            \
    X(o_partial, "partial", ONE("x"), TWO("first", "second"), NO_PORTS, CALL, partial,             \
      "x as first, never a second")                                                                \
    X(o_badkey, "badkey", ONE("x"), ONE("result"), NO_PORTS, CALL, badkey,                         \
      "An output that it does not declare.")                                                       \
    X(o_nothing, "nothing", ONE("x"), ONE("result"), NO_PORTS, CALL, nothing, "No output.")        \
    X(o_null, "null", ONE("x"), ONE("result"), NO_PORTS, CALL, null, "null")                       \
    X(o_fail, "fail", ONE("x"), ONE("result"), NO_PORTS, CALL, fail, "Fails.")                     \
    X(o_fail_if_odd, "fail_if_odd", ONE("n"), ONE("n"), NO_PORTS, CALL, fail_if_odd,               \
      "Fails when n is odd.")                                                                      \
    X(o_flaky, "flaky", ONE("x"), ONE("x"), ONE("fails"), 0, flaky,                                \
      "Fails the first config.fails times.")                                                       \
    X(o_gen, "gen", ONE("n"), ONE("item"), NO_PORTS, WEIR_GENERATOR, gen, "Yields 0 to n - 1.")    \
    X(o_gen_sq, "gen_sq", ONE("n"), TWO("i", "sq"), NO_PORTS, WEIR_GENERATOR, gen_sq,              \
      "Yields numbers and their squares.")                                                         \
    X(o_gen_fail, "gen_fail", ONE("n"), ONE("item"), NO_PORTS, WEIR_GENERATOR, gen_fail,           \
      "Yields 0 to n - 1, then fails.")                                                            \
    X(o_sleep_ms, "sleep_ms", ONE("ms"), ONE("ms"), NO_PORTS, 0, sleep_operation, "Sleeps.")       \
    X(o_record_lock, "record_lock", TWO("x", "tag"), ONE("x"), NO_PORTS, 0, record_lock,           \
      "x, after 5 ms")                                                                             \
    X(o_countdown, "countdown", ONE("n"), ONE("n"), NO_PORTS, CALL, countdown, "n - 1")            \
    X(o_countdown_stop, "countdown_stop", ONE("n"), ONE("n"), NO_PORTS, CALL, countdown_stop,      \
      "n - 1, and nothing from 0 on")                                                              \
    X(o_collatz, "collatz", ONE("n"), ONE("n"), NO_PORTS, CALL, collatz,                           \
      "The next of Collatz's sequence, nothing after 1.")                                          \
    X(o_div_mod, "div_mod", TWO("n", "d"), TWO("q", "r"), NO_PORTS, CALL, div_mod,                 \
      "Quotient and remainder.")                                                                   \
    X(o_pick, "pick", TWO("m", "key"), ONE("value"), NO_PORTS, CALL, pick, "m[key]")               \
    X(o_mark, "mark", ONE("x"), NO_PORTS, NO_PORTS, CALL, nothing, "Nothing.")                     \
    X(o_mark0, "mark0", NO_PORTS, NO_PORTS, NO_PORTS, CALL, nothing, "Nothing.")                   \
    X(o_v_nonneg, "v_nonneg", ONE("x"), ONE("x"), NO_PORTS, CALL, v_nonneg, "x, from 0 on")        \
    X(o_v_clamp, "v_clamp", ONE("x"), ONE("x"), NO_PORTS, CALL, v_clamp, "x, from 0 to 10")        \
    X(o_v_bang, "v_bang", ONE("s"), ONE("s"), NO_PORTS, CALL, v_bang, "s and a '!'")

#define DEFINE(name_, operation_, inputs_, outputs_, config_, hints_, run_, about_)                \
    static const weir_port name_##_inputs[] = inputs_;                                             \
    static const weir_port name_##_outputs[] = outputs_;                                           \
    static const weir_port name_##_config[] = config_;                                             \
    static const weir_operation name_ = {                                                          \
        .size = sizeof(weir_operation),                                                            \
        .name = (operation_),                                                                      \
        .about = (about_),                                                                         \
        .inputs = name_##_inputs,                                                                  \
        .outputs = name_##_outputs,                                                                \
        .config = name_##_config,                                                                  \
        .hints = (hints_),                                                                         \
        .run = (run_),                                                                             \
    };
OPERATIONS(DEFINE)

#define ADDRESS(name_, ...) &name_,
static const weir_operation *const corpus_operations[] = {OPERATIONS(ADDRESS) NULL};

static const weir_plugin corpus_plugin = {
    .abi = WEIR_ABI,
    .size = sizeof(weir_plugin),
    .name = "corpus",
    .version = "1",
    .operations = corpus_operations,
};

WEIR_API const weir_plugin *weir_plugin_open(const weir_host *host);

const weir_plugin *weir_plugin_open(const weir_host *host) {
    return host->abi == WEIR_ABI && host->size >= sizeof(weir_host) ? &corpus_plugin : NULL;
}
