/* Inside of weir_sources (weir.h): what is shared by reading, giving and storing (sources.c) and by going on after a crash
 * (sources_recall.c). One thread, the engine's. */
#ifndef WEIR_ENGINE_SOURCES_H
#define WEIR_ENGINE_SOURCES_H

#include <sys/stat.h>

#include "base/notes.h"
#include "engine/engine_internal.h"
#include "record/record.h"

/* A record whose turn to be kept has not come. */
typedef struct weir__source_item {
    weir_value *record, *result;
    size_t source;
    bool waits; /* for its result */
} weir__source_item;

typedef struct weir__source {
    weir_record_place place;
    weir_record_reader *reader;
    weir_record_spool *spool; /* NULL: nothing is stored */
    weir_record_spool own;
    struct stat before;
    bool was_there;
    uint64_t read, changed, skipped, unfinished, added;
} weir__source;

/* What is known of a run that another process drove, before its sources are read again: by the hash of a key, where in the spool its
 * result is, and one more; 0: it was given, and has none. */
typedef struct weir__recalled {
    weir_record_spool spool;
    weir_notes notes;
    bool given; /* the journal was asked for those that were */
    bool failed;
    weir_error error; /* why it could not be noted */
} weir__recalled;

struct weir_sources {
    weir_value *what;
    WEIR_VECTOR(weir__source) sources;
    size_t at; /* the source that is read; behind the last: all are */
    weir_record_place to;
    weir_record_spool to_spool;
    bool stores, ended;
    WEIR_VECTOR(weir__source_item) items; /* from `first` on */
    size_t first, waiting_max;
    uint64_t number;  /* of items[first], of all that there were */
    weir_map waiting; /* key → number */
    weir_map wanted;  /* the keys that are wanted, if not all → a place in `met` */
    WEIR_VECTOR(bool) met;
    struct {
        uint64_t *hashes; /* 0: free */
        size_t count, capacity;
    } seen;
    weir_engine *engine; /* NULL: no run was given anything */
    char run[WEIR_RUN_ID_LENGTH + 1];
    weir__recalled *recalled;  /* NULL: the run is this process's own */
    struct weir_sources *next; /* of the engine's that were recalled */
};

/* --- sources_recall.c */

/* From now on the store knows that records of the run wait to be stored. */
WEIR_CHECKED bool weir__sources_mark(weir_sources *s, weir_run *run, weir_error *error);
/* Before records are read again: which of them the run was given. */
WEIR_CHECKED bool weir__sources_note_given(weir_sources *s, weir_error *error);
/* A result whose record was not read again yet. */
void weir__sources_note(weir_sources *s, weir_str key, const weir_value *result);
/* Whether the record was given before; *result is then its own or NULL, a new reference. It is forgotten with that. */
WEIR_CHECKED bool weir__sources_recollect(weir_sources *s, weir_str key, bool *given,
                                          weir_value **result, weir_error *error);
bool weir__sources_was_given(const weir_sources *s, weir_str key);
void weir__sources_forget(weir_sources *s);

#endif
