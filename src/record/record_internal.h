/* What readers and writers of the kinds share. */
#ifndef WEIR_RECORD_RECORD_INTERNAL_H
#define WEIR_RECORD_RECORD_INTERNAL_H

#include "data/json.h"
#include "record/record.h"

/* One reader: what its kind keeps of it begins with this. */
struct weir_record_reader {
    const weir_record_place *place;
    bool (*next)(weir_record_reader *reader, weir_value **record, weir_error *error);
    void (*close)(weir_record_reader *reader);
    weir_value *columns; /* an object whose keys are their names */
    uint32_t line;
    bool texts;
};

bool weir__record_csv_open(const weir_record_place *place, FILE *file, weir_record_reader **out,
                           weir_error *error);
bool weir__record_json_open(const weir_record_place *place, FILE *file, weir_record_reader **out,
                            weir_error *error);
bool weir__record_sqlite_open(const weir_record_place *place, weir_record_reader **out,
                              weir_error *error);
bool weir__record_postgresql_open(const weir_record_place *place, weir_record_reader **out,
                                  weir_error *error);

/* Write all of the spool; `file` is the new one. */
bool weir__record_csv_write(const weir_record_place *place, weir_record_spool *spool, FILE *file,
                            weir_error *error);
bool weir__record_json_write(const weir_record_place *place, weir_record_spool *spool, FILE *file,
                             weir_error *error);
bool weir__record_sqlite_write(const weir_record_place *place, weir_record_spool *spool, bool whole,
                               weir_error *error);
bool weir__record_postgresql_write(const weir_record_place *place, weir_record_spool *spool,
                                   bool whole, weir_error *error);

/* A record of a row's features; takes both. */
weir_value *weir__record_of(weir_value *key, weir_value *features);
/* What is to be stored of the record: what changed, or all of it; a new reference. NULL: nothing. */
weir_value *weir__record_stored(const weir_value *record, const weir_value *changed, bool whole);
/* Reads and writes: false when the file failed. */
bool weir__record_failed(const char *path, const char *what, weir_error *error);
/* Fails with the place. */
bool weir__record_wrong(const weir_record_place *place, uint32_t line, weir_error *error,
                        const char *format, ...) WEIR_PRINTF(4, 5);
/* Quotes a name for SQL. */
void weir__record_name(weir_buffer *out, weir_str name);
/* The column with the keys, as it is said or `key`. */
weir_str weir__record_key(const weir_record_place *place);

#endif
