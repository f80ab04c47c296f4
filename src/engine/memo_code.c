#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>

#include "engine/memo_internal.h"
#include "executor/python.h"
#include "io/library.h"

enum { MODULE_BYTES_MAX = 256 * 1024 * 1024 };

/* --- the build of what is linked in ----------------------------------------------------------- */

typedef struct finding {
    uintptr_t address;
    weir_buffer *out;
    bool found;
} finding;

static bool has_address(const struct dl_phdr_info *object, uintptr_t address) {
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        uintptr_t begin = object->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && address >= begin && address - begin < part->p_memsz)
            return true;
    }
    return false;
}

/* The note NT_GNU_BUILD_ID: what the linker made of all that it put together (ld's --build-id). */
static void take_build(const char *notes, size_t length, finding *f) {
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= length;) {
        ElfW(Nhdr) head;
        memcpy(&head, notes + at, sizeof head);
        size_t name = at + sizeof head, content = name + ((head.n_namesz + 3u) & ~(size_t)3);
        at = content + ((head.n_descsz + 3u) & ~(size_t)3);
        if (at > length || head.n_type != NT_GNU_BUILD_ID || head.n_namesz != 4 ||
            memcmp(notes + name, "GNU", 4) != 0)
            continue;
        for (size_t i = 0; i < head.n_descsz; i++)
            weir_buffer_printf(f->out, "%02x", (unsigned char)notes[content + i]);
        f->found = head.n_descsz > 0;
        return;
    }
}

static int look_at_object(struct dl_phdr_info *object, size_t size, void *arg) {
    finding *f = arg;
    (void)size;
    if (!has_address(object, f->address)) return 0;
    for (int i = 0; i < object->dlpi_phnum && !f->found; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        /* The loader gives addresses as numbers. */
        const char *notes = (const char *)(uintptr_t)(object->dlpi_addr + part->p_vaddr);
        if (part->p_type == PT_NOTE) take_build(notes, part->p_memsz, f);
    }
    return 1;
}

static bool name_build(const weir_operation *operation, weir_buffer *out) {
    finding f = {.address = (uintptr_t)operation, .out = out};
    weir_buffer_printf(out, "weir %s ", WEIR_VERSION);
    dl_iterate_phdr(look_at_object, &f);
    return f.found;
}

/* --- plugins and modules ---------------------------------------------------------------------- */

/* The plugin that the operation came with; NULL: it is linked in. Its hash is of what was loaded. */
static const weir__plugin *plugin_of(const weir_engine *engine, const weir_operation *operation) {
    for (size_t i = 0; i < engine->plugins.count; i++) {
        const weir_plugin *plugin = engine->plugins.items[i].plugin;
        for (size_t o = 0; plugin && plugin->operations[o]; o++)
            if (plugin->operations[o] == operation) return &engine->plugins.items[i];
    }
    return NULL;
}

/* Before its first call, which loads it. */
static bool name_module(const char *module, weir_buffer *out) {
    weir_buffer path = {0}, bytes = {0};
    bool ok = weir_library_find(module, &path) &&
              weir_file_read(path.data, MODULE_BYTES_MAX, &bytes, NULL);
    if (ok) weir_buffer_printf(out, " module %016" PRIx64, weir_hash(bytes.data, bytes.length));
    weir_buffer_deinit(&bytes);
    weir_buffer_deinit(&path);
    return ok;
}

static bool describe(const weir_engine *engine, const weir_operation *operation, weir_buffer *out) {
    /* What an executor does is in the configuration. */
    if (!weir_operation_has_code(operation)) {
        weir_buffer_text(out, "executor 1");
        return true;
    }
    const weir__plugin *plugin = plugin_of(engine, operation);
    if (plugin)
        weir_buffer_printf(out, "plugin %016" PRIx64, plugin->hash);
    else if (!name_build(operation, out))
        return false;
    bool has_module = operation->size >= offsetof(weir_operation, module) + sizeof(char *);
    return !has_module || !operation->module || name_module(operation->module, out);
}

const char *weir__memo_code(weir_engine *engine, const weir_operation *operation) {
    /* What a function does changes while the process lives, and two files may call theirs the same. */
    if (strcmp(weir_operation_executor(operation), "python") == 0)
        return ((const weir_python_operation *)(const void *)operation)->code;
    weir__memos *memos = engine->memos;
    weir_str name = weir_str_from(operation->name);
    uint64_t place;
    if (!weir_map_get(&memos->codes, name, &place)) {
        weir_buffer text = {0};
        bool known = describe(engine, operation, &text);
        place = memos->code_texts.count;
        *weir_vector_push(&memos->code_texts) = known ? weir_str_dup(weir_buffer_str(&text)) : NULL;
        weir_map_set(&memos->codes, name, place);
        weir_buffer_deinit(&text);
    }
    return memos->code_texts.items[place];
}
