/* The energy that the processors of this computer have used, by their own counters (RAPL, which Linux shows as files below
 * /sys/class/powercap): all of it, whoever used it. A counter begins again at 0 now and then; it has to be read more often than that
 * (a minute, at the least). One thread. */
#ifndef WEIR_IO_ENERGY_H
#define WEIR_IO_ENERGY_H

#include "base/text.h"
#include "base/vector.h"

typedef struct weir_energy_counter {
    char *file;
    uint64_t last_uj, range_uj; /* 0: it does not say when it begins again */
} weir_energy_counter;

typedef struct weir_energy {
    WEIR_VECTOR(weir_energy_counter) counters; /* one for each package; none: it is not known */
    uint64_t total_uj;
} weir_energy;

/* `folder`: another one than the kernel's; NULL: that. False: nothing can be read, as when this user may not. */
bool weir_energy_open(weir_energy *energy, const char *folder);
void weir_energy_close(weir_energy *energy);
/* Microjoules since it was opened. */
uint64_t weir_energy_read(weir_energy *energy);
/* The time that processors worked since the computer was started, of all of them together, in steps of a clock tick (10 ms); 0: not
 * known. `root` as for weir_hardware_read. */
uint64_t weir_energy_busy_us(const char *root);

#endif
