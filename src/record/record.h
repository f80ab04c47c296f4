/* Records: what rows of CSV files, JSON files and tables of databases are, read one after the other and put back as a whole.
 *
 * A record is an object {key: TEXT, features: {name: value}} with whatever else its file says of it. One that was read with
 * `texts` has the cells of its CSV file as they are written, so that those which nobody changes are written back the same.
 * Readers and spools hold one record at a time. One thread. */
#ifndef WEIR_RECORD_RECORD_H
#define WEIR_RECORD_RECORD_H

#include <stdio.h>

#include "base/error.h"
#include "data/value.h"

enum {
    WEIR_RECORD_BYTES_MAX = 64 * 1024 * 1024,
    WEIR_RECORD_COLUMNS_MAX = 16 * 1024,
};

typedef enum weir_record_kind {
    WEIR_RECORDS_CSV,
    WEIR_RECORDS_JSON,
    WEIR_RECORDS_SQLITE,
    WEIR_RECORDS_POSTGRESQL
} weir_record_kind;

/* Where records are. */
typedef struct weir_record_place {
    weir_record_kind kind;
    char *path;  /* or the URL of a PostgreSQL */
    char *shown; /* as it may be shown: without a password */
    char *table; /* of a database; NULL: not said */
    char *
        key; /* the column with the keys; NULL: `key`, and in CSV, where there is none, rows are numbered from 0 */
    char *tag; /* of a JSON file */
    char delimiter;
} weir_record_place;

/* `[KIND:]PATH[?NAME=VALUE&…]`, or the URL of a PostgreSQL: table, key, tag and delimiter are ours. Without a kind the path's end says it. USAGE. */
WEIR_CHECKED bool weir_record_place_parse(weir_record_place *place, const char *text,
                                          weir_error *error);
/* A file's path is meant from the folder, unless it is absolute or no folder is said. */
void weir_record_place_beneath(weir_record_place *place, weir_str folder);
/* Appends what place_parse reads, but the password of a URL. */
void weir_record_place_without_password(weir_str text, weir_buffer *out);
void weir_record_place_deinit(weir_record_place *place);
/* Whether both are the same file, or the same table. */
bool weir_record_place_equal(const weir_record_place *a, const weir_record_place *b);

/* --- reading */

typedef struct weir_record_reader weir_record_reader;

/* `texts`: cells of CSV stay as they are written. `may_lack`: a file that is not there has no records. */
WEIR_CHECKED bool weir_record_reader_open(const weir_record_place *place, bool texts, bool may_lack,
                                          weir_record_reader **out, weir_error *error);
/* The next record, the caller's; NULL: there is none. Errors have the place in the file. */
WEIR_CHECKED bool weir_record_reader_next(weir_record_reader *reader, weir_value **record,
                                          weir_error *error);
/* The names of the columns as far as they are known, in order; borrowed. */
const weir_value *weir_record_reader_columns(const weir_record_reader *reader);
/* The line of the last record; 0: it has none. */
uint32_t weir_record_reader_line(const weir_record_reader *reader);
void weir_record_reader_close(weir_record_reader *reader);

/* What a cell of CSV is: a number, truth, a list or a map where it reads as JSON does, else its text. A new reference. */
weir_value *weir_record_cell(weir_str cell);

/* --- what is to be written */

/* Records in a file of its own that has no name, so that any number of them needs no memory. */
typedef struct weir_record_spool {
    FILE *file;
    weir_value *columns; /* an object whose keys are the names of features, as they first came */
    uint64_t count;
    weir_buffer line;
} weir_record_spool;

WEIR_CHECKED bool weir_record_spool_open(weir_record_spool *spool, weir_error *error);
/* `changed`: features that are new, an object; NULL: the record is as it was. */
WEIR_CHECKED bool weir_record_spool_put(weir_record_spool *spool, const weir_value *record,
                                        const weir_value *changed, weir_error *error);
/* What is read next is what was put at this place of the file. */
WEIR_CHECKED bool weir_record_spool_seek(weir_record_spool *spool, uint64_t at, weir_error *error);
/* From the beginning: both new references, NULL at the end. */
WEIR_CHECKED bool weir_record_spool_rewind(weir_record_spool *spool, weir_error *error);
WEIR_CHECKED bool weir_record_spool_next(weir_record_spool *spool, weir_value **record,
                                         weir_value **changed, weir_error *error);
void weir_record_spool_close(weir_record_spool *spool);

/* Makes a file of all records, in place of the old one once it is whole; of a JSON file other tags stay. In a table gives records what is
 * `changed`, in one transaction; `whole`: all features of those that changed. */
WEIR_CHECKED bool weir_record_store(const weir_record_place *place, weir_record_spool *spool,
                                    bool whole, weir_error *error);

#endif
