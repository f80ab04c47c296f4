/* What an expression costs once it is compiled: each case in turn, for about 0.2 s of CPU, as lines of JSON. Run by expressions.py. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "data/json.h"
#include "expr/condition.h"
#include "expr/expr.h"

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

typedef struct job {
    const weir_expr *expr;
    const weir_expr_world *world;
    weir_str text;
    const weir_expr_options *options;
} job;

static bool evaluate(const job *j) {
    bool result;
    return weir_expr_test(j->expr, j->world, &result, NULL);
}

static bool compile(const job *j) {
    weir_expr *expr = weir_expr_compile(j->text, j->options, NULL);
    weir_expr_free(expr);
    return expr != NULL;
}

static bool condition(const job *j) {
    bool result;
    return weir_condition_evaluate(j->text, &result, NULL);
}

static double rate(bool (*run)(const job *), const job *j) {
    size_t count = 0;
    double begin = now(), end;
    do {
        for (int i = 0; i < 1000; i++)
            if (!run(j)) exit(1);
        count += 1000;
        end = now();
    } while (end - begin < 0.2);
    return (double)count / (end - begin);
}

int main(void) {
    static const char *const cases[][2] = {
        {"typical", "steps.flip.outputs.result == \"heads\" && steps.flip.status == \"Succeeded\""},
        {"numbers", "asInt(inputs.parameters.count) > 2 || asInt(steps.flip.exitCode) != 0"},
        {"pattern", "inputs.parameters.name matches \"^[a-z]+-[0-9]+$\""},
        {"list", "any(list, # > 7) && len(filter(list, # % 2 == 0)) == 4"},
    };
    const char *json = "{\"steps\":{\"flip\":{\"outputs\":{\"result\":\"heads\"},\"status\":"
                       "\"Succeeded\",\"exitCode\":\"0\"}},"
                       "\"inputs\":{\"parameters\":{\"count\":\"3\",\"name\":\"part-17\"}},"
                       "\"list\":[1,2,3,4,5,6,7,8]}";
    weir_value *env;
    if (!weir_json_parse(weir_str_from(json), WEIR_STR(""), &env, NULL)) return 1;
    weir_expr_options options = {.env = env};
    weir_expr_world world = {.env = env};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job j = {.world = &world, .text = weir_str_from(cases[i][1]), .options = &options};
        weir_expr *expr = weir_expr_compile(j.text, &options, NULL);
        if (!expr) return 1;
        j.expr = expr;
        printf("{\"case\": \"%s\", \"evaluations\": %.0f, \"compilations\": %.0f}\n", cases[i][0],
               rate(evaluate, &j), rate(compile, &j));
        weir_expr_free(expr);
    }
    job when = {.text = WEIR_STR("heads == heads && 3 > 2")};
    printf("{\"case\": \"when\", \"evaluations\": %.0f}\n", rate(condition, &when));
    weir_value_unref(env);
    return 0;
}
