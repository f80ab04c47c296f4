#include "data/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/json.h"
#include "data/yaml_places.h"
#include "data/yaml_plain.h"

static bool fail_file(const char *file, weir_code code, const char *problem, weir_error *error) {
    weir_fail(error, code, "%s", problem);
    weir_error_place(error, weir_str_from(file), 0, 0);
    return false;
}

enum { READ_BYTES = 64 * 1024, LAST_BYTES_MAX = 1024 * 1024 };

/* Reads to the end, which should be after `size` bytes; 0, or the error number. EFBIG: there is more than `max`. */
static int read_all(int fd, size_t size, size_t max, weir_buffer *out) {
    size_t before = out->length;
    weir_buffer_reserve(out, size <= max ? size + 2 : READ_BYTES);
    for (;;) {
        if (out->length + 1 >= out->capacity) weir_buffer_reserve(out, READ_BYTES);
        ssize_t n = read(fd, out->data + out->length, out->capacity - out->length - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return n < 0 ? errno : 0;
        out->length += (size_t)n;
        out->data[out->length] = '\0';
        if (out->length - before > max) return EFBIG;
    }
}

static bool read_to_end(int fd, size_t size, const char *file, size_t max, weir_buffer *out,
                        weir_error *error) {
    size_t before = out->length;
    int problem = read_all(fd, size, max, out);
    if (!problem) return true;
    out->length = before;
    if (out->data) out->data[before] = '\0';
    if (problem != EFBIG) return fail_file(file, WEIR_IO, strerror(problem), error);
    fail_file(file, WEIR_LIMIT, "the file is too large", error);
    weir_error_hint(error, "%zu bytes are allowed", max);
    return false;
}

/* Takes the descriptor; below 0: errno says why it is none. */
static bool read_descriptor(int fd, const char *file, size_t max, weir_buffer *out,
                            weir_error *error) {
    if (fd < 0) {
        bool absent = errno == ENOENT || errno == ENOTDIR;
        if (errno == ENAMETOOLONG)
            return fail_file(file, WEIR_NOT_FOUND, "a file's name is not as long as this", error);
        if (errno == ELOOP) return fail_file(file, WEIR_INVALID, "this is a symbolic link", error);
        return fail_file(file, absent ? WEIR_NOT_FOUND : WEIR_IO,
                         absent ? "there is no such file" : strerror(errno), error);
    }
    struct stat status;
    bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    bool ok = regular ? read_to_end(fd, (size_t)status.st_size, file, max, out, error)
                      : fail_file(file, WEIR_INVALID, "this is no regular file", error);
    close(fd);
    return ok;
}

bool weir_file_read_input(int fd, const char *file, size_t max, weir_buffer *out,
                          weir_error *error) {
    return read_to_end(fd, 0, file, max, out, error);
}

/* Not blocking, or a named pipe would be waited for. */
enum { READING = O_RDONLY | O_CLOEXEC | O_NONBLOCK };

bool weir_file_read(const char *file, size_t max, weir_buffer *out, weir_error *error) {
    return read_descriptor(open(file, READING), file, max, out, error);
}

bool weir_file_read_at(int folder, const char *name, const char *file, size_t max, weir_buffer *out,
                       weir_error *error) {
    return read_descriptor(openat(folder, name, READING | O_NOFOLLOW), file, max, out, error);
}

enum { PLAIN_BYTES_MIN = 4096 }; /* below that libyaml is quick enough */

/* Fills the roots from the text. */
static bool parse(weir_document *document, weir_yaml_booleans booleans, weir_problems *repeated,
                  weir_error *error) {
    weir_str text = weir_buffer_str(&document->text), file = weir_str_from(document->file);
    weir_str begin = weir_str_trim(text);
    if (booleans == WEIR_YAML_GUESSED)
        booleans = weir_str_find(text, WEIR_STR("argoproj.io/"), 0) != SIZE_MAX ? WEIR_YAML_1_1
                                                                                : WEIR_YAML_CORE;
    document->booleans = booleans;
    bool json = weir_str_ends(file, WEIR_STR(".json"));
    if (json || weir_str_starts(begin, WEIR_STR("{")) || weir_str_starts(begin, WEIR_STR("["))) {
        /* What could be YAML says what is wrong with it by that, all of it. */
        weir_json_file read = {file, WEIR_FILE_NODES_MAX, json ? repeated : NULL};
        weir_value *root;
        if (weir_json_parse_file(text, &read, &root, error)) {
            *weir_vector_push(&document->roots) = root;
            document->json = true;
            return true;
        }
        if (json) return false;
    }
    weir_value *plain = text.length >= PLAIN_BYTES_MIN ? weir__yaml_plain(text, booleans) : NULL;
    if (plain) {
        *weir_vector_push(&document->roots) = plain;
        document->plain = true;
        return true;
    }
    if (!weir_yaml_parse_on(text, file, booleans, &document->roots, repeated, error)) return false;
    if (document->roots.count) return true;
    return fail_file(document->file, WEIR_INVALID, "there is nothing in the file", error);
}

/* Takes the text over. */
static bool parse_taken(weir_document *document, const char *file, weir_buffer *text,
                        weir_yaml_booleans booleans, weir_problems *repeated, weir_error *error) {
    weir_document parsed = {.file = weir_str_dup(weir_str_from(file)), .text = *text};
    bool ok = parse(&parsed, booleans, repeated, error);
    if (ok)
        *document = parsed;
    else
        weir_document_deinit(&parsed);
    return ok;
}

bool weir_document_load_on(weir_document *document, const char *file, weir_yaml_booleans booleans,
                           weir_problems *repeated, weir_error *error) {
    weir_buffer text = {0};
    if (weir_file_read(file, WEIR_FILE_BYTES_MAX, &text, error))
        return parse_taken(document, file, &text, booleans, repeated, error);
    weir_buffer_deinit(&text);
    return false;
}

bool weir_document_load(weir_document *document, const char *file, weir_yaml_booleans booleans,
                        weir_error *error) {
    return weir_document_load_on(document, file, booleans, NULL, error);
}

static bool is_same(const weir_document *a, const char *file, const weir_buffer *text) {
    return a->file && strcmp(a->file, file) == 0 &&
           weir_str_equal(weir_buffer_str(&a->text), weir_buffer_str(text));
}

void weir_document_copy(const weir_document *from, weir_document *to) {
    *to = (weir_document){.file = weir_str_dup(weir_str_from(from->file)),
                          .booleans = from->booleans,
                          .json = from->json,
                          .plain = from->plain};
    weir_buffer_str_append(&to->text, weir_buffer_str(&from->text));
    for (size_t i = 0; i < from->roots.count; i++)
        *weir_vector_push(&to->roots) = weir_value_ref(from->roots.items[i]);
}

bool weir_document_load_again(weir_document *document, const char *file,
                              weir_yaml_booleans booleans, weir_document *last, weir_error *error) {
    weir_buffer text = {0};
    if (!weir_file_read(file, WEIR_FILE_BYTES_MAX, &text, error)) {
        weir_buffer_deinit(&text);
        return false;
    }
    if (is_same(last, file, &text)) {
        weir_buffer_deinit(&text);
        weir_document_copy(last, document);
        return true;
    }
    if (!parse_taken(document, file, &text, booleans, NULL, error)) return false;
    weir_document_deinit(last);
    if (document->text.length <= LAST_BYTES_MAX) weir_document_copy(document, last);
    return true;
}

bool weir_document_parse_on(weir_document *document, const char *file, weir_str text,
                            weir_yaml_booleans booleans, weir_problems *repeated,
                            weir_error *error) {
    weir_buffer copy = {0};
    weir_buffer_str_append(&copy, text);
    return parse_taken(document, file, &copy, booleans, repeated, error);
}

bool weir_document_parse(weir_document *document, const char *file, weir_str text,
                         weir_yaml_booleans booleans, weir_error *error) {
    return weir_document_parse_on(document, file, text, booleans, NULL, error);
}

void weir_document_deinit(weir_document *document) {
    weir_free(document->file);
    weir_buffer_deinit(&document->text);
    weir_values_deinit(&document->roots);
    for (size_t i = 0; i < document->parts.count; i++) {
        weir_document_part *part = document->parts.items[i];
        weir_free(part->at);
        weir_document_deinit(&part->document);
        weir_free(part);
    }
    weir_vector_deinit(&document->parts);
    for (size_t i = 0; i < document->moves.count; i++) {
        weir_free(document->moves.items[i].at);
        weir_free(document->moves.items[i].path);
    }
    weir_vector_deinit(&document->moves);
    weir_yaml_places_free(document->places);
    *document = (weir_document){0};
}

void weir_document_add_move(weir_document *document, const char *at, const weir_document *from,
                            size_t root, const char *path) {
    *weir_vector_push(&document->moves) = (weir_document_move){
        weir_str_dup(weir_str_from(at)), from, root, weir_str_dup(weir_str_from(path))};
}

enum { PLACES_FEW = 3, PLACES_BYTES_MIN = 64 * 1024 };

/* Reading a large text for each of many problems would take longer than all the rest. What was found is kept in the
 * document, which is constant for everybody else. */
static void locate(const weir_document *document, size_t root, weir_str path, uint32_t *line,
                   uint32_t *column) {
    weir_document *kept = (weir_document *)(uintptr_t)document;
    weir_str text = weir_buffer_str(&document->text);
    if (document->json) {
        weir_json_locate(text, path, line, column);
        return;
    }
    if (++kept->places_asked > PLACES_FEW && text.length >= PLACES_BYTES_MIN && !kept->places)
        kept->places = weir_yaml_places_new(text);
    if (kept->places && weir_yaml_places_find(kept->places, root, path, line, column)) return;
    if (!document->plain || !weir__yaml_plain_locate(text, path, line, column))
        (void)weir_yaml_locate(text, root, path, line, column);
}

static bool is_below(weir_str path, weir_str at) {
    return weir_str_starts(path, at) &&
           (!at.length || path.length == at.length || path.data[at.length] == '/');
}

/* The document of the part that the node came from; without a move that has to do with it, the first part. */
static const weir_document *moved_from(const weir_document *document, const char *path,
                                       size_t *root, weir_buffer *inner) {
    weir_str whole = weir_str_from(path);
    const weir_document_move *best = NULL;
    for (size_t i = 0; i < document->moves.count; i++) {
        const weir_document_move *move = &document->moves.items[i];
        if (is_below(whole, weir_str_from(move->at)) &&
            (!best || strlen(move->at) >= strlen(best->at)))
            best = move;
    }
    if (!best) {
        weir_buffer_text(inner, path);
        return &document->parts.items[0]->document;
    }
    size_t cut = strlen(best->at) + (*best->at && whole.length > strlen(best->at));
    weir_str rest = weir_str_slice(whole, cut, whole.length);
    weir_buffer_printf(inner, "%s%s", best->path, *best->path && rest.length ? "/" : "");
    weir_buffer_str_append(inner, rest);
    *root = best->root;
    return best->from;
}

void weir_document_problem(const weir_document *document, size_t index, const char *path,
                           weir_code code, weir_problems *problems, const char *format, ...) {
    weir_error error;
    va_list arguments;
    va_start(arguments, format);
    weir_fail_with(&error, code, format, arguments);
    va_end(arguments);
    size_t have = code == WEIR_OK ? problems->warnings.count : problems->count;
    if (have >= WEIR_PROBLEMS_MAX) { /* only counted: no need to look for its place */
        weir_problems_add(problems, &error);
        return;
    }
    uint32_t line = 0, column = 0;
    weir_buffer inner = {0};
    if (document->moves.count)
        document = moved_from(document, path, &index, &inner);
    else if (index == 0)
        document = weir_document_part_of(document, path, &inner);
    else
        weir_buffer_text(&inner, path);
    locate(document, index, weir_buffer_str(&inner), &line, &column);
    weir_error_place(&error, weir_str_from(document->file), line, column);
    weir_problems_add(problems, &error);
    weir_buffer_deinit(&inner);
}
