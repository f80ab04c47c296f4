/* The report of a crash: which operation it was. */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "executor/host.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_REPORT_OF_ITS_OWN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_REPORT_OF_ITS_OWN 1
#endif

/* Of the initial-exec model, so that a signal handler never allocates to reach it. */
static _Thread_local const char *volatile current_operation
    __attribute__((tls_model("initial-exec")));

const char *weir_inline_running(void) {
    return current_operation;
}

#if defined(HAS_REPORT_OF_ITS_OWN)
void weir_crash_report_install(void) {
}
void weir_crash_report_kept(bool kept) {
    (void)kept;
}
void weir__crash_watch(const char *operation) {
    current_operation = operation;
}
#else
/* The stack of a thread that crashes may be what is exhausted: each thread that runs operations has another for the
 * report. */
enum { CRASH_STACK_BYTES = 64 * 1024 };
static atomic_bool reports_crashes, runs_are_kept;
static _Thread_local bool has_crash_stack __attribute__((tls_model("initial-exec")));

static void open_crash_stack(void) {
    if (has_crash_stack) return;
    has_crash_stack = true;
    void *memory = mmap(NULL, CRASH_STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return;
    sigaltstack(&(stack_t){.ss_sp = memory, .ss_size = CRASH_STACK_BYTES}, NULL);
}

/* Calls only what is safe in a signal handler (signal-safety(7)). */
static void report_crash(int number) {
    char text[512] = "weir: ", digits[2] = {(char)('0' + number / 10), (char)('0' + number % 10)};
    size_t at = 6;
    const char *parts[] = {current_operation ? "operation " : "",
                           current_operation ? current_operation : "",
                           current_operation ? " crashed (signal " : "crashed (signal "};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (const char *c = parts[i]; *c && at < 256; c++) text[at++] = *c;
    if (digits[0] != '0') text[at++] = digits[0];
    text[at++] = digits[1];
    static const char kept[] =
        "); what was written is kept: `weir recover @latest` goes on with that\n",
                      gone[] = "); nothing of the run is kept, as nothing was written\n";
    bool keeps = atomic_load(&runs_are_kept);
    size_t length = keeps ? sizeof kept - 1 : sizeof gone - 1;
    memcpy(text + at, keeps ? kept : gone, length);
    (void)!write(STDERR_FILENO, text, at + length);
    _exit(3);
}

void weir_crash_report_install(void) {
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    open_crash_stack();
    atomic_store(&reports_crashes, true);
    struct sigaction action = {.sa_handler = report_crash,
                               .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

void weir_crash_report_kept(bool kept) {
    atomic_store(&runs_are_kept, kept);
}

void weir__crash_watch(const char *operation) {
    if (atomic_load_explicit(&reports_crashes, memory_order_relaxed)) open_crash_stack();
    current_operation = operation;
}
#endif
