#include "io/library.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The folder of this program, without a '/' at its end; "" when it cannot be told. */
static void program_folder(char folder[static PATH_MAX]) {
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    folder[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash) *slash = '\0';
}

/* The folder of the shared object that this code is in, when it is in one: Python's extension; else "". */
static void object_folder(char folder[static PATH_MAX]) {
    Dl_info found;
    folder[0] = '\0';
    if (!dladdr((void *)(uintptr_t)object_folder, &found) || !found.dli_fname) return;
    const char *slash = strrchr(found.dli_fname, '/');
    if (!slash || !strstr(slash, ".so")) return;
    snprintf(folder, PATH_MAX, "%.*s", (int)(slash - found.dli_fname), found.dli_fname);
}

/* What `pip install` put beside a program in PREFIX/bin: below PREFIX/lib in a folder with Python's version. */
static bool find_in_package(const char *program, const char *file, int mode, weir_buffer *path) {
    static const char *const folders[] = {"lib*/python3*/*-packages",
                                          "local/lib*/python3*/*-packages", "."};
    bool there = false;
    for (size_t i = 0; !there && i < sizeof folders / sizeof *folders; i++) {
        glob_t found = {0};
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%s/../%s/weir/lib/%s", program, folders[i], file);
        there = glob(path->data, 0, NULL, &found) == 0 && access(found.gl_pathv[0], mode) == 0;
        if (there) {
            weir_buffer_clear(path);
            weir_buffer_printf(path, "%s", found.gl_pathv[0]);
        }
        globfree(&found);
    }
    return there;
}

/* A file that is a part of weir. */
static bool find(const char *file, int mode, weir_buffer *path) {
    char program[PATH_MAX], object[PATH_MAX];
    program_folder(program);
    object_folder(object);
    const char *given = getenv("WEIR_MODULES");
    /* Beside the program as it was built, as it was installed; beside Python's extension in a wheel, built and installed. */
    const struct {
        const char *folder, *below;
    } places[] = {{given, ""},
                  {object, "/lib"},
                  {object, "/../../../operations"},
                  {object, "/../../.."},
                  {object, "/../.."},
                  {program, "/operations"},
                  {program, "/sdk"},
                  {program, "/../sdk"},
                  {program, "/../operations"},
                  {program, ""},
                  {program, "/.."},
                  {program, "/../lib/weir"},
                  {WEIR_MODULE_FOLDER, ""}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!places[i].folder || !*places[i].folder) continue;
        weir_buffer_clear(path);
        weir_buffer_printf(path, "%s%s/%s", places[i].folder, places[i].below, file);
        if (access(path->data, mode) == 0) return true;
    }
    return find_in_package(program, file, mode, path);
}

bool weir_library_find(const char *name, weir_buffer *path) {
    char file[NAME_MAX];
    snprintf(file, sizeof file, "weir-%s.so", name);
    return find(file, R_OK, path);
}

bool weir_library_program(const char *name, weir_buffer *path) {
    return find(name, X_OK, path);
}

bool weir_library_python(weir_buffer *folder) {
    static const char beneath[] = "/weir/worker.py";
    if (!find("python/weir/worker.py", R_OK, folder)) return false;
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
