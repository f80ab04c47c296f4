#include "io/energy.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/kernel_file.h"

enum { COUNTERS_MAX = 64 };

/* A package's: "intel-rapl:0", of AMD's too. What is below it ("intel-rapl:0:1") is counted in it, and "psys" counts all of it again. */
static bool is_package(const char *folder, const char *name) {
    char text[64];
    weir_buffer path = {0};
    const char *number = strncmp(name, "intel-rapl:", 11) == 0 ? name + 11 : "";
    bool one = *number && strspn(number, "0123456789") == strlen(number);
    weir_buffer_printf(&path, "%s/%s/name", folder, name);
    one = one && weir_kernel_text(path.data, text, sizeof text) && strncmp(text, "package", 7) == 0;
    weir_buffer_deinit(&path);
    return one;
}

static void add_counter(weir_energy *energy, const char *folder, const char *name) {
    weir_buffer path = {0};
    weir_energy_counter counter = {0};
    weir_buffer_printf(&path, "%s/%s/max_energy_range_uj", folder, name);
    (void)weir_kernel_number(path.data, &counter.range_uj);
    weir_buffer_clear(&path);
    weir_buffer_printf(&path, "%s/%s/energy_uj", folder, name);
    if (weir_kernel_number(path.data, &counter.last_uj)) {
        counter.file = weir_str_dup(weir_buffer_str(&path));
        *weir_vector_push(&energy->counters) = counter;
    }
    weir_buffer_deinit(&path);
}

bool weir_energy_open(weir_energy *energy, const char *folder) {
    *energy = (weir_energy){0};
    if (!folder) folder = "/sys/class/powercap";
    DIR *list = opendir(folder);
    for (const struct dirent *entry; list && (entry = readdir(list));)
        if (energy->counters.count < COUNTERS_MAX && is_package(folder, entry->d_name))
            add_counter(energy, folder, entry->d_name);
    if (list) closedir(list);
    return energy->counters.count > 0;
}

void weir_energy_close(weir_energy *energy) {
    for (size_t i = 0; i < energy->counters.count; i++) weir_free(energy->counters.items[i].file);
    weir_vector_deinit(&energy->counters);
}

uint64_t weir_energy_read(weir_energy *energy) {
    for (size_t i = 0; i < energy->counters.count; i++) {
        weir_energy_counter *c = &energy->counters.items[i];
        uint64_t now;
        if (!weir_kernel_number(c->file, &now)) continue;
        if (now >= c->last_uj)
            energy->total_uj += now - c->last_uj;
        else if (c->range_uj >= c->last_uj) /* else nobody knows how much it was */
            energy->total_uj += c->range_uj - c->last_uj + now;
        c->last_uj = now;
    }
    return energy->total_uj;
}

uint64_t weir_energy_busy_us(const char *root) {
    /* user nice system idle iowait irq softirq steal; guests are in the first two */
    static const bool counts[] = {true, true, true, false, false, true, true, true};
    char text[512];
    weir_buffer path = {0};
    uint64_t ticks = 0;
    long second = sysconf(_SC_CLK_TCK);
    weir_buffer_printf(&path, "%s/proc/stat", root);
    bool ok = weir_kernel_text(path.data, text, sizeof text) && strncmp(text, "cpu ", 4) == 0;
    weir_buffer_deinit(&path);
    char *at = text + 4;
    for (size_t i = 0; ok && i < sizeof counts / sizeof *counts; i++) {
        uint64_t number = strtoull(at, &at, 10);
        if (counts[i]) ticks += number;
    }
    return ok && second > 0 ? ticks * (1000000 / (uint64_t)second) : 0;
}
