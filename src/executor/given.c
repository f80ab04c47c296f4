#include "executor/given.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t size_of(weir_str path, weir_str folder) {
    char whole[PATH_MAX];
    struct stat file;
    if (!path.length || memchr(path.data, 0, path.length) || memchr(path.data, '\n', path.length))
        return 0;
    bool apart = path.data[0] == '/' || !folder.length;
    if (folder.length + path.length + 2 > sizeof whole) return 0;
    snprintf(whole, sizeof whole, "%.*s%s%.*s", apart ? 0 : (int)folder.length,
             folder.length ? folder.data : "", apart ? "" : "/", WEIR_ARG(path));
    return stat(whole, &file) == 0 && S_ISREG(file.st_mode) ? (uint64_t)file.st_size : 0;
}

static uint64_t add_up(const weir_value *value, weir_str folder, size_t *left) {
    bool array = weir_is(value, WEIR_ARRAY), object = weir_is(value, WEIR_OBJECT);
    uint64_t sum = 0;
    if (!*left) return 0;
    if (weir_is(value, WEIR_STRING)) {
        --*left;
        return size_of(weir_string_get(value), folder);
    }
    for (size_t i = 0; (array || object) && *left && i < weir_value_count(value); i++)
        sum += add_up(array ? weir_array_at(value, i) : weir_object_at(value, i), folder, left);
    return sum;
}

uint64_t weir_given_files(const weir_value *value, weir_str folder) {
    size_t left = WEIR_GIVEN_NAMES_MAX;
    return value ? add_up(value, folder, &left) : 0;
}
