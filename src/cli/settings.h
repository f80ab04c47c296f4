/* Settings: what the command may be told by configuration files, the environment and options; and the keys they have
 * there. Texts live in the arena. One thread. */
#ifndef WEIR_CLI_SETTINGS_H
#define WEIR_CLI_SETTINGS_H

#include <weir/weir.h>

#include "data/document.h"

typedef struct weir_secret_source {
    const char *name;            /* "NAME.*", "*": of each member of the file */
    const char *file, *variable; /* one of them: where its value is */
} weir_secret_source;

typedef struct weir_settings {
    weir_arena arena;
    const char *state; /* NULL: to be looked for */
    const char *store; /* a URL; NULL: in the state */
    const char *blobs; /* NULL: in the state */
    weir_durability durability;
    const char *output;                       /* NULL: nobody says */
    uint32_t attempts_max, threads, runs_max; /* 0: nobody says */
    uint64_t memory_bytes_max;                /* the same */
    uint32_t cpu_milli_max, processes_max;
    bool record_all;
    bool not_isolated;     /* processes of workflows are not */
    const char *executor;  /* of steps with an image; NULL: nobody says */
    weir_value *images;    /* see cli/images.h; NULL: none */
    weir_value *artifacts; /* see cli/artifacts.h; NULL: nobody says */
    weir_value *workflow;  /* see cli/around.h; NULL: nothing */
    /* See cli/image_settings.h; NULL and 0: nobody says. */
    const char *image_store, *pull, *platform, *image_mount;
    uint64_t image_bytes_max;
    weir_value *registries;
    /* How long and how much finished runs are kept; UINT64_MAX: for ever, however much. 0: nobody says. */
    uint64_t retention_age_us, retention_bytes;
    WEIR_VECTOR(const char *) plugins;
    WEIR_VECTOR(weir_secret_source) secrets;
} weir_settings;

/* Where a setting was said: for messages, and for what relative paths are relative to. */
typedef struct weir_setting_place {
    const weir_document *document; /* NULL: not in a file */
    weir_str path;                 /* in the document */
    const char *said;              /* "WEIR_STATE", "--set": when it is not in a file */
    weir_problems *problems;
} weir_setting_place;

/* Where one is among the members of a setting that is an object. It begins at the setting: `place` and `path` are those; `path` is freed
 * by whoever began. */
typedef struct weir_setting_reading {
    weir_setting_place place; /* of what is being read */
    weir_buffer path;
} weir_setting_reading;

weir_setting_reading weir_setting_begin(const weir_setting_place *at);
/* Goes to a member, and back with what that gave. */
size_t weir_setting_enter(weir_setting_reading *reading, weir_str key);
void weir_setting_leave(weir_setting_reading *reading, size_t mark);

/* Sets what the key ("limits.attempts", "secrets.NAME") means, or adds a problem. Lists of plugins replace. */
void weir_settings_set(weir_settings *settings, weir_str key, const weir_value *value,
                       const weir_setting_place *place);
/* The same from a text outside of files: a list may have ':' between its items. */
void weir_settings_set_text(weir_settings *settings, weir_str key, weir_str text,
                            const weir_setting_place *place);
/* Sets what the environment's WEIR_… say. */
void weir_settings_environment(weir_settings *settings, weir_problems *problems);
/* Which of the choices, with '|' or ',' between, the text is; -1: none. */
int weir_settings_choice(const char *choices, weir_str text);
/* The two texts as one, in the arena. */
const char *weir_settings_join(weir_settings *settings, weir_str a, weir_str b);
/* A path as the process can open it, in the arena: one in a file is relative to that file. */
const char *weir_settings_path(weir_settings *settings, weir_str path,
                               const weir_setting_place *place);
/* Names and values of all secrets, one behind the other, and NULL at the end; in the arena. Reads their files. */
bool weir_settings_secrets(weir_settings *settings, const char ***out, weir_error *error);
/* One more problem there. */
void weir_settings_problem(const weir_setting_place *place, const char *hint, const char *format,
                           ...) WEIR_PRINTF(3, 4);
void weir_settings_deinit(weir_settings *settings);

#endif
