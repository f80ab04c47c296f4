#include "data/document.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/json.h"

static bool fail_file(const char *file, weir_code code, const char *problem, weir_error *error) {
    weir_fail(error, code, "%s", problem);
    weir_error_place(error, weir_str_from(file), 0, 0);
    return false;
}

enum { READ_BYTES = 64 * 1024, LAST_BYTES_MAX = 1024 * 1024 };

/* Reads to the end, which should be after `size` bytes; 0, or the error number. EFBIG: there is more than `max`. */
static int read_all(int fd, size_t size, size_t max, weir_buffer *out) {
    size_t before = out->length;
    weir_buffer_reserve(out, size < READ_BYTES ? size + 1 : READ_BYTES);
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
    size_t before = out->length;
    int problem = regular ? read_all(fd, (size_t)status.st_size, max, out) : 0;
    close(fd);
    if (regular && !problem) return true;
    out->length = before;
    if (out->data) out->data[before] = '\0';
    if (!regular) return fail_file(file, WEIR_INVALID, "this is no regular file", error);
    if (problem != EFBIG) return fail_file(file, WEIR_IO, strerror(problem), error);
    fail_file(file, WEIR_LIMIT, "the file is too large", error);
    weir_error_hint(error, "%zu bytes are allowed", max);
    return false;
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

/* Fills the roots from the text. */
static bool parse(weir_document *document, weir_yaml_booleans booleans, weir_error *error) {
    weir_str text = weir_buffer_str(&document->text), file = weir_str_from(document->file);
    weir_str begin = weir_str_trim(text);
    bool json = weir_str_ends(file, WEIR_STR(".json"));
    if (json || weir_str_starts(begin, WEIR_STR("{")) || weir_str_starts(begin, WEIR_STR("["))) {
        weir_value *root;
        if (weir_json_parse(text, file, &root, error)) {
            *weir_vector_push(&document->roots) = root;
            return true;
        }
        if (json) return false;
    }
    if (!weir_yaml_parse(text, file, booleans, &document->roots, error)) return false;
    if (document->roots.count) return true;
    return fail_file(document->file, WEIR_INVALID, "there is nothing in the file", error);
}

/* Takes the text over. */
static bool parse_taken(weir_document *document, const char *file, weir_buffer *text,
                        weir_yaml_booleans booleans, weir_error *error) {
    weir_document parsed = {.file = weir_str_dup(weir_str_from(file)), .text = *text};
    bool ok = parse(&parsed, booleans, error);
    if (ok)
        *document = parsed;
    else
        weir_document_deinit(&parsed);
    return ok;
}

bool weir_document_load(weir_document *document, const char *file, weir_yaml_booleans booleans,
                        weir_error *error) {
    weir_buffer text = {0};
    if (weir_file_read(file, WEIR_FILE_BYTES_MAX, &text, error))
        return parse_taken(document, file, &text, booleans, error);
    weir_buffer_deinit(&text);
    return false;
}

static bool is_same(const weir_document *a, const char *file, const weir_buffer *text) {
    return a->file && strcmp(a->file, file) == 0 &&
           weir_str_equal(weir_buffer_str(&a->text), weir_buffer_str(text));
}

/* Values are shared, as nobody changes what another may hold. */
static void copy(const weir_document *from, weir_document *to) {
    *to = (weir_document){.file = weir_str_dup(weir_str_from(from->file))};
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
        copy(last, document);
        return true;
    }
    if (!parse_taken(document, file, &text, booleans, error)) return false;
    weir_document_deinit(last);
    if (document->text.length <= LAST_BYTES_MAX) copy(document, last);
    return true;
}

bool weir_document_parse(weir_document *document, const char *file, weir_str text,
                         weir_yaml_booleans booleans, weir_error *error) {
    weir_buffer copy = {0};
    weir_buffer_str_append(&copy, text);
    return parse_taken(document, file, &copy, booleans, error);
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
    *document = (weir_document){0};
}

void weir_document_problem(const weir_document *document, size_t index, const char *path,
                           weir_code code, weir_problems *problems, const char *format, ...) {
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    weir_error error;
    weir_fail(&error, code, "%s", message);
    if (problems->count >= WEIR_PROBLEMS_MAX) { /* only counted: no need to look for its place */
        weir_problems_add(problems, &error);
        return;
    }
    uint32_t line = 0, column = 0;
    weir_buffer inner = {0};
    if (index == 0)
        document = weir_document_part_of(document, path, &inner);
    else
        weir_buffer_text(&inner, path);
    weir_yaml_locate(weir_buffer_str(&document->text), index, weir_buffer_str(&inner), &line,
                     &column);
    weir_error_place(&error, weir_str_from(document->file), line, column);
    weir_problems_add(problems, &error);
    weir_buffer_deinit(&inner);
}
