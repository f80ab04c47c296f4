/* `weir bench ladder`: the same downloads, written in several ways (examples/ladder), each run as a task of weir and measured by it. One
 * thread. */
#ifndef WEIR_CLI_LADDER_H
#define WEIR_CLI_LADDER_H

#include "cli/commands.h"

typedef struct weir_ladder_rung {
    const char *name, *file, *option; /* option: NULL, or what else the program is given */
} weir_ladder_rung;

extern const weir_ladder_rung weir_ladder_rungs[]; /* end with a NULL name */

/* What the rungs need around them: Python, their files, the server that they ask. */
typedef struct weir_ladder_stage {
    const char *folder; /* of the files */
    char *written;      /* the same when it was made here, and goes at the end; NULL */
    char *python, *address;
    int server, holds; /* the server's process, 0: none; it goes on until this is closed */
} weir_ladder_stage;

/* Finds Python, and serves the files of `folder`, or with NULL those that are in the program. NOT_FOUND: no Python, IO. */
WEIR_CHECKED bool weir_ladder_stage_open(weir_ladder_stage *stage, const char *folder,
                                         uint64_t latency_us, weir_error *error);
void weir_ladder_stage_close(weir_ladder_stage *stage);

typedef struct weir_ladder_measurement {
    const weir_ladder_rung *rung;
    uint32_t downloads, round;
    bool done; /* the rest is known */
    double seconds, cpu_seconds;
    uint64_t memory_bytes;     /* the most that all its processes had together */
    uint32_t got, errors_told; /* downloads that came, and failures that the program knows of */
    char *run;                 /* of the dataflow: its run; NULL */
} weir_ladder_measurement;

typedef struct weir_ladder {
    weir_cli *cli;
    weir_ladder_stage stage;
    WEIR_VECTOR(const weir_ladder_rung *) rungs;
    WEIR_VECTOR(uint32_t) downloads; /* ascending */
    uint64_t latency_us, at_once, rounds;
    const char *program;                               /* this one */
    char *run;                                         /* the run's name */
    WEIR_VECTOR(weir_ladder_measurement) measurements; /* in the order in which they are made */
    size_t done;
} weir_ladder;

/* What all rounds of a rung with so many downloads come to: medians; false when none is done. */
bool weir_ladder_median(const weir_ladder *ladder, const weir_ladder_rung *rung, uint32_t downloads,
                        weir_ladder_measurement *out);
/* Prints all in the form that is wanted, and writes the pictures. */
WEIR_CHECKED bool weir_ladder_show(const weir_ladder *ladder, weir_error *error);

#endif
