/* Batches out of pages, where SQLite cannot follow its own trees any more.
 *
 * The journal's table keeps each batch as one cell of an index page (https://www.sqlite.org/fileformat2.html, 1.5 to 1.7
 * and 2.1). Each page is looked at by itself, and what a cell says is believed only when it is a row of the journal's form
 * whose checksum is right. Pages of the log that were committed come instead of the file's; pages on the list of free ones
 * are left out, for what is on them was deleted. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite_internal.h"

enum {
    PAGE_MIN = 512,
    PAGE_MAX = 65536,
    PAGE_USUAL = 4096,
    HEADER = 100,
    LOG_HEADER = 32,
    FRAME_HEADER = 24,
    LEAF = 0x0a,
    INNER = 0x02,
    CELLS_MAX = PAGE_MAX / 4,
    COLUMNS = 5,
    PAYLOAD_MAX = 1000 * 1000 * 1000 /* SQLite's own limit of a row */
};

typedef struct pages {
    int file, log; /* log -1: there is none */
    uint32_t size, count;
    uint64_t *frames; /* by page - 1: where it is in the log; 0: it is not */
    bool *left_out;   /* by page - 1: free */
    unsigned char *page, *other;
    weir_buffer payload;
} pages;

static uint32_t get_16(const unsigned char *at) {
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get_32(const unsigned char *at) {
    return get_16(at) << 16 | get_16(at + 2);
}

/* --- the log ---------------------------------------------------------------------------------- */

/* The checksum over pairs of words, in the order of bytes that the log's first word names. */
static void add_to_sum(const unsigned char *data, size_t length, bool big, uint32_t sum[2]) {
    for (size_t i = 0; i + 8 <= length; i += 8) {
        uint32_t words[2];
        for (int k = 0; k < 2; k++) {
            const unsigned char *w = data + i + 4 * k;
            words[k] = big ? get_32(w)
                           : (uint32_t)w[3] << 24 | (uint32_t)w[2] << 16 | (uint32_t)w[1] << 8 |
                                 (uint32_t)w[0];
        }
        sum[0] += words[0] + sum[1];
        sum[1] += words[1] + sum[0];
    }
}

/* Frames up to the last commit whose chain of checksums is right; a later one of a page wins. */
static void read_log(pages *p, uint32_t limit) {
    unsigned char head[LOG_HEADER], frame[FRAME_HEADER];
    uint32_t sum[2] = {0, 0};
    if (p->log < 0 || pread(p->log, head, sizeof head, 0) != sizeof head ||
        (get_32(head) & ~1u) != 0x377f0682 || get_32(head + 8) != p->size)
        return;
    bool big = get_32(head) & 1;
    add_to_sum(head, 24, big, sum);
    if (sum[0] != get_32(head + 24) || sum[1] != get_32(head + 28)) return;
    WEIR_VECTOR(uint32_t) waiting = {0}; /* pages of the transaction that is being read */
    uint64_t begun = LOG_HEADER;
    for (uint64_t at = LOG_HEADER;; at += FRAME_HEADER + p->size) {
        if (pread(p->log, frame, sizeof frame, (off_t)at) != sizeof frame ||
            pread(p->log, p->page, p->size, (off_t)(at + FRAME_HEADER)) != (ssize_t)p->size ||
            memcmp(frame + 8, head + 16, 8) != 0)
            break;
        add_to_sum(frame, 8, big, sum);
        add_to_sum(p->page, p->size, big, sum);
        uint32_t page = get_32(frame);
        if (sum[0] != get_32(frame + 16) || sum[1] != get_32(frame + 20) || !page || page > limit)
            break;
        *weir_vector_push(&waiting) = page;
        if (!get_32(frame + 4)) continue;
        for (size_t i = 0; i < waiting.count; i++)
            p->frames[waiting.items[i] - 1] = begun + i * (FRAME_HEADER + p->size) + FRAME_HEADER;
        if (get_32(frame + 4) <= limit) p->count = get_32(frame + 4);
        begun = at + FRAME_HEADER + p->size;
        waiting.count = 0;
    }
    weir_vector_deinit(&waiting);
}

static bool read_page(const pages *p, uint32_t page, unsigned char *out) {
    if (!page || page > p->count) return false;
    uint64_t frame = p->frames[page - 1];
    if (frame) return pread(p->log, out, p->size, (off_t)frame) == (ssize_t)p->size;
    return pread(p->file, out, p->size, (off_t)(page - 1) * (off_t)p->size) == (ssize_t)p->size;
}

/* --- free pages ------------------------------------------------------------------------------- */

/* What the header says, if there is one. */
static void leave_out_free(pages *p) {
    if (!read_page(p, 1, p->page) || memcmp(p->page, "SQLite format 3", 16) != 0) return;
    uint32_t trunk = get_32(p->page + 32);
    for (uint32_t steps = 0; trunk && steps < p->count && read_page(p, trunk, p->page); steps++) {
        p->left_out[trunk - 1] = true;
        uint32_t leaves = get_32(p->page + 4);
        for (uint32_t i = 0; i < leaves && 8 + 4 * i + 4 <= p->size; i++) {
            uint32_t leaf = get_32(p->page + 8 + 4 * i);
            if (leaf && leaf <= p->count) p->left_out[leaf - 1] = true;
        }
        trunk = get_32(p->page);
    }
}

/* --- cells ------------------------------------------------------------------------------------ */

/* A variable-length number; 0 when there is none within the bytes. */
static size_t get_number(const unsigned char *at, size_t length, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < length && i < 9; i++) {
        if (i == 8) {
            *out = value << 8 | at[i];
            return 9;
        }
        value = value << 7 | (at[i] & 0x7f);
        if (at[i] & 0x80) continue;
        *out = value;
        return i + 1;
    }
    return 0;
}

/* All of a cell's payload, over the pages that it goes on. */
static bool collect(pages *p, const unsigned char *at, size_t room, uint64_t length) {
    uint64_t most = (uint64_t)(p->size - 12) * 64 / 255 - 23,
             least = (uint64_t)(p->size - 12) * 32 / 255 - 23, here = length;
    if (!length || length > PAYLOAD_MAX) return false;
    if (length > most) {
        here = least + (length - least) % (p->size - 4);
        if (here > most) here = least;
    }
    weir_buffer_clear(&p->payload);
    if (here + (here < length ? 4 : 0) > room) return false;
    weir_buffer_append(&p->payload, at, (size_t)here);
    uint32_t next = here < length ? get_32(at + here) : 0;
    while (p->payload.length < length) {
        if (!read_page(p, next, p->other)) return false;
        size_t left = (size_t)(length - p->payload.length);
        weir_buffer_append(&p->payload, p->other + 4, left < p->size - 4 ? left : p->size - 4);
        next = get_32(p->other);
    }
    return true;
}

typedef struct field {
    int64_t value;
    weir_str bytes;
    bool number, text;
} field;

/* The bytes of a value of this serial type; false: it is none that the journal has. */
static bool field_of(uint64_t type, const char *at, uint64_t left, field *out, uint64_t *used) {
    static const uint8_t widths[] = {0, 1, 2, 3, 4, 6, 8};
    *out = (field){0};
    if (type >= 12) {
        *used = (type - 12) / 2;
        out->text = type & 1;
        out->bytes = (weir_str){at, (size_t)*used};
        return *used <= left;
    }
    out->number = true;
    *used = type >= 1 && type <= 6 ? widths[type] : 0;
    if (!type || type == 7 || type > 9 || *used > left) return false;
    uint64_t value = type > 7 ? type - 8 : 0;
    if (*used && (unsigned char)at[0] & 0x80) value = UINT64_MAX;
    for (uint64_t i = 0; i < *used; i++) value = value << 8 | (unsigned char)at[i];
    out->value = (int64_t)value;
    return true;
}

static bool parse(weir_str payload, field *fields) {
    uint64_t header, type, used;
    const unsigned char *data = (const unsigned char *)payload.data;
    size_t at = get_number(data, payload.length, &header);
    if (!at || header > payload.length) return false;
    uint64_t body = header;
    for (int i = 0; i < COLUMNS; i++) {
        size_t width = get_number(data + at, (size_t)header - at, &type);
        if (!width ||
            !field_of(type, payload.data + body, payload.length - body, &fields[i], &used))
            return false;
        at += width;
        body += used;
    }
    return at == header && body == payload.length;
}

static bool is_batch(weir_str payload, weir__page_batch *out) {
    field f[COLUMNS];
    if (!parse(payload, f) || !f[0].text || !f[1].number || !f[2].number || !f[3].number ||
        f[4].number || f[4].text || f[1].value <= 0)
        return false;
    *out = (weir__page_batch){.run = f[0].bytes,
                              .sequence = (uint64_t)f[1].value,
                              .version = f[2].value,
                              .checksum = f[3].value,
                              .bytes = f[4].bytes};
    weir_error ignored;
    return weir__batch_check(out->run, NULL, out->sequence, out->version, out->checksum, out->bytes,
                             &ignored);
}

static bool visit_page(pages *p, uint32_t number,
                       bool (*visit)(void *arg, const weir__page_batch *batch), void *arg) {
    if (p->left_out[number - 1] || !read_page(p, number, p->page)) return true;
    const unsigned char *head = p->page + (number == 1 ? HEADER : 0);
    bool leaf = head[0] == LEAF;
    if (!leaf && head[0] != INNER) return true;
    uint32_t cells = get_16(head + 3), list = leaf ? 8 : 12;
    for (uint32_t i = 0; i < cells && i < CELLS_MAX; i++) {
        uint64_t length;
        weir__page_batch batch;
        if ((size_t)(head - p->page) + list + 2 * i + 2 > p->size) break;
        uint32_t at = get_16(head + list + 2 * i) + (leaf ? 0 : 4);
        if (at >= p->size) continue;
        size_t width = get_number(p->page + at, p->size - at, &length);
        if (!width || !collect(p, p->page + at + width, p->size - at - width, length)) continue;
        if (is_batch(weir_buffer_str(&p->payload), &batch) && !visit(arg, &batch)) return false;
    }
    return true;
}

/* --- the file --------------------------------------------------------------------------------- */

static uint32_t page_size_of(const unsigned char *head) {
    uint32_t size = get_16(head + 16);
    if (size == 1) size = PAGE_MAX;
    bool known =
        memcmp(head, "SQLite format 3", 16) == 0 && size >= PAGE_MIN && (size & (size - 1)) == 0;
    return known ? size : PAGE_USUAL;
}

static bool open_pages(pages *p, const char *file, weir_error *error) {
    unsigned char head[HEADER] = {0};
    struct stat info, log_info = {0};
    weir_buffer log = {0};
    p->file = open(file, O_RDONLY | O_CLOEXEC);
    weir_buffer_printf(&log, "%s-wal", file);
    p->log = open(log.data, O_RDONLY | O_CLOEXEC);
    weir_buffer_deinit(&log);
    if (p->file < 0 || fstat(p->file, &info) < 0 || pread(p->file, head, sizeof head, 0) < 0)
        return weir_fail(error, WEIR_STORE, "`%s` cannot be read: %s", file, strerror(errno));
    if (p->log >= 0 && fstat(p->log, &log_info) < 0) log_info.st_size = 0;
    p->size = page_size_of(head);
    uint64_t limit = ((uint64_t)info.st_size + (uint64_t)log_info.st_size) / p->size + 1;
    if (limit > UINT32_MAX - 1) limit = UINT32_MAX - 1;
    p->count = (uint32_t)((uint64_t)info.st_size / p->size);
    p->frames = weir_alloc(limit * sizeof *p->frames);
    p->left_out = weir_alloc(limit * sizeof *p->left_out);
    p->page = weir_alloc(p->size);
    p->other = weir_alloc(p->size);
    read_log(p, (uint32_t)limit);
    leave_out_free(p);
    return true;
}

bool weir__pages_visit(const char *file, bool (*visit)(void *arg, const weir__page_batch *batch),
                       void *arg, weir_error *error) {
    pages p = {.file = -1, .log = -1};
    bool ok = open_pages(&p, file, error);
    for (uint32_t i = 1; ok && i <= p.count; i++)
        if (!visit_page(&p, i, visit, arg)) break;
    if (p.file >= 0) close(p.file);
    if (p.log >= 0) close(p.log);
    weir_free(p.frames);
    weir_free(p.left_out);
    weir_free(p.page);
    weir_free(p.other);
    weir_buffer_deinit(&p.payload);
    return ok;
}
