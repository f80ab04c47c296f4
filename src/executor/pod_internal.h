/* Private to pod*.c. A pod and its containers; one thread. */
#ifndef WEIR_EXECUTOR_POD_INTERNAL_H
#define WEIR_EXECUTOR_POD_INTERNAL_H

#include "executor/command.h"
#include "executor/pod.h"

typedef enum weir__pod_role { WEIR__ROLE_INIT, WEIR__ROLE_SET, WEIR__ROLE_SIDECAR } weir__pod_role;

typedef enum weir__pod_state {
    WEIR__WAITS,
    WEIR__RUNS,
    WEIR__RESTS, /* between two tries */
    WEIR__OVER
} weir__pod_state;

typedef struct weir__container {
    weir_pod *pod;
    weir_str name;
    weir__pod_role role;
    bool is_main;
    const weir_value *depends; /* names; NULL: none */
    uint64_t retries, retry_wait_us;
    weir__pod_state state;
    bool asked;   /* it was told to end */
    bool unbegun; /* it could not be begun: `code` says why */
    weir_code code;
    int exit_code; /* 128 + the signal that ended it */
    int signal;
    bool out_of_memory;
    weir_buffer why; /* beyond its exit code */
    uint64_t started_us, finished_us;
    uint64_t cpu_us, memory_peak_bytes;
    weir_timer *timer; /* for its next try, or to kill it */
    /* of any but main */
    weir_attempt attempt;       /* with its own config */
    const weir_in_image *image; /* NULL: it runs in none */
    weir_arena arena;
    bool read; /* the two below were: once for all its tries */
    weir_command command;
    weir_sandbox_spec spec;
    weir_process *process;
    weir_sandbox *sandbox;
    weir_log *log;
    weir_buffer metrics;
} weir__container;

struct weir_pod {
    const weir_attempt *attempt;
    weir_pod_host host;
    weir__container *items;
    size_t count;
    bool stopped; /* nothing more begins */
    bool told_running, over, posted;
    uint64_t grace_us;
    uint64_t begun_us; /* steady */
};

static inline bool weir__container_failed(const weir__container *container) {
    return container->state == WEIR__OVER && container->exit_code;
}

#endif
