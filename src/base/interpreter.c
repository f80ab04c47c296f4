#include "base/interpreter.h"

#include <stdlib.h>
#include <unistd.h>

/* A command as a shell would find it. */
static bool find_in_path(const char *name, weir_buffer *path) {
    const char *at = getenv("PATH");
    weir_buffer_clear(path);
    weir_buffer_text(path, name);
    if (strchr(name, '/')) return access(name, X_OK) == 0;
    for (; at && *at; at += strcspn(at, ":"), at += *at == ':') {
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%.*s/%s", (int)strcspn(at, ":"), at, name);
        if (*path->data == '/' && access(path->data, X_OK) == 0) return true;
    }
    weir_buffer_clear(path);
    weir_buffer_text(path, name);
    return false;
}

bool weir_interpreter_find(const char *named, weir_buffer *path, weir_error *error) {
    const char *said = "--python", *active = getenv("VIRTUAL_ENV");
    if (!named || !*named) {
        said = "WEIR_PYTHON";
        named = getenv("WEIR_PYTHON");
    }
    if (named && *named) {
        if (find_in_path(named, path)) return true;
        weir_fail(error, WEIR_NOT_FOUND, "there is no interpreter `%.200s`", named);
        weir_error_hint(error, "%s is to be a Python interpreter", said);
        return false;
    }
    if (active && *active) {
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%s/bin/python3", active);
        if (access(path->data, X_OK) == 0) return true;
    }
    if (find_in_path("python3", path)) return true;
    weir_fail(error, WEIR_NOT_FOUND, "there is no `python3`");
    weir_error_hint(error, "install it, activate a virtual environment, or name one by --python");
    return false;
}

void weir_interpreter_environments(weir_buffer *out) {
    const char *given = getenv("WEIR_PYTHON_ENVIRONMENTS"), *cache = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (given && *given) {
        char *here = *given == '/' ? NULL : getcwd(NULL, 0);
        weir_buffer_printf(out, "%s%s%s", here ? here : "", here ? "/" : "", given);
        free(here); /* the C library's */
    } else if (cache && *cache == '/') {
        weir_buffer_printf(out, "%s/weir/python", cache);
    } else if (home && *home == '/') {
        weir_buffer_printf(out, "%s/.cache/weir/python", home);
    } else {
        weir_buffer_printf(out, "/var/tmp/weir-python-%u", (unsigned)geteuid());
    }
}
