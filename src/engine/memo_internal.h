/* Memoized results in the engine: what a task's outcome depends on becomes a key; who has it is answered from the store.
 *
 * Of the tasks of one run with the same key the first runs and the others wait for it; between runs and between processes
 * each runs for itself, and the first result that is kept stays. Large results are blobs, whose references the entries
 * own ("cache:KEY"). All on the loop's thread, but for work on files and blobs. */
#ifndef WEIR_ENGINE_MEMO_INTERNAL_H
#define WEIR_ENGINE_MEMO_INTERNAL_H

#include "engine/engine_internal.h"
#include "store/memo.h"
#include "store/sha256.h"

/* What an engine that looks for results has. */
typedef struct weir__memos {
    const weir__sha256_functions *sha256;
    weir__sha256 *hash; /* of the loop's thread */
    weir_map codes;     /* by the operation's name: places in `code_texts` */
    WEIR_VECTOR(char *) code_texts;
    size_t jobs; /* on the pool */
    bool warned;
} weir__memos;

/* Tasks of a run that want the same outcome. */
typedef struct weir__memo_want {
    char key[WEIR_MEMO_KEY_LETTERS + 1];
    weir_task_id first; /* that looks for it, or runs */
    bool asked, missed; /* the store was asked; it runs */
    uint64_t max_age_us;
    weir_value *files; /* NULL: it depends on none */
    char content[WEIR_MEMO_KEY_LETTERS + 1];
    WEIR_VECTOR(weir_task_id) others;
} weir__memo_want;

typedef struct weir__run_memo {
    WEIR_VECTOR(weir__memo_want *) wants;
    weir_map by_key; /* places in `wants` */
} weir__run_memo;

/* The engine's; NULL and an error when there is no SHA-256 here. */
weir__memos *weir__memos_of(weir_engine *engine, weir_error *error);
/* Something with a result went wrong, which fails no run: says so once, on standard error. */
void weir__memo_warn(weir_engine *engine, const weir_error *why);

/* --- memo_key.c */

/* Where the outcome is sought and where it is kept has to be the same, whatever time passes between. */
typedef struct weir__memo_key {
    char hex[WEIR_MEMO_KEY_LETTERS + 1];
    const char *why; /* there is no key: a word for people and programs; NULL: there is one */
} weir__memo_key;

/* The key of a sought attempt; `content` is the digest of its files, or empty. */
weir__memo_key weir__memo_key_of(weir_engine *engine, const weir_run *run,
                                 const weir_attempt *attempt, weir_str content);
/* The paths of the files whose content the attempt's outcome depends on, absolute; NULL: there are none. New reference. */
weir_value *weir__memo_files_of(const weir_run *run, const weir_attempt *attempt);
/* The digest of names and contents; a file that is not there counts as that. Any thread. */
WEIR_CHECKED bool weir__memo_read_files(const weir__sha256_functions *sha256,
                                        const weir_value *files,
                                        char out[static WEIR_MEMO_KEY_LETTERS + 1],
                                        weir_error *error);

/* --- memo_code.c */

/* What the code of the operation is, as a text: the content of its plugin or module, the build of the program; NULL: nobody
 * can tell. Borrowed. */
const char *weir__memo_code(weir_engine *engine, const weir_operation *operation);

/* --- memo_blob.c: large results */

#define WEIR__MEMO_OWNER_PREFIX "cache:" /* of the owner of an entry's blob; the key follows */

/* Reads the value of the entry's blob, then calls back on the loop's thread; NULL: it is not there, or damaged. The bytes
 * are borrowed. */
void weir__memo_fetch(weir_engine *engine, const weir_memo_entry *entry,
                      void (*done)(void *arg, const weir_str *value), void *arg);
/* Puts an entry whose value is large, as a blob; takes it over. `old` is the blob of what it replaces, or empty. */
void weir__memo_put_large(weir_engine *engine, weir_memo_copy *copy, uint64_t replaces,
                          weir_str old);
/* The entry of this key refers to the blob no more; one that is not there, or an empty digest, is nothing to do. */
void weir__memo_release(weir_engine *engine, weir_str key, weir_str digest);

#endif
