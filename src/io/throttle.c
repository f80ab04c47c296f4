#include "io/throttle.h"

#include <pthread.h>

#include "base/memory.h"

struct weir_throttle {
    pthread_mutex_t mutex;
    pthread_cond_t room;
    uint32_t under_way, most;
    bool closed;
};

weir_throttle *weir_throttle_new(uint32_t most) {
    weir_throttle *throttle = weir_alloc(sizeof *throttle);
    pthread_mutex_init(&throttle->mutex, NULL);
    pthread_cond_init(&throttle->room, NULL);
    throttle->most = most;
    return throttle;
}

void weir_throttle_free(weir_throttle *throttle) {
    if (!throttle) return;
    pthread_mutex_destroy(&throttle->mutex);
    pthread_cond_destroy(&throttle->room);
    weir_free(throttle);
}

weir_pass weir_throttle_take(weir_throttle *throttle, bool wait) {
    pthread_mutex_lock(&throttle->mutex);
    while (wait && !throttle->closed && throttle->under_way >= throttle->most)
        pthread_cond_wait(&throttle->room, &throttle->mutex);
    weir_pass pass = throttle->closed                        ? WEIR_PASS_CLOSED
                     : throttle->under_way >= throttle->most ? WEIR_PASS_FULL
                                                             : WEIR_PASS_OK;
    if (pass == WEIR_PASS_OK) throttle->under_way++;
    pthread_mutex_unlock(&throttle->mutex);
    return pass;
}

void weir_throttle_give(weir_throttle *throttle) {
    pthread_mutex_lock(&throttle->mutex);
    throttle->under_way--;
    pthread_cond_signal(&throttle->room);
    pthread_mutex_unlock(&throttle->mutex);
}

void weir_throttle_close(weir_throttle *throttle) {
    pthread_mutex_lock(&throttle->mutex);
    throttle->closed = true;
    pthread_cond_broadcast(&throttle->room);
    pthread_mutex_unlock(&throttle->mutex);
}
