#include "io/library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* The folder of this program, without a '/' at its end; "" when it cannot be told. */
static void program_folder(char folder[static PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
}

/* A file that is a part of weir: its name is `before`, `name`, `after`. */
static bool find(const char *before, const char *name, const char *after, int mode,
                 weir_buffer *path) {
    char program[PATH_MAX];
    program_folder(program);
    const char *given = getenv("WEIR_MODULES");
    const struct {
        const char *folder, *below;
    } places[] = {
        {given, ""},      {program, "/operations"},  {program, "/../operations"}, {program, ""},
        {program, "/.."}, {program, "/../lib/weir"}, {WEIR_MODULE_FOLDER, ""},
        {program, "/../../sdk"}, {program, "/../../../sdk"}}; /* of a build folder in the sources */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i].folder || !*places[i].folder) continue;
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%s%s/%s%s%s", places[i].folder, places[i].below, before, name,
                           after);
        if (access(path->data, mode) == 0) return true;
    }
    return false;
}

bool weir_library_find(const char *name, weir_buffer *path) {
    return find("weir-", name, ".so", R_OK, path);
}

bool weir_library_program(const char *name, weir_buffer *path) {
    return find("", name, "", X_OK, path);
}

bool weir_library_python(weir_buffer *folder) {
    static const char beneath[] = "/weir/worker.py";
    if (!find("", "python", beneath, R_OK, folder)) return false;
    folder->length -= sizeof beneath - 1;
    folder->data[folder->length] = '\0';
    return true;
}

bool weir_library_symbol(const char *name, const char *symbol, void **out, weir_error *error) {
    weir_buffer path = {0};
    void *object = NULL, *found = NULL;
    if (!weir_library_find(name, &path)) {
        weir_fail(error, WEIR_PLUGIN, "the module weir-%s.so is not installed", name);
        weir_error_hint(error, "WEIR_MODULES names the folder that it is in");
    } else if (!(object = dlopen(path.data, RTLD_NOW | RTLD_LOCAL))) {
        weir_fail(error, WEIR_PLUGIN, "the module weir-%s.so does not load: %s", name, dlerror());
    } else if (!(found = dlsym(object, symbol))) {
        weir_fail(error, WEIR_PLUGIN, "%s is no module of this weir", path.data);
    }
    weir_buffer_deinit(&path);
    if (found) *out = found;
    return found != NULL;
}
