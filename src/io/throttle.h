/* A throttle: how much may be under way between a thread that makes and one that takes. Any thread. */
#ifndef WEIR_IO_THROTTLE_H
#define WEIR_IO_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct weir_throttle weir_throttle;

typedef enum weir_pass { WEIR_PASS_OK, WEIR_PASS_FULL, WEIR_PASS_CLOSED } weir_pass;

weir_throttle *weir_throttle_new(uint32_t most);
void weir_throttle_free(weir_throttle *throttle);
/* One more is under way; with `wait`, sleeps while it is full. */
weir_pass weir_throttle_take(weir_throttle *throttle, bool wait);
/* One less. */
void weir_throttle_give(weir_throttle *throttle);
/* From now on every take answers WEIR_PASS_CLOSED, also those that wait. */
void weir_throttle_close(weir_throttle *throttle);

#endif
