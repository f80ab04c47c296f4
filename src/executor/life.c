#include "executor/life.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/time.h"
#include "executor/family.h"

enum { LOOK_MIN_US = 5 * 1000, LOOK_MAX_US = 1000 * 1000, STAT_BYTES = 1024 };

struct weir_life {
    weir_life_wish wish;
    weir_timer *timer;
    uint64_t period_us;
    uint64_t used;       /* clock ticks of all its processes */
    uint64_t active_us;  /* when it last did something */
    uint64_t stopped_us; /* since when it was seen stopped; 0: it is not */
    bool wrote;
};

/* What was seen of a tree of processes. */
typedef struct sight {
    uint64_t used;
    size_t processes;
    bool runs; /* some process that waits for no child is not stopped */
} sight;

static bool read_file(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "re");
    size_t length = file ? fread(text, 1, size - 1, file) : 0;
    if (file) fclose(file);
    text[length] = '\0';
    return length > 0;
}

/* proc(5): what stands behind the name, which may have any characters; the state is field 3, times are 14 to 17. */
static bool read_process(pid_t pid, char *state, uint64_t *used) {
    enum { STATE = 3, FIRST_TIME = 14, LAST_TIME = 17 };
    char path[64], text[STAT_BYTES], *rest = NULL;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    char *behind = read_file(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    char *word = behind ? strtok_r(behind + 1, " ", &rest) : NULL;
    if (!word) return false;
    *state = *word;
    for (int field = STATE; word && field <= LAST_TIME; field++) {
        if (field >= FIRST_TIME) *used += strtoull(word, NULL, 10);
        word = strtok_r(NULL, " ", &rest);
    }
    return true;
}

/* Who has children may be waiting for them: whether it goes on is seen from those that have none. */
static void look_at(pid_t pid, sight *s) {
    char state;
    if (!read_process(pid, &state, &s->used) || state == 'Z' || state == 'X') return;
    s->processes++;
    weir_family children = {0};
    size_t living = 0;
    weir_family_add_children(&children, pid);
    for (size_t i = 0; i < children.members.count && s->processes < WEIR_FAMILY_MAX; i++) {
        size_t before = s->processes;
        look_at(children.members.items[i], s);
        living += s->processes > before;
    }
    weir_family_deinit(&children);
    s->runs |= !living && state != 'T' && state != 't';
}

/* Why it counts as frozen; empty: it does not. */
static void judge(weir_life *life, char reason[static 96]) {
    char text[24];
    sight s = {0};
    look_at(life->wish.pid, &s);
    uint64_t now_us = weir_clock_steady_us();
    bool stopped = s.processes && s.processes < WEIR_FAMILY_MAX && !s.runs; /* more of them live */
    bool active = life->wrote || s.used != life->used || s.processes == WEIR_FAMILY_MAX;
    life->used = s.used;
    life->wrote = false;
    if (active) life->active_us = now_us;
    if (!stopped)
        life->stopped_us = 0;
    else if (!life->stopped_us)
        life->stopped_us = now_us;
    if (life->wish.freeze_us && now_us - life->active_us >= life->wish.freeze_us)
        snprintf(reason, 96, "it gave no sign of life for %s",
                 weir_duration_format(life->wish.freeze_us, text));
    else if (life->wish.stopped_us && life->stopped_us &&
             now_us - life->stopped_us >= life->wish.stopped_us)
        snprintf(reason, 96, "it gave no sign of life: its processes are stopped");
}

static void look(void *arg) {
    weir_life *life = arg;
    char reason[96] = "";
    judge(life, reason);
    if (reason[0])
        life->wish.frozen(life->wish.arg, reason);
    else
        weir_timer_start(life->timer, life->period_us);
}

static uint64_t period_of(const weir_life_wish *wish) {
    uint64_t shortest = wish->freeze_us;
    if (wish->stopped_us && (!shortest || wish->stopped_us < shortest)) shortest = wish->stopped_us;
    uint64_t period = shortest / 4;
    return period < LOOK_MIN_US ? LOOK_MIN_US : period > LOOK_MAX_US ? LOOK_MAX_US : period;
}

weir_life *weir_life_open(weir_loop *loop, const weir_life_wish *wish) {
    if (!wish->freeze_us && !wish->stopped_us) return NULL;
    weir_life *life = weir_alloc(sizeof *life);
    life->wish = *wish;
    life->period_us = period_of(wish);
    life->active_us = weir_clock_steady_us();
    life->timer = weir_timer_open(loop, look, life);
    weir_timer_start(life->timer, life->period_us);
    return life;
}

void weir_life_note(weir_life *life) {
    if (life) life->wrote = true;
}

void weir_life_close(weir_life *life) {
    if (!life) return;
    weir_timer_close(life->timer);
    weir_free(life);
}
