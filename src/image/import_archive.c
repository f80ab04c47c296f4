/* The files of an archive, in the order that they have there: blobs are written into the store, small files wait until all is known. */
#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

#include "image/transfer.h"
#include "store/archive.h"

enum { PIECE_BYTES = 256 * 1024, LINKS_MAX = 16 };

typedef struct gathering {
    weir__import *import;
    const weir__archive_functions *library;
    weir__archive *archive;
    char *piece;
} gathering;

static const char *plain_name(const char *name) {
    while (name && (name[0] == '/' || (name[0] == '.' && name[1] == '/'))) name++;
    return name;
}

static size_t count_hex(const char *name) {
    return strspn(name, "0123456789abcdef");
}

/* Whether an archive that begins with it is one of images: a layout, or what docker and podman save. */
static bool is_of_image(const char *name) {
    static const char *const names[] = {"oci-layout", "index.json", "manifest.json", "repositories",
                                        "blobs"};
    size_t length = strcspn(name, "/");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == length && strncmp(name, names[i], length) == 0) return true;
    if (count_hex(name) != WEIR__IMAGE_HEX) return false;
    const char *end = name + WEIR__IMAGE_HEX;
    return !*end || *end == '/' || strcmp(end, ".json") == 0 || strcmp(end, ".tar") == 0;
}

static bool ends_with(const char *name, const char *end) {
    return weir_str_ends(weir_str_from(name), weir_str_from(end));
}

/* --- one file ------------------------------------------------------------------------------- */

static weir__import_file *add_file(gathering *g, const char *name) {
    weir__import *import = g->import;
    if (import->files.count >= WEIR__IMPORT_FILES_MAX) {
        weir_fail(import->error, WEIR_LIMIT, "`%.200s` has more than %d files", import->path,
                  WEIR__IMPORT_FILES_MAX);
        return NULL;
    }
    weir__import_file *file = weir_vector_push(&import->files);
    *file = (weir__import_file){.name = weir_str_dup(weir_str_from(name))};
    return file;
}

static bool read_piece(gathering *g, size_t *got) {
    uint64_t place = (uint64_t)lseek(g->import->fd, 0, SEEK_CUR);
    if (!weir__import_goes_on(g->import, place)) return false;
    if (g->library->get(g->archive, g->piece, PIECE_BYTES, got, g->import->error)) return true;
    weir_error_context(g->import->error, "`%.200s` is damaged", g->import->path);
    return false;
}

static bool keep_small(gathering *g, weir__import_file *file) {
    weir__import *import = g->import;
    for (size_t got = 1; got;) {
        if (!read_piece(g, &got)) return false;
        weir_buffer_append(&file->text, g->piece, got);
        import->small += got;
        if (file->text.length > WEIR__IMPORT_SMALL_MAX || import->small > WEIR__IMPORT_SMALLS_MAX)
            return weir_fail(import->error, WEIR_LIMIT, "`%.200s`: %.200s in it is too large",
                             import->path, file->name);
    }
    file->size = file->text.length;
    return true;
}

static bool copy_blob(gathering *g, weir__image_part *part, char digest[static 72]) {
    for (size_t got = 1; got;)
        if (!read_piece(g, &got) ||
            !weir__image_part_write(part, g->piece, got, g->import->error)) {
            weir__image_part_leave(part);
            return false;
        }
    return weir__image_part_keep(part, digest, g->import->error);
}

/* Of a file that is called by its digest. What is here already is not written again. */
static bool keep_named(gathering *g, const char *hex, uint64_t size) {
    char digest[WEIR__IMAGE_DIGEST_BYTES] = "sha256:";
    uint64_t offset;
    weir__image_part *part;
    weir__import *import = g->import;
    memcpy(digest + 7, hex, WEIR__IMAGE_HEX + 1);
    if (weir__image_has_blob(import->store, digest)) return true;
    if (!weir__image_part_open(import->store, digest, size, import->watch, &part, &offset,
                               import->error))
        return false;
    if (!part) return true;
    if (offset && !weir__image_part_restart(part, import->error)) {
        weir__image_part_leave(part);
        return false;
    }
    if (copy_blob(g, part, digest)) return true;
    weir_error_context(import->error, "`%.200s`", import->path);
    return false;
}

static bool keep_layer(gathering *g, const char *name, uint64_t size) {
    weir__image_part *part;
    char digest[WEIR__IMAGE_DIGEST_BYTES];
    if (!weir__image_part_new(g->import->store, size, &part, g->import->error) ||
        !copy_blob(g, part, digest))
        return false;
    weir__import_file *file = add_file(g, name);
    if (!file) return false;
    memcpy(file->digest, digest, sizeof file->digest);
    file->size = size;
    return true;
}

static bool keep_link(gathering *g, const char *name, const char *to, bool hard) {
    weir_buffer path = {0};
    weir__import_file *file = add_file(g, name);
    if (!file) return false;
    const char *slash = hard ? NULL : strrchr(name, '/');
    if (slash) weir_buffer_append(&path, name, (size_t)(slash - name) + 1);
    weir_buffer_text(&path, to);
    file->link = path.data;
    return true;
}

static bool gather_item(gathering *g, const weir__archive_item *item, const char *name) {
    if (item->kind == WEIR__ARCHIVE_LINK || item->kind == WEIR__ARCHIVE_HARD_LINK)
        return !item->link || keep_link(g, name, item->link, item->kind == WEIR__ARCHIVE_HARD_LINK);
    if (item->kind != WEIR__ARCHIVE_FILE) return true;
    const char *hex = strncmp(name, "blobs/sha256/", 13) == 0 ? name + 13 : NULL;
    if (hex && strlen(hex) == WEIR__IMAGE_HEX && count_hex(hex) == WEIR__IMAGE_HEX)
        return keep_named(g, hex, item->size);
    if (ends_with(name, ".tar")) return keep_layer(g, name, item->size);
    if (!ends_with(name, ".json")) return true;
    weir__import_file *file = add_file(g, name);
    return file && keep_small(g, file);
}

/* --- all of them ---------------------------------------------------------------------------- */

static bool is_none(const weir__import *import) {
    weir_error_context(import->error, "`%.200s` is no archive, or damaged", import->path);
    return false;
}

/* The first entry that tells, as no root file system has such names, says what it is. */
static bool gather_all(gathering *g, bool *is_root) {
    weir__archive_item item;
    bool known = false;
    for (bool more = true;;) {
        if (!g->library->look(g->archive, &item, &more, g->import->error)) break;
        if (!more) {
            *is_root = false;
            return known || weir__import_refuse(g->import, "there is nothing in it");
        }
        const char *name = plain_name(item.name);
        if (!name || !*name || strcmp(name, ".") == 0) continue;
        if (!known && !is_of_image(name)) {
            *is_root = true;
            return true;
        }
        known = true;
        if (strlen(name) < WEIR__IMPORT_NAME_MAX && !gather_item(g, &item, name)) return false;
    }
    return is_none(g->import);
}

bool weir__import_gather(weir__import *import, bool *is_root) {
    gathering g = {.import = import};
    if (!weir__archive_open(&g.library, import->error)) return false;
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = (locale_t)0;
    if (utf8) before = uselocale(utf8);
    g.piece = weir_alloc(PIECE_BYTES);
    bool ok = g.library->unpack(import->fd, WEIR__ARCHIVE_TAR, &g.archive, import->error)
                  ? gather_all(&g, is_root)
                  : is_none(import);
    if (g.archive) g.library->close(g.archive);
    weir_free(g.piece);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return ok;
}

/* --- looking for one ------------------------------------------------------------------------ */

/* "a/../b" is "b". */
static void normalize(const char *name, weir_buffer *out) {
    weir_buffer_clear(out);
    weir_buffer_text(out, "");
    for (const char *part = name; *part; part += strspn(part, "/")) {
        size_t size = strcspn(part, "/");
        if (size == 2 && memcmp(part, "..", 2) == 0) {
            while (out->length && out->data[out->length - 1] != '/') out->length--;
            if (out->length) out->length--;
            out->data[out->length] = '\0';
        } else if (size && !(size == 1 && *part == '.')) {
            if (out->length) weir_buffer_byte(out, '/');
            weir_buffer_append(out, part, size);
        }
        part += size;
    }
}

const weir__import_file *weir__import_find(const weir__import *import, const char *name) {
    weir_buffer path = {0};
    const weir__import_file *found = NULL;
    normalize(name, &path);
    for (int links = 0; links < LINKS_MAX; links++) {
        found = NULL;
        for (size_t i = 0; i < import->files.count; i++)
            if (strcmp(import->files.items[i].name, path.data) == 0)
                found = &import->files.items[i];
        if (!found || !found->link) break;
        normalize(found->link, &path);
        found = NULL;
    }
    weir_buffer_deinit(&path);
    return found;
}
