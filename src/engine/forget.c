/* A run that forgets: what contexts that were over long ago left in the store, and their logs, go while it goes on. */
#include <unistd.h>

#include "engine/engine_internal.h"
#include "engine/shorten.h"

enum {
    REMEMBERED_US_MIN = 1000 * 1000,
    LOOK_US = 250 * 1000,         /* how seldom there is a look at what may go */
    READ_BYTES_MAX = 1024 * 1024, /* at once: the run waits meanwhile */
    SUMMARY_BYTES_MAX = 512 * 1024 * 1024
};

struct weir__forgetting {
    weir_shortener *shortener;
    uint64_t after_us; /* how long it remembers */
    uint64_t due_us;   /* of the next look */
    bool off;          /* nothing more can go */
};

void weir__forget_begin(weir_run *run, const weir_value *request) {
    uint64_t after_us = weir_member_count(request, "forget_after_us");
    if (!after_us || !run->recorded) return;
    run->forgetting = weir_alloc(sizeof *run->forgetting);
    *run->forgetting = (struct weir__forgetting){
        .after_us = after_us > REMEMBERED_US_MIN ? after_us : REMEMBERED_US_MIN};
}

void weir__forget_end(weir_run *run) {
    if (!run->forgetting) return;
    weir_shortener_free(run->forgetting->shortener);
    weir_free(run->forgetting);
    run->forgetting = NULL;
}

typedef struct reading {
    const weir_run *run;
    weir_shortener *shortener;
    uint64_t until_us;
    size_t bytes;
    bool more, ok;
    weir_error *error;
} reading;

/* Of those that are durable the last one stays as it is: who follows the run is near its end. */
static bool take_batch(void *arg, uint64_t sequence, weir_str bytes) {
    reading *r = arg;
    uint64_t begins_us;
    if (sequence >= r->run->durable) return false;
    r->ok = weir_shortener_begins_us(bytes, &begins_us, r->error);
    if (!r->ok || begins_us > r->until_us) return false;
    r->ok = weir_shortener_read(r->shortener, sequence, bytes, r->error);
    r->bytes += bytes.length;
    r->more = r->bytes >= READ_BYTES_MAX;
    return r->ok && !r->more && !weir_shortener_is_over(r->shortener);
}

static void remove_logs(const weir_run *run, const weir_over *over) {
    const char *directory = run->engine->logs.directory;
    int folder =
        directory && over->attempts.count ? weir_logs_open(directory, weir_str_from(run->id)) : -1;
    if (folder < 0) return;
    for (size_t i = 0; i < over->attempts.count; i++)
        weir_log_remove(folder, over->attempts.items[i].task, over->attempts.items[i].number);
    close(folder);
}

static bool shorten(weir_run *run, weir_error *error) {
    weir_shortener *shortener = run->forgetting->shortener;
    weir_buffer summary = {0};
    weir_over over;
    weir_shortener_take(shortener, &summary, &over);
    bool ok = summary.length <= SUMMARY_BYTES_MAX &&
              weir_store_shorten(run->engine->store, weir_str_from(run->id),
                                 weir_shortener_sequence(shortener), weir_buffer_str(&summary),
                                 over.contexts.items, over.contexts.count, error);
    if (ok) remove_logs(run, &over);
    weir_buffer_deinit(&summary);
    weir_over_deinit(&over);
    return ok;
}

/* What cannot be left out stays: the run goes on all the same. */
static bool look(weir_run *run, struct weir__forgetting *f, uint64_t now_us) {
    weir_error error;
    if (!f->shortener) f->shortener = weir_shortener_new(run->plan, run->id, run->values.parts);
    reading r = {.run = run,
                 .shortener = f->shortener,
                 .until_us = now_us - f->after_us,
                 .ok = true,
                 .error = &error};
    bool read = weir_store_read(run->engine->store, weir_str_from(run->id),
                                weir_shortener_sequence(f->shortener) + 1, take_batch, &r, &error);
    f->due_us = now_us + (r.more ? 0 : LOOK_US);
    return read && r.ok && !weir_shortener_is_over(f->shortener) &&
           (!weir_shortener_is_due(f->shortener) || shorten(run, &error));
}

void weir__forget_some(weir_run *run) {
    struct weir__forgetting *f = run->forgetting;
    uint64_t now_us = weir__now_us(run->engine);
    if (f->off || now_us < f->due_us || now_us < f->after_us) return;
    f->off = !look(run, f, now_us);
    if (!f->off) return;
    weir_shortener_free(f->shortener);
    f->shortener = NULL;
}
