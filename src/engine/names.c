/* What runs are called. */
#include <libgen.h>

#include "engine/engine_internal.h"

/* Names end with so many characters by chance (the last one not, see look_for_free), and those that are known to be free are so for that long. */
enum { NAME_MAX_BYTES = 128, NAME_CHANCE = 5, FREE_US = 1000 * 1000 };

/* Its first batch may still be on its way. */
static bool is_taken_here(const weir_engine *engine, weir_str name) {
    for (size_t i = 0; i < engine->runs.count; i++)
        if (weir_str_is(name, engine->runs.items[i]->name)) return true;
    return false;
}

static bool is_taken(weir_engine *engine, weir_str name) {
    weir_error ignored;
    return is_taken_here(engine, name) || weir__run_exists(engine, name, &ignored);
}

static bool is_name(weir_str name) {
    if (!name.length || name.length > NAME_MAX_BYTES || name.data[0] == '.' || name.data[0] == '-')
        return false;
    for (size_t i = 0; i < name.length; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c < 0x21 || c == 0x7f || strchr("/\\'\"@:*?<>|$`", c)) return false;
    }
    return true;
}

/* The file's name without its folder and ending. */
static void add_stem(weir_str file, weir_buffer *name) {
    char *path = weir_str_dup(file);
    char *base = basename(path), *point = strrchr(base, '.');
    if (point && point != base) *point = '\0';
    weir_buffer_text(name, base);
    weir_free(path);
    for (size_t i = 0; i < name->length; i++)
        if (!is_name((weir_str){name->data + i, 1}) && name->data[i] != '-' && name->data[i] != '.')
            name->data[i] = '-';
    (void)weir_buffer_cut(name, NAME_MAX_BYTES / 2);
    weir_buffer_byte(name, '-');
}

/* --- names that nobody has yet --------------------------------------------------------------- */

/* As many as are wanted with one question. They differ in their last character only, so that runs which begin one after the
 * other have their names on one page of the store's index. That the store cannot answer is seen when the run begins. */
static void look_for_free(weir_engine *engine, weir_str prefix) {
    weir__names *pool = &engine->names;
    weir_str names[WEIR_NAMES_MAX];
    bool taken[WEIR_NAMES_MAX] = {false};
    weir_error ignored;
    size_t length = prefix.length + NAME_CHANCE;
    weir_buffer_clear(&pool->texts);
    char id[WEIR_RUN_ID_LENGTH + 1];
    weir__new_id(id);
    for (size_t i = 0; i < pool->wanted; i++) {
        weir_buffer_str_append(&pool->texts, prefix);
        weir_buffer_text(&pool->texts, id + WEIR_RUN_ID_LENGTH - NAME_CHANCE);
        weir__id_turn(id);
    }
    for (size_t i = 0; i < pool->wanted; i++)
        names[i] = (weir_str){pool->texts.data + i * length, length};
    if (!weir_store_names(engine->store, names, pool->wanted, taken, &ignored))
        memset(taken, 0, sizeof taken);
    for (size_t i = pool->count = 0; i < pool->wanted; i++)
        if (!taken[i]) memmove(pool->texts.data + pool->count++ * length, names[i].data, length);
    pool->prefix = prefix.length;
    pool->until_us = weir_clock_steady_us() + FREE_US;
}

/* Makes the prefix a name. When one run follows the other, names for the next ones are looked for with it: what was free a
 * moment ago still is, by all chance, and if not then the store refuses it. */
static void add_free(weir_engine *engine, weir_buffer *name) {
    weir__names *pool = &engine->names;
    size_t prefix = name->length, length = prefix + NAME_CHANCE;
    weir_str wanted = weir_buffer_str(name);
    bool same = pool->prefix == prefix && weir_clock_steady_us() < pool->until_us &&
                memcmp(pool->texts.data, wanted.data, prefix) == 0;
    if (!same) pool->count = pool->wanted = 0;
    do {
        while (!pool->count) {
            size_t more = pool->wanted ? pool->wanted * 2 : 1;
            pool->wanted = more < WEIR_NAMES_MAX ? more : WEIR_NAMES_MAX;
            look_for_free(engine, weir_str_slice(weir_buffer_str(name), 0, prefix));
        }
        pool->count--;
        name->length = prefix;
        weir_buffer_append(name, pool->texts.data + pool->count * length + prefix, NAME_CHANCE);
    } while (is_taken_here(engine, weir_buffer_str(name)));
}

const weir_value *weir__metadata_of(const weir_document *document) {
    const weir_value *metadata = NULL;
    for (size_t i = 0; i < document->roots.count && !metadata; i++)
        metadata = weir_member_named(document->roots.items[i], "metadata");
    return metadata;
}

bool weir__has_given_name(const weir_value *request, const weir_document *document) {
    return weir_member_text(request, "name").length ||
           (!weir_member_text(request, "generate_name").length &&
            weir_member_text(weir__metadata_of(document), "name").length);
}

bool weir__choose_name(weir_engine *engine, const weir_value *request,
                       const weir_document *document, weir_buffer *name, weir_error *error) {
    weir_str wanted = weir_member_text(request, "name");
    if (wanted.length) {
        if (!weir_member_named(request, "parent") && !is_name(wanted)) {
            weir_fail(error, WEIR_INVALID, "`%.*s` cannot be a run's name", WEIR_ARG(wanted));
            weir_error_hint(error, "at most %d letters, digits, `-`, `_` and `.`", NAME_MAX_BYTES);
            return false;
        }
        weir_buffer_str_append(name, wanted);
        if (!is_taken(engine, wanted)) return true;
        return weir_fail(error, WEIR_INVALID, "there is already a run named %.*s",
                         WEIR_ARG(wanted));
    }
    const weir_value *metadata = weir__metadata_of(document);
    weir_str given = weir_member_text(metadata, "name");
    weir_str prefix = weir_member_text(metadata, "generateName");
    weir_str said = weir_member_text(request, "generate_name");
    if (said.length && !is_name(said))
        return weir_fail(error, WEIR_INVALID, "no run's name can begin with `%.*s`",
                         WEIR_ARG(said));
    if (said.length) {
        weir_buffer_str_append(name, said);
    } else if (is_name(given)) {
        weir_buffer_str_append(name, given);
        if (!is_taken(engine, given)) return true;
        weir_buffer_byte(name, '-');
    } else if (is_name(prefix)) {
        weir_buffer_str_append(name, prefix);
    } else {
        add_stem(weir_str_from(document->file), name);
    }
    add_free(engine, name);
    return true;
}

/* --- ids of many runs ------------------------------------------------------------------------ */

bool weir__run_ids_note(void *ids, const weir_run_record *record) {
    *weir_vector_push((weir__run_ids *)ids) = weir_str_dup(record->id);
    return true;
}

void weir__run_ids_deinit(weir__run_ids *ids) {
    for (size_t i = 0; i < ids->count; i++) weir_free(ids->items[i]);
    weir_vector_deinit(ids);
}
