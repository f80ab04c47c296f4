#include "executor/crowd.h"

#include "base/memory.h"
#include "base/vector.h"

enum { LOOK_AGAIN_US = 2000 };

typedef struct waiting {
    const char *run;
    void (*let_on)(void *arg);
    void *arg;
} waiting;

struct weir_crowd {
    weir_timer *timer;
    WEIR_VECTOR(waiting) waiting;
    bool (*crowded)(void *arg, const char *run);
    void *arg;
};

static bool is_crowded(const weir_crowd *crowd, const char *run) {
    return crowd->crowded && crowd->crowded(crowd->arg, run);
}

static void look_again(void *arg) {
    weir_crowd *crowd = arg;
    size_t kept = 0;
    for (size_t i = 0; i < crowd->waiting.count; i++) {
        waiting one = crowd->waiting.items[i];
        if (is_crowded(crowd, one.run))
            crowd->waiting.items[kept++] = one;
        else
            one.let_on(one.arg);
    }
    crowd->waiting.count = kept;
    if (kept) weir_timer_start(crowd->timer, LOOK_AGAIN_US);
}

weir_crowd *weir_crowd_open(weir_loop *loop) {
    weir_crowd *crowd = weir_alloc(sizeof *crowd);
    crowd->timer = weir_timer_open(loop, look_again, crowd);
    return crowd;
}

void weir_crowd_close(weir_crowd *crowd) {
    weir_assert(!crowd->waiting.count);
    weir_timer_close(crowd->timer);
    weir_vector_deinit(&crowd->waiting);
    weir_free(crowd);
}

void weir_crowd_watch(weir_crowd *crowd, bool (*crowded)(void *arg, const char *run), void *arg) {
    crowd->crowded = crowded;
    crowd->arg = arg;
}

void weir_crowd_wait(weir_crowd *crowd, const char *run, void (*let_on)(void *arg), void *arg) {
    if (!is_crowded(crowd, run)) {
        let_on(arg);
        return;
    }
    *weir_vector_push(&crowd->waiting) = (waiting){run, let_on, arg};
    weir_timer_start(crowd->timer, LOOK_AGAIN_US);
}

void weir_crowd_dismiss(weir_crowd *crowd) {
    crowd->crowded = NULL;
    look_again(crowd);
}
