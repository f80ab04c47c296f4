/* A graph of sleeping tasks on StarPU's dmda: schedulers_starpu ATTEMPTS <GRAPH, as `schedulers graph` prints it (without its first line).
 * Prints the microseconds from the first submission to the end. Built by schedulers.py where libstarpu-dev is. */
#include <starpu.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TASKS_MAX = 10000, NEEDS_MAX = 16 };

static void work(void *buffers[], void *arg) {
    unsigned long us = *(unsigned long *)arg;
    (void)buffers;
    nanosleep(&(struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000}, NULL);
}

static double cost(struct starpu_task *task, unsigned implementation) {
    (void)implementation;
    return (double)*(unsigned long *)task->cl_arg;
}

int main(int argc, char **argv) {
    static struct starpu_task *tasks[TASKS_MAX];
    static unsigned long lasts[TASKS_MAX];
    static struct starpu_perfmodel model = {
        .type = STARPU_COMMON, .cost_function = cost, .symbol = "sleep"};
    static struct starpu_codelet codelet = {
        .cpu_funcs = {work}, .cpu_funcs_name = {"work"}, .nbuffers = 0, .model = &model};
    struct starpu_conf conf;
    starpu_conf_init(&conf);
    conf.ncpus = argc > 1 ? atoi(argv[1]) : 2;
    conf.sched_policy_name = "dmda";
    if (starpu_init(&conf) != 0) return 1;
    if (starpu_cpu_worker_get_count() != (unsigned)conf.ncpus)
        return 2; /* it has no more than processors */
    int count = 0;
    for (unsigned needs; count < TASKS_MAX && scanf("%lu %u", &lasts[count], &needs) == 2;
         count++) {
        struct starpu_task *before[NEEDS_MAX];
        tasks[count] = starpu_task_create();
        tasks[count]->cl = &codelet;
        tasks[count]->cl_arg = &lasts[count];
        tasks[count]->cl_arg_size = sizeof *lasts;
        for (unsigned k = 0, need; k < needs && k < NEEDS_MAX && scanf("%u", &need) == 1; k++)
            before[k] = tasks[need];
        if (needs) starpu_task_declare_deps_array(tasks[count], needs, before);
    }
    double began = starpu_timing_now();
    for (int i = count; i-- > 0;) /* nothing begins before all is known */
        if (starpu_task_submit(tasks[i]) != 0) return 1;
    starpu_task_wait_for_all();
    printf("%.0f\n", starpu_timing_now() - began);
    starpu_shutdown();
    return 0;
}
