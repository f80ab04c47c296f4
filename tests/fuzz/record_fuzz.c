/* Files of records: what can be read is written, and reads the same again; all else is refused with its place. */
#include <stdlib.h>

#include "record/record_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef bool opener(const weir_record_place *place, FILE *file, weir_record_reader **out,
                    weir_error *error);

/* Reads all, and keeps it; false: it is wrong. */
static bool read_all(const weir_record_place *place, opener *open, const void *data, size_t size,
                     weir_record_spool *spool) {
    FILE *file = fmemopen((void *)data, size, "r");
    weir_record_reader *reader;
    weir_error error;
    weir_value *record = NULL;
    if (!file || !open(place, file, &reader, &error)) return false;
    reader->place = place;
    reader->texts = true;
    bool ok = true;
    while ((ok = weir_record_reader_next(reader, &record, &error)) && record) {
        weir_assert(weir_record_spool_put(spool, record, NULL, &error));
        weir_value_unref(record);
    }
    weir_assert(ok || error.line || error.code != WEIR_INVALID);
    weir_record_reader_close(reader);
    return ok;
}

static uint64_t count_again(const weir_record_place *place, opener *open,
                            weir_record_spool *spool) {
    weir_error error;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    weir_assert(weir_record_spool_rewind(spool, &error));
    bool ok = place->kind == WEIR_RECORDS_CSV ? weir__record_csv_write(place, spool, file, &error)
                                              : weir__record_json_write(place, spool, file, &error);
    weir_assert(ok);
    fclose(file);
    weir_record_spool again;
    weir_assert(weir_record_spool_open(&again, &error));
    weir_assert(read_all(place, open, text, size, &again));
    uint64_t count = again.count;
    weir_record_spool_close(&again);
    free(text);
    return count;
}

static void try(weir_record_kind kind, opener *open, const uint8_t *data, size_t size) {
    weir_record_place place = {
        .kind = kind, .path = "/nowhere/a", .shown = "a", .tag = "t", .delimiter = ','};
    weir_record_spool spool;
    weir_error error;
    weir_assert(weir_record_spool_open(&spool, &error));
    weir_member_put(spool.columns, "key", weir_null_new());
    if (read_all(&place, open, data, size, &spool))
        weir_assert(count_again(&place, open, &spool) == spool.count);
    weir_record_spool_close(&spool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    try(WEIR_RECORDS_CSV, weir__record_csv_open, data, size);
    try(WEIR_RECORDS_JSON, weir__record_json_open, data, size);
    return 0;
}
