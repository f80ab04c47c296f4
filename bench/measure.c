/* Runs a command once and says what it cost: "wall_us cpu_us peak_bytes status". A program of its own because the
 * kernel counts the memory of the process that spawned another as the other's peak, and this one is small. */
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long us(struct timeval time) {
    return time.tv_sec * 1000000LL + time.tv_usec;
}

int main(int argc, char **argv) {
    struct timespec begin, end;
    struct rusage usage;
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    if (argc < 2 || posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0) != 0)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (posix_spawn(&child, argv[1], &actions, NULL, argv + 1, environ) != 0) return 2;
    if (wait4(child, &status, 0, &usage) != child) return 2;
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld %lld %ld %d\n",
           (end.tv_sec - begin.tv_sec) * 1000000LL + (end.tv_nsec - begin.tv_nsec) / 1000,
           us(usage.ru_utime) + us(usage.ru_stime), usage.ru_maxrss * 1024, status);
    posix_spawn_file_actions_destroy(&actions);
    return 0;
}
