/* Logs of attempts, and secrets, which never get into them. One thread, that of the loop, but for weir_log_write, which
 * any thread may call that has the log to itself; `follow` is called on the thread that writes. */
#ifndef WEIR_EXECUTOR_LOG_H
#define WEIR_EXECUTOR_LOG_H

#include "task/task.h"

/* Names and values that must not be seen. The longest value comes first. */
typedef struct weir_secrets {
    struct weir__secret {
        char *
            name; /* NULL: a line or another form of a value, or a replaced one: masked, never found */
        char *value;
        size_t length;
    } * items;
    size_t count, capacity;
} weir_secrets;

void weir_secrets_deinit(weir_secrets *secrets);
/* Adds, or replaces the value of that name. Of a value of several lines each line is masked too, without the blanks
 * around it, and of all these what JSON makes of them. Values shorter than 4 bytes are refused, such lines left alone:
 * masking them would tear every text apart. */
WEIR_CHECKED bool weir_secrets_add(weir_secrets *secrets, weir_str name, weir_str value,
                                   weir_error *error);
/* The same of short ones too: those are found, and never masked. */
WEIR_CHECKED bool weir_secrets_add_any(weir_secrets *secrets, weir_str name, weir_str value,
                                       weir_error *error);
bool weir_secret_is_short(weir_str value);
/* NULL when there is none of that name. */
const char *weir_secrets_find(const weir_secrets *secrets, weir_str name);
/* Replaces each secret value in the text by "***"; values that overlap by one. `secrets` may be NULL. */
void weir_secrets_mask(const weir_secrets *secrets, weir_buffer *text);
/* Where to cut the text, so that none of a secret stays behind the cut: `at`, or the end of one that lies across. */
size_t weir_secrets_edge(const weir_secrets *secrets, weir_str text, size_t at);
/* The value with every text in it masked, and numbers that are a secret; takes the reference and gives one, the same
 * when there is nothing to mask. */
weir_value *weir_secrets_mask_value(const weir_secrets *secrets, weir_value *value);

enum { WEIR_LOG_TAIL_LINES = 20 };

/* Where attempts' output goes: DIRECTORY/RUN/TASK.NUMBER.log, and to whoever follows. */
typedef struct weir_logs {
    char *directory; /* NULL: nothing is written */
    /* Processes of a state that is a copy have this word as WEIR_COPY; NULL: it is none, and they have none. The attempts of the
     * state that it is a copy of have the same names, and are not its own. */
    char *copy;
    const weir_secrets *secrets;
    /* Each whole line (masked, without line end), as it comes; may be NULL. */
    void (*follow)(void *arg, const weir_attempt_id *attempt, weir_str line);
    void *arg;
} weir_logs;

/* Creates and opens DIRECTORY/RUN/TASK.NUMBER and the suffix to write, with mode 0600 and these flags more; makes the
 * folders. Gives the descriptor and its path, or -1 and errno. */
int weir_logs_create(const weir_logs *logs, const weir_attempt_id *attempt, const char *suffix,
                     int flags, weir_buffer *path);

/* The log of one attempt. Lines are masked and written whole; a line is cut at 64 KiB, but never within a secret. The
 * file appears with the first line. A disk that is full is warned of once and fails nothing. */
typedef struct weir_log weir_log;
weir_log *weir_log_open(weir_logs *logs, const weir_attempt_id *attempt);
/* That of one of its containers: of TASK.NUMBER.CONTAINER.log. */
weir_log *weir_log_open_container(weir_logs *logs, const weir_attempt_id *attempt,
                                  weir_str container);
enum { WEIR_CONTAINER_NAME_BYTES_MAX = 63 }; /* as Kubernetes has it */
/* Each of the two streams has its own line under way. */
void weir_log_write(weir_log *log, bool error_stream, weir_str bytes);
/* The last WEIR_LOG_TAIL_LINES lines, at most 16 KiB, masked; borrowed until the next write. Ends lines under way. */
weir_str weir_log_tail(weir_log *log);
/* Opens what was written so far to read, also when that is nothing; lines under way end. The caller closes it. -1: it is not kept. */
int weir_log_reread(weir_log *log);
void weir_log_close(weir_log *log); /* NULL is allowed */

/* --- log_read.c: what is on disk. None is held in memory whole, and each may be growing. */

typedef struct weir_log_file {
    weir_task_id task;
    uint32_t number;     /* of the attempt */
    uint64_t size;       /* bytes */
    uint64_t changed_us; /* when it was written last */
    /* "": of an attempt's command, or of its container `main` */
    char container[WEIR_CONTAINER_NAME_BYTES_MAX + 1];
} weir_log_file;
typedef WEIR_VECTOR(weir_log_file) weir_log_files;

/* The folder of a run's logs; -1: it has none. The caller closes it. */
int weir_logs_open(const char *directory, weir_str run);
/* What is in it, by task, attempt and container, `main` first. */
void weir_logs_list(int folder, weir_log_files *out);
/* When its lines came: those from `from` on, until the next such place. In order, and at least one. */
typedef struct weir_log_time {
    uint64_t from, time_us;
} weir_log_time;
typedef WEIR_VECTOR(weir_log_time) weir_log_times;
void weir_log_times_read(int folder, const weir_log_file *file, weir_log_times *out);
/* The attempt's log goes, if there is one; those of containers stay. */
void weir_log_remove(int folder, weir_task_id task, uint32_t number);
/* Where the last `*lines` lines of the file begin; `*lines` becomes how many it lacks. */
uint64_t weir_log_last(int folder, const weir_log_file *file, uint64_t *lines);
/* Calls back with whole lines from `from` on, in pieces of at most 128 KiB, until the end, or until `visit` returns false; gives
 * where it stopped. With `end` a last line without an end counts too. */
uint64_t weir_log_visit(int folder, const weir_log_file *file, uint64_t from, bool end,
                        bool (*visit)(void *arg, weir_str lines), void *arg);

#endif
