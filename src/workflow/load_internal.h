/* What the loader of workflows shares across its files. Private to this folder; see load.h. One thread. */
#ifndef WEIR_WORKFLOW_LOAD_INTERNAL_H
#define WEIR_WORKFLOW_LOAD_INTERNAL_H

#include "base/map.h"
#include "workflow/load.h"

enum {
    WEIR__LOAD_TEMPLATES_MAX = 1000 * 1000,  /* of a complete workflow */
    WEIR__CONFIG_MAP_BYTES_MAX = 1024 * 1024 /* of one, as in Kubernetes */
};

/* One document of a file, by what it is. */
typedef struct weir__source {
    const weir_document *document;
    size_t root;
    weir_value *value;
    weir_str kind, name;
    bool indexed; /* its templates are in `places` */
    bool whole;   /* all its templates are wanted */
    bool checked; /* its fields were looked at; then `value` is owned */
} weir__source;

/* A template of the complete workflow. */
typedef struct weir__entry {
    weir_value *value;          /* owned */
    weir_str key;               /* its name in the whole */
    const weir__source *scope;  /* whose names it uses; NULL: the workflow's */
    const weir__source *source; /* where it was written: */
    const char *path;
    bool inlined, elsewhere; /* elsewhere: not at the same path of the source */
} weir__entry;

typedef struct weir__loader {
    weir_document *document; /* parts are there from the beginning */
    weir_problems *problems;
    const weir_value *request;
    weir_arena arena;
    weir__source *sources;
    size_t source_count;
    weir_map by_name; /* "KIND/NAME" to a source */
    weir_map places;  /* "namespaced/NAME/TEMPLATE" to source << 32 | index */
    weir_map wanted;  /* such keys that are entries */
    WEIR_VECTOR(weir__entry) entries;
    const weir_value *defaults,
        *retry;                 /* templateDefaults and retryStrategy of the workflow; NULL: none */
    bool fatal;                 /* there is no workflow that the rest could be looked at */
    bool all_templates[2];      /* the same of templates: namespaced, and cluster's */
    bool all_maps, all_secrets; /* a reference with tags may mean any */
    const weir_value
        *arguments; /* the workflow's parameters, once they are filled; NULL: not yet, or none */
    weir_value *config_maps, *secrets; /* as `weir` of the whole has them */
    weir_str key_format;               /* of the repository that it refers to; empty: nobody says */
} weir__loader;

/* --- load_value.c: values that others share, with something changed. `value` and `member` are taken over. */

/* With the member; `value` itself when that is there already. */
weir_value *weir__with(weir_value *value, const char *key, weir_value *member);
weir_value *weir__without(weir_value *value, const char *key);
/* What `change` makes of the items or members, which gives new references. */
typedef weir_value *weir__change(void *arg, weir_value *item, size_t index);
weir_value *weir__map_items(const weir_value *value, weir__change *change, void *arg);
/* The member; NULL when it is absent, null or no object. */
const weir_value *weir__object_member(const weir_value *value, const char *key);
bool weir__has_tag(weir_str text);

/* --- load_alone.c */

/* The complete workflow with what the request's `only`, `artifacts` and `mocks` make of it; takes the reference, and gives one. A template with outputs that
 * are said has them as `weir.mock` {exit_code, parameters: {name: text}, result?}. */
weir_value *weir__load_alone(weir_value *workflow, const weir_value *request,
                             weir_problems *problems, const char *file);

/* --- load_merge.c */

/* Kubernetes' strategic merge: members of `over` win, object by object; items of lists that have keys are merged by those, of
 * other lists the one of `over` counts. A new reference. `taken` (may be NULL) hears of each node of the result that is
 * `over`'s: where it is there, and in the result. */
typedef void weir__taken(void *arg, const char *whole, const char *over);
weir_value *weir__merge(const weir_value *base, const weir_value *over, weir__taken *taken,
                        void *arg);

/* --- load_made.c */

/* The workflow that a CronWorkflow or a WorkflowTemplate runs as. */
weir_value *weir__made_of_cron(weir__loader *l, const weir__source *source);
weir_value *weir__made_of_template(weir__loader *l, const weir__source *source, bool cluster);
/* With the spec of the WorkflowTemplate that it refers to, under its own, which stands at `own` of the source; `scope` is then what
 * its templates' nodes have as scope. Takes the workflow over. */
weir_value *weir__made_of_reference(weir__loader *l, const weir__source *source, const char *own,
                                    weir_value *workflow, weir_str *scope);
/* The root's metadata: a new reference, or a new object. */
weir_value *weir__metadata_copy(const weir_value *root);
/* With the labels and annotations of `more` that need no run. Takes the metadata over. */
weir_value *weir__add_metadata(weir_value *metadata, const weir_value *more);

/* --- load_source.c */

/* All documents of all parts; what is there twice is a problem. */
void weir__sources_index(weir__loader *l);
/* NULL: there is none. */
weir__source *weir__source_find(const weir__loader *l, const char *kind, weir_str name);
/* Looks at its fields, once: from then on its value is as Argo reads it. */
void weir__source_check(weir__loader *l, weir__source *source);
/* The name that is most like it, of those of that kind. */
weir_str weir__source_near(const weir__loader *l, const char *kind, weir_str name);
/* Whether one more problem would be told, rather than counted: else nobody wants to know what its name is like. */
static inline bool weir__load_tells(const weir__loader *l) {
    return l->problems->count < WEIR_PROBLEMS_MAX;
}
/* A problem at the path of the source. */
void weir__load_problem(weir__loader *l, const weir__source *source, const char *path,
                        weir_str near, const char *format, ...) WEIR_PRINTF(5, 6);
/* Where no name is like it: how to give weir what is missing. `before`: how many problems there were. */
void weir__load_hint(weir__loader *l, size_t before);
char *weir__load_text(weir__loader *l, const char *format, ...) WEIR_PRINTF(2, 3);

/* --- load_call.c */

/* The entry with its calls resolved; what they refer to becomes entries behind it. */
void weir__resolve_entry(weir__loader *l, size_t index);
/* The same of the workflow's own hooks: their new value. */
weir_value *weir__resolve_hooks(weir__loader *l, const weir__source *source, weir_value *hooks);

/* --- load_config.c */

/* Parameters that come from config maps, with their texts; a new reference. `given` (may be NULL) has those that need none. */
weir_value *weir__fill_parameters(weir__loader *l, const weir_value *list, const weir_value *given,
                                  const weir__source *source, const char *path);
/* v4's lists instead of v3's `mutex` and `semaphore` in an object with `synchronization`; takes it over. */
weir_value *weir__pluralize(weir_value *holder);
/* Finds how keys are made in the repository that the spec refers to, if a config map says it. */
void weir__find_key_format(weir__loader *l, const weir_value *spec);
/* Gathers what the value refers to into config_maps and secrets. */
void weir__gather(weir__loader *l, const weir_value *value);

#endif
