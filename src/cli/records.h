/* Runs whose contexts are records, followed to the end: records are given while there is room, and stored when the run is over. */
#ifndef WEIR_CLI_RECORDS_H
#define WEIR_CLI_RECORDS_H

#include "cli/follow.h"

typedef struct weir_records_entry {
    weir_run *run; /* NULL: not yet started */
    weir_sources *sources;
    bool broken; /* one of them is wrong: nothing is stored */
} weir_records_entry;

typedef struct weir_records_list {
    const weir_cli *cli;
    WEIR_VECTOR(weir_records_entry) entries;
} weir_records_list;

/* Of the runs that are followed those in the list have records. */
void weir_records_follow(weir_records_list *list, weir_follow *follow);
/* As weir_run_recover, with the records of the run, if it has any that are not stored. */
WEIR_CHECKED bool weir_records_recover(weir_records_list *list, weir_engine *engine,
                                       const char *name, weir_run **run, weir_error *error);
/* Before the runs and the engine are closed. */
void weir_records_close(weir_records_list *list);

#endif
