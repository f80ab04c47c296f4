/* Blobs: the same tests in a directory and in S3, which is a versitygw that the test starts; its objects are files too, so
 * that both kinds can be damaged from outside. Without versitygw (`./dev setup` builds it) those of S3 are skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/blob.h"
#include "store/sha256.h"

static char folder[32], server_url[80]; /* of all tests */
static pid_t server;

/* One store of a kind. */
typedef struct place {
    weir_blobs *blobs;
    char where[400], root[200]; /* the folder that its objects are in */
} place;

static weir_str s(const char *text) {
    return weir_str_from(text);
}

/* --- a server ------------------------------------------------------------------------------- */

static unsigned free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void wait_for(unsigned port) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    for (int i = 0; i < 1000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int status = connect(fd, (struct sockaddr *)&address, sizeof address);
        close(fd);
        if (status == 0) return;
        usleep(10000);
    }
    fail_msg("versitygw does not listen");
}

static void start_server(void) {
    char program[300], address[64], objects[100], bucket[120];
    const char *source = getenv("WEIR_SOURCE");
    snprintf(program, sizeof program, "%s/build/tools/versitygw", source ? source : ".");
    if (access(program, X_OK) != 0) {
        print_message("note: no versitygw: S3 is not tested\n");
        return;
    }
    unsigned port = free_port();
    snprintf(address, sizeof address, "127.0.0.1:%u", port);
    snprintf(server_url, sizeof server_url, "http://%s", address);
    snprintf(objects, sizeof objects, "%s/s3", folder);
    snprintf(bucket, sizeof bucket, "%s/bucket", objects);
    assert_int_equal(mkdir(objects, 0700), 0);
    assert_int_equal(mkdir(bucket, 0700), 0);
    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int nothing = open("/dev/null", O_RDWR);
        dup2(nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        execl(program, program, "--port", address, "--access", "access", "--secret", "s3cr3t",
              "--quiet", "posix", objects, (char *)NULL);
        _exit(127);
    }
    wait_for(port);
}

static int begin_all(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/weir-blob-XXXXXX");
    assert_non_null(mkdtemp(folder));
    setenv("AWS_ACCESS_KEY_ID", "access", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t", 1);
    unsetenv("http_proxy");
    start_server();
    return 0;
}

static int end_all(void **state) {
    (void)state;
    char command[200];
    if (server) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    snprintf(command, sizeof command, "chmod -R u+w %s; rm -rf %s", folder, folder);
    return system(command);
}

/* --- places --------------------------------------------------------------------------------- */

static int open_place(void **state, bool s3) {
    static int number;
    place *p = calloc(1, sizeof *p);
    weir_error error;
    if (s3 && !server) {
        free(p);
        return 0;
    }
    number++;
    snprintf(p->root, sizeof p->root, s3 ? "%s/s3/bucket/t/%d" : "%s/%d", folder, number);
    snprintf(p->where, sizeof p->where, "%s", p->root);
    if (s3)
        snprintf(p->where, sizeof p->where, "s3://bucket/t/%d?endpoint=%s&attempts=7", number,
                 server_url);
    if (!weir_blobs_open(p->where, true, &p->blobs, &error)) fail_msg("%s", error.message);
    *state = p;
    return 0;
}

static int open_directory(void **state) {
    return open_place(state, false);
}

static int open_s3(void **state) {
    return open_place(state, true);
}

static int close_place(void **state) {
    place *p = *state;
    if (p) weir_blobs_close(p->blobs);
    free(p);
    return 0;
}

static place *place_of(void **state) {
    if (!*state) skip();
    return *state;
}

/* --- blobs ---------------------------------------------------------------------------------- */

/* A file with that many bytes, other for each seed; its descriptor is at its beginning. */
static int content_of(size_t size, unsigned seed) {
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    char *bytes = size ? mmap(NULL, size, PROT_WRITE, MAP_SHARED, fd, 0) : NULL;
    uint64_t x = seed + 1;
    for (size_t i = 0; i < size; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (char)(x >> 56);
    }
    if (bytes) munmap(bytes, size);
    return fd;
}

static weir_blob put(place *p, int fd, const char *owner) {
    weir_blob blob;
    weir_error error;
    lseek(fd, 0, SEEK_SET);
    if (!weir_blob_put(p->blobs, fd, s(owner), &blob, &error)) fail_msg("%s", error.message);
    return blob;
}

static weir_blob put_text(place *p, const char *text, const char *owner) {
    int fd = memfd_create("text", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    weir_blob blob = put(p, fd, owner);
    close(fd);
    return blob;
}

/* The code, and what was written. */
static weir_code get(place *p, const char *digest, uint64_t from, uint64_t length,
                     weir_buffer *out) {
    weir_error error;
    int fd = memfd_create("out", MFD_CLOEXEC);
    bool ok = weir_blob_get(p->blobs, s(digest), from, length, fd, &error);
    off_t size = lseek(fd, 0, SEEK_END);
    if (out) {
        weir_buffer_clear(out);
        weir_buffer_reserve(out, (size_t)size + 1);
        assert_int_equal(pread(fd, out->data, (size_t)size, 0), size);
        out->length = (size_t)size;
    }
    close(fd);
    return ok ? WEIR_OK : error.code;
}

static void object_path(const place *p, const char *kind, const char *digest, const char *suffix,
                        char out[static 400]) {
    snprintf(out, 400, "%s/%s/%.2s/%s%s", p->root, kind, digest + 7, digest + 7, suffix);
}

static void expect_same(place *p, const weir_blob *blob, int fd) {
    weir_buffer got = {0};
    assert_int_equal(get(p, blob->digest, 0, UINT64_MAX, &got), WEIR_OK);
    assert_int_equal(got.length, blob->size);
    char *bytes = malloc(blob->size + 1);
    assert_int_equal(pread(fd, bytes, blob->size + 1, 0), blob->size);
    assert_memory_equal(got.data, bytes, blob->size);
    free(bytes);
    weir_buffer_deinit(&got);
}

/* --- tests of both kinds -------------------------------------------------------------------- */

static void what_is_put_comes_back(void **state) {
    place *p = place_of(state);
    static const size_t sizes[] = {0, 1, 65537, 8 << 20, (8 << 20) + 1, 33 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int fd = content_of(sizes[i], 1);
        weir_blob blob = put(p, fd, "user"), found;
        weir_error error;
        assert_false(blob.there);
        assert_int_equal(blob.size, sizes[i]);
        assert_true(weir_blob_find(p->blobs, s(blob.digest), &found, &error));
        assert_int_equal(found.size, sizes[i]);
        assert_true(found.modified_us > weir_clock_us() - 60 * 1000000);
        expect_same(p, &blob, fd);
        assert_true(put(p, fd, "user").there);
        close(fd);
    }
    assert_string_equal(put_text(p, "abc", "user").digest,
                        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void bytes_are_put_and_read(void **state) {
    place *p = place_of(state);
    weir_error error;
    weir_blob blob;
    weir_buffer got = {0};
    char digest[WEIR_BLOB_DIGEST_LENGTH + 1], other[WEIR_BLOB_DIGEST_LENGTH + 1], file[400];
    assert_true(weir_blob_name_bytes(s("abc"), digest, &error));
    assert_string_equal(digest, put_text(p, "abc", "user").digest);
    assert_true(weir_blob_put_bytes(p->blobs, s("abc"), s(digest), s("run:1"), &blob, &error));
    assert_true(blob.there && blob.size == 3);
    assert_string_equal(blob.digest, digest);
    assert_true(weir_blob_name_bytes(s("more"), other, &error));
    assert_true(weir_blob_put_bytes(p->blobs, s("more"), s(other), s("run:1"), &blob, &error));
    assert_false(blob.there);
    weir_buffer_text(&got, "before ");
    assert_true(weir_blob_read(p->blobs, s(other), 4, &got, &error));
    assert_string_equal(got.data, "before more");
    assert_false(weir_blob_read(p->blobs, s(other), 3, &got, &error));
    assert_int_equal(error.code, WEIR_LIMIT);
    assert_false(weir_blob_put_bytes(p->blobs, s("x"), s(digest), s("no/owner"), &blob, &error));
    assert_true(weir_blob_drop(p->blobs, s(digest), s("user"), NULL, &error)); /* another has it */
    object_path(p, "sha256", other, "", file);
    assert_int_equal(chmod(file, 0600), 0);
    int fd = open(file, O_WRONLY);
    assert_int_equal(pwrite(fd, "M", 1, 0), 1);
    close(fd);
    assert_false(weir_blob_read(p->blobs, s(other), 4, &got, &error));
    assert_int_equal(error.code, WEIR_STORE);
    assert_int_equal(truncate(file, 2), 0); /* of another size it is made good */
    assert_true(weir_blob_put_bytes(p->blobs, s("more"), s(other), s("run:2"), &blob, &error));
    assert_true(weir_blob_drop(p->blobs, s(digest), s("run:1"), NULL, &error));
    assert_false(weir_blob_read(p->blobs, s(digest), 4, &got, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_non_null(strstr(error.message, digest));
    assert_true(weir_blob_read(p->blobs, s(other), 4, &got, &error));
    assert_string_equal(got.data, "before moremore");
    weir_buffer_deinit(&got);
}

typedef struct feeding {
    int to;
    size_t size;
} feeding;

static void *feed(void *arg) {
    feeding *f = arg;
    char chunk[5000];
    memset(chunk, 'x', sizeof chunk);
    for (size_t left = f->size; left;) {
        ssize_t wrote = write(f->to, chunk, left < sizeof chunk ? left : sizeof chunk);
        assert_true(wrote > 0);
        left -= (size_t)wrote;
    }
    close(f->to);
    return NULL;
}

static void a_pipe_is_put_to_its_end(void **state) {
    place *p = place_of(state);
    int ends[2];
    pthread_t thread;
    weir_blob blob;
    weir_error error;
    weir_buffer got = {0};
    assert_int_equal(pipe(ends), 0);
    feeding f = {ends[1], 9 << 20};
    pthread_create(&thread, NULL, feed, &f);
    assert_true(weir_blob_put(p->blobs, ends[0], s("user"), &blob, &error));
    pthread_join(thread, NULL);
    close(ends[0]);
    assert_int_equal(blob.size, 9 << 20);
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, &got), WEIR_OK);
    assert_int_equal(got.length, 9 << 20);
    assert_int_equal(got.data[12345], 'x');
    weir_buffer_deinit(&got);
}

static void ranges_are_parts(void **state) {
    place *p = place_of(state);
    static const struct {
        uint64_t from, length;
        const char *part; /* NULL: INVALID */
    } cases[] = {{0, 3, "012"},
                 {4, 3, "456"},
                 {7, UINT64_MAX, "789"},
                 {7, 100, "789"},
                 {3, 0, ""},
                 {3, UINT64_MAX - 1, "3456789"},
                 {10, 1, ""},
                 {0, 10, "0123456789"},
                 {11, 1, NULL},
                 {9, 1, "9"},
                 {1000000, 5, NULL}};
    weir_blob blob = put_text(p, "0123456789", "user");
    weir_buffer got = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_code code = get(p, blob.digest, cases[i].from, cases[i].length, &got);
        assert_int_equal(code, cases[i].part ? WEIR_OK : WEIR_INVALID);
        if (cases[i].part) assert_true(weir_str_is(weir_buffer_str(&got), cases[i].part));
    }
    weir_buffer_deinit(&got);
}

static void a_blob_goes_with_its_last_owner(void **state) {
    place *p = place_of(state);
    weir_error error;
    weir_buffer owners = {0};
    bool removed;
    weir_blob blob = put_text(p, "shared", "run-a");
    assert_true(put_text(p, "shared", "run-b@1:2").there);
    assert_true(weir_blob_owners(p->blobs, s(blob.digest), &owners, &error));
    assert_int_equal(owners.length, 16);
    assert_memory_equal(owners.data, "run-a\0run-b@1:2", 16);
    assert_true(weir_blob_drop(p->blobs, s(blob.digest), s("run-a"), &removed, &error));
    assert_false(removed);
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_OK);
    assert_false(weir_blob_drop(p->blobs, s(blob.digest), s("run-a"), &removed, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    assert_true(weir_blob_drop(p->blobs, s(blob.digest), s("run-b@1:2"), NULL, &error));
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_NOT_FOUND);
    assert_false(weir_blob_find(p->blobs, s(blob.digest), &blob, &error));
    assert_int_equal(error.code, WEIR_NOT_FOUND);
    weir_buffer_deinit(&owners);
}

static void pruning_removes_what_nobody_refers_to(void **state) {
    place *p = place_of(state);
    weir_error error;
    weir_blob_pruned pruned;
    weir_blob blobs[4];
    char text[2] = "a", path[400];
    for (int i = 0; i < 4; i++, text[0]++) blobs[i] = put_text(p, text, "user");
    for (int i = 0; i < 2; i++) {
        object_path(p, "refs", blobs[i].digest, ".user", path);
        assert_int_equal(unlink(path), 0);
    }
    assert_true(weir_blob_prune(p->blobs, false, &pruned, &error));
    assert_int_equal(pruned.removed, 2);
    assert_int_equal(get(p, blobs[0].digest, 0, UINT64_MAX, NULL), WEIR_OK);
    assert_true(weir_blob_prune(p->blobs, true, &pruned, &error));
    assert_int_equal(pruned.removed, 2);
    assert_int_equal(pruned.removed_bytes, 2);
    assert_int_equal(pruned.kept, 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(get(p, blobs[i].digest, 0, UINT64_MAX, NULL),
                         i < 2 ? WEIR_NOT_FOUND : WEIR_OK);
    /* A reference whose blob is gone is kept for a week, for a put that is under way. */
    object_path(p, "sha256", blobs[2].digest, "", path);
    assert_int_equal(unlink(path), 0);
    assert_true(weir_blob_prune(p->blobs, true, &pruned, &error));
    assert_int_equal(pruned.leftovers, 0);
    object_path(p, "refs", blobs[2].digest, ".user", path);
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    /* Who puts again makes it young. */
    object_path(p, "refs", blobs[3].digest, ".user", path);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    put_text(p, "d", "user");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_mtim.tv_sec > 1000000000);
    assert_true(weir_blob_prune(p->blobs, true, &pruned, &error));
    assert_int_equal(pruned.leftovers, 1);
    assert_int_equal(pruned.kept, 1);
}

static void lists_are_sorted_and_whole(void **state) {
    place *p = place_of(state);
    weir_error error;
    weir_blob_page page = {0};
    char after[WEIR_BLOB_DIGEST_LENGTH + 1] = "", path[400];
    assert_true(weir_blob_list(p->blobs, after, &page, &error));
    assert_int_equal(page.count, 0);
    for (int i = 0; i < 20; i++) {
        char text[16];
        snprintf(text, sizeof text, "blob %d", i);
        weir_blob blob = put_text(p, text, "user");
        /* What is not ours is left alone. */
        object_path(p, "sha256", blob.digest, "-other", path);
        close(open(path, O_CREAT | O_WRONLY, 0600));
    }
    size_t count = 0;
    for (;;) {
        page.count = 0;
        assert_true(weir_blob_list(p->blobs, after, &page, &error));
        if (!page.count) break;
        for (size_t i = 0; i < page.count; i++, count++) {
            assert_true(strcmp(after, page.items[i].digest) < 0);
            memcpy(after, page.items[i].digest, sizeof after);
            assert_in_range(page.items[i].size, 6, 7);
        }
    }
    assert_int_equal(count, 20);
    weir_vector_deinit(&page);
}

static void damage_is_seen_and_made_good(void **state) {
    place *p = place_of(state);
    char path[400];
    weir_blob blob = put_text(p, "precious", "user");
    object_path(p, "sha256", blob.digest, "", path);
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY);
    assert_int_equal(write(fd, "P", 1), 1);
    close(fd);
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_STORE);
    assert_int_equal(truncate(path, 3), 0);
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_STORE);
    assert_false(put_text(p, "precious", "user").there);
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_OK);
}

static void hostile_names_are_refused(void **state) {
    place *p = place_of(state);
    size_t large = 10 << 20;
    char *letters = malloc(large + 1);
    memset(letters, 'a', large);
    letters[large] = '\0';
    const weir_str owners[] = {
        s(""),           s("."),      s(".."),  s("../x"), s("a/b"),
        s("a\nb"),       {"a\0b", 3}, s("a b"), s("é"),    {letters, WEIR_BLOB_OWNER_MAX + 1},
        {letters, large}};
    const weir_str digests[] = {
        s(""),
        s("sha256:"),
        s("abc"),
        s("../../etc/passwd"),
        {letters, large},
        {letters, 71},
        s("sha256:../../../../../../../../../../../../../../../../../../../etc/pas"),
        s("sha256:BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"),
        s("md5:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad000")};
    weir_error error;
    weir_blob blob;
    int fd = content_of(1, 1);
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
        assert_false(weir_blob_put(p->blobs, fd, owners[i], &blob, &error));
        assert_int_equal(error.code, WEIR_INVALID);
    }
    for (size_t i = 0; i < sizeof digests / sizeof *digests; i++) {
        assert_false(weir_blob_find(p->blobs, digests[i], &blob, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        assert_false(weir_blob_get(p->blobs, digests[i], 0, UINT64_MAX, fd, &error));
        assert_int_equal(error.code, WEIR_INVALID);
        assert_false(weir_blob_drop(p->blobs, digests[i], s("user"), NULL, &error));
        assert_int_equal(error.code, WEIR_INVALID);
    }
    assert_true(put(p, fd, "user").size == 1);
    close(fd);
    free(letters);
}

/* Several threads put, read and drop the same blob while another one prunes: what an owner refers to is there. */
typedef struct crowd {
    place *p;
    int number, rounds;
    atomic_bool *end;
} crowd;

static void *put_and_drop(void *arg) {
    const crowd *c = arg;
    char owner[16];
    weir_error error;
    snprintf(owner, sizeof owner, "owner-%d", c->number);
    for (int round = 0; round < c->rounds; round++) {
        weir_blob blob = put_text(c->p, "wanted by all", owner);
        assert_int_equal(get(c->p, blob.digest, 0, UINT64_MAX, NULL), WEIR_OK);
        assert_true(weir_blob_drop(c->p->blobs, s(blob.digest), s(owner), NULL, &error));
    }
    return NULL;
}

static void *prune_on(void *arg) {
    const crowd *c = arg;
    weir_blob_pruned pruned;
    weir_error error;
    while (!atomic_load(c->end)) {
        if (!weir_blob_prune(c->p->blobs, true, &pruned, &error)) fail_msg("%s", error.message);
        usleep(1000);
    }
    return NULL;
}

static void nothing_is_pruned_that_somebody_puts(void **state) {
    place *p = place_of(state);
    bool s3 = strncmp(p->where, "s3:", 3) == 0;
    atomic_bool end = false;
    crowd crowds[5];
    pthread_t threads[5];
    for (int i = 0; i < 5; i++) {
        crowds[i] = (crowd){p, i, s3 ? 6 : 25, &end};
        pthread_create(&threads[i], NULL, i ? put_and_drop : prune_on, &crowds[i]);
    }
    for (int i = 1; i < 5; i++) pthread_join(threads[i], NULL);
    atomic_store(&end, true);
    pthread_join(threads[0], NULL);
    weir_blob_page page = {0};
    weir_error error;
    assert_true(weir_blob_list(p->blobs, "", &page, &error));
    assert_int_equal(page.count, 0);
    weir_vector_deinit(&page);
}

/* --- of a job ------------------------------------------------------------------------------- */

typedef struct asked {
    place *p;
    weir_blob blob;
    int fd, ended;
    weir_code code;
} asked;

static bool put_job(void *arg, weir_error *error) {
    asked *a = arg;
    return weir_blob_put(a->p->blobs, a->fd, s("user"), &a->blob, error);
}

static void job_done(void *arg, const weir_error *error) {
    asked *a = arg;
    a->ended++;
    a->code = error ? error->code : WEIR_OK;
}

static void jobs_run_on_the_pool(void **state) {
    place *p = place_of(state);
    weir_loop *loop;
    weir_error error;
    asked a[2] = {{.p = p, .fd = content_of(100000, 7)}, {.p = p, .fd = -1}};
    weir_blob_job jobs[2];
    assert_true(weir_loop_open(&loop, &error));
    for (int i = 0; i < 2; i++) {
        jobs[i] = (weir_blob_job){.work = put_job, .done = job_done, .arg = &a[i]};
        weir_blob_start(loop, &jobs[i]);
    }
    while (a[0].ended + a[1].ended < 2) weir_loop_once(loop, true);
    assert_int_equal(a[0].code, WEIR_OK);
    assert_int_equal(a[0].blob.size, 100000);
    assert_int_equal(a[1].code, WEIR_IO);
    close(a[0].fd);
    weir_loop_close(loop);
}

/* --- of a directory ------------------------------------------------------------------------- */

static void links_are_not_followed(void **state) {
    place *p = place_of(state);
    char path[400], link[400], elsewhere[100];
    weir_error error;
    weir_blob blob = put_text(p, "linked", "user"), found;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    object_path(p, "sha256", blob.digest, "", path);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_IO);
    assert_false(weir_blob_find(p->blobs, s(blob.digest), &found, &error));
    assert_false(put_text(p, "linked", "user").there); /* replaces the link */
    assert_int_equal(get(p, blob.digest, 0, UINT64_MAX, NULL), WEIR_OK);
    snprintf(link, sizeof link, "%s/refs", p->root);
    snprintf(path, sizeof path, "%s/refs-moved", p->root);
    assert_int_equal(rename(link, path), 0);
    assert_int_equal(symlink(path, link), 0);
    int fd = content_of(10, 3);
    assert_false(weir_blob_put(p->blobs, fd, s("user"), &blob, &error));
    assert_int_equal(error.code, WEIR_IO);
    close(fd);
}

typedef struct waiting {
    place *p;
    bool prune;
    atomic_bool done;
} waiting;

static void *pass_the_gate(void *arg) {
    waiting *w = arg;
    weir_blob_pruned pruned;
    weir_error error;
    if (w->prune)
        assert_true(weir_blob_prune(w->p->blobs, true, &pruned, &error));
    else
        put_text(w->p, "waits", "user");
    atomic_store(&w->done, true);
    return NULL;
}

/* Who removes blobs waits for who puts some, and the other way round; those who put do not wait for each other. */
static void one_waits_for_the_other(void **state) {
    place *p = place_of(state);
    static const struct {
        int held;
        bool prune, waits;
    } cases[] = {{LOCK_SH, true, true}, {LOCK_EX, false, true}, {LOCK_SH, false, false}};
    char path[300];
    put_text(p, "there", "user");
    snprintf(path, sizeof path, "%s/lock", p->root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        waiting w = {.p = p, .prune = cases[i].prune};
        pthread_t thread;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(flock(fd, cases[i].held), 0);
        pthread_create(&thread, NULL, pass_the_gate, &w);
        for (int n = 0; n < (cases[i].waits ? 10 : 1000) && !atomic_load(&w.done); n++)
            usleep(10000);
        assert_int_equal(atomic_load(&w.done), !cases[i].waits);
        close(fd);
        pthread_join(thread, NULL);
    }
}

static void leftovers_are_swept(void **state) {
    place *p = place_of(state);
    char path[400];
    weir_error error;
    weir_blob_pruned pruned;
    put_text(p, "x", "user");
    snprintf(path, sizeof path, "%s/tmp/123-left", p->root);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_true(weir_blob_prune(p->blobs, true, &pruned, &error));
    assert_int_equal(pruned.leftovers, 1);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    weir_blobs *again;
    assert_true(weir_blobs_open(p->where, true, &again, &error));
    weir_blobs_close(again);
    assert_int_equal(access(path, F_OK), -1);
}

static void places_that_cannot_be(void **state) {
    (void)state;
    char file[100], below[120], missing[100], deep[120];
    weir_error error;
    weir_blobs *blobs;
    snprintf(file, sizeof file, "%s/file", folder);
    snprintf(below, sizeof below, "%s/x", file);
    snprintf(missing, sizeof missing, "%s/missing", folder);
    snprintf(deep, sizeof deep, "%s/a/b/c", missing);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    const struct {
        const char *where;
        bool make;
        weir_code code;
    } cases[] = {
        {file, true, WEIR_IO}, {below, true, WEIR_IO},           {missing, false, WEIR_NOT_FOUND},
        {deep, true, WEIR_IO}, {"http://x/y", true, WEIR_USAGE}, {"", true, WEIR_IO}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_false(weir_blobs_open(cases[i].where, cases[i].make, &blobs, &error));
        assert_int_equal(error.code, cases[i].code);
    }
}

/* --- of S3 ---------------------------------------------------------------------------------- */

static void wrong_urls_are_refused(void **state) {
    (void)state;
    static const char *const urls[] = {"s3://",
                                       "s3://a",
                                       "s3:///x",
                                       "s3://UPPER",
                                       "s3://a..b",
                                       "s3://bucket/../x",
                                       "s3://bucket/a//b",
                                       "s3://bucket/%zz",
                                       "s3://bucket/a%0ab",
                                       "s3://bucket?nothing=1",
                                       "s3://bucket?endpoint=",
                                       "s3://bucket?endpoint=ftp://x",
                                       "s3://bucket?endpoint=http://user:pass@x",
                                       "s3://bucket?endpoint=http://x/path",
                                       "s3://bucket?style=other",
                                       "s3://bucket?attempts=0",
                                       "s3://bucket?attempts=x",
                                       "s3://bucket?leftover=soon",
                                       "s3://bucket?region=a/b"};
    weir_error error;
    weir_blobs *blobs;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        if (weir_blobs_open(urls[i], true, &blobs, &error)) fail_msg("%s is taken", urls[i]);
        assert_int_equal(error.code, WEIR_INVALID);
    }
}

static void refusals_say_why(void **state) {
    place_of(state);
    static const struct {
        const char *access, *secret, *url, *said;
        weir_code code;
    } cases[] = {
        {"access", "wrong-secret", "s3://bucket", "the secret key is wrong", WEIR_STORE},
        {"nobody", "s3cr3t", "s3://bucket", "does not know the access key", WEIR_STORE},
        {"access", "s3cr3t", "s3://no-such-bucket", "has no bucket", WEIR_NOT_FOUND},
        {"access", "s3cr3t", "s3://bucket?region=eu-north-1", "but in us-east-1", WEIR_INVALID},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char url[300];
        weir_error errors[4];
        weir_blobs *blobs;
        weir_blob blob;
        weir_blob_page page = {0};
        snprintf(url, sizeof url, "%s%cendpoint=%s", cases[i].url,
                 strchr(cases[i].url, '?') ? '&' : '?', server_url);
        setenv("AWS_ACCESS_KEY_ID", cases[i].access, 1);
        setenv("AWS_SECRET_ACCESS_KEY", cases[i].secret, 1);
        assert_true(weir_blobs_open(url, true, &blobs, &errors[0]));
        int fd = content_of(10, 1);
        assert_false(weir_blob_put(blobs, fd, s("user"), &blob, &errors[0]));
        assert_false(weir_blob_list(blobs, "", &page, &errors[1]));
        assert_false(weir_blob_get(
            blobs, s("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), 0,
            5, fd, &errors[3]));
        assert_false(weir_blob_find(
            blobs, s("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            &blob, &errors[2]));
        for (int e = 0; e < 4; e++) {
            assert_non_null(strstr(errors[e].message, cases[i].said));
            assert_int_equal(errors[e].code, cases[i].code);
            assert_null(strstr(errors[e].message, cases[i].secret));
        }
        close(fd);
        weir_blobs_close(blobs);
    }
    setenv("AWS_ACCESS_KEY_ID", "access", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t", 1);
}

static void credentials_come_from_a_profile(void **state) {
    place_of(state);
    char file[100], url[300];
    weir_error error;
    weir_blobs *blobs;
    snprintf(file, sizeof file, "%s/credentials", folder);
    FILE *credentials = fopen(file, "w");
    fprintf(credentials, "[default]\naws_access_key_id = nobody\naws_secret_access_key=x\n\n"
                         "[ other ]\naws_access_key_id=access\n  aws_secret_access_key = s3cr3t\n");
    fclose(credentials);
    setenv("AWS_SHARED_CREDENTIALS_FILE", file, 1);
    for (int i = 0; i < 3; i++) { /* default, other, none such */
        static const char *const profiles[] = {"default", "other", "missing"};
        snprintf(url, sizeof url, "s3://bucket/p?endpoint=%s&profile=%s", server_url, profiles[i]);
        bool opened = weir_blobs_open(url, true, &blobs, &error);
        assert_int_equal(opened, i < 2);
        if (!opened) {
            assert_int_equal(error.code, WEIR_NOT_FOUND);
            continue;
        }
        weir_blob blob;
        int fd = content_of(10, 1);
        assert_int_equal(weir_blob_put(blobs, fd, s("user"), &blob, &error), i == 1);
        close(fd);
        weir_blobs_close(blobs);
    }
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
}

#define BOTH(test)                                                                                 \
    {#test " (directory)", test, open_directory, close_place, NULL}, {                             \
#test " (S3)", test, open_s3, close_place, NULL                                            \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(what_is_put_comes_back),
        BOTH(bytes_are_put_and_read),
        BOTH(a_pipe_is_put_to_its_end),
        BOTH(ranges_are_parts),
        BOTH(a_blob_goes_with_its_last_owner),
        BOTH(pruning_removes_what_nobody_refers_to),
        BOTH(lists_are_sorted_and_whole),
        BOTH(damage_is_seen_and_made_good),
        BOTH(hostile_names_are_refused),
        BOTH(nothing_is_pruned_that_somebody_puts),
        BOTH(jobs_run_on_the_pool),
        cmocka_unit_test_setup_teardown(links_are_not_followed, open_directory, close_place),
        cmocka_unit_test_setup_teardown(one_waits_for_the_other, open_directory, close_place),
        cmocka_unit_test_setup_teardown(leftovers_are_swept, open_directory, close_place),
        cmocka_unit_test(places_that_cannot_be),
        cmocka_unit_test(wrong_urls_are_refused),
        cmocka_unit_test_setup_teardown(refusals_say_why, open_s3, close_place),
        cmocka_unit_test_setup_teardown(credentials_come_from_a_profile, open_s3, close_place),
    };
    return cmocka_run_group_tests(tests, begin_all, end_all);
}
