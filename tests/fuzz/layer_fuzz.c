/* A layer of any bytes is unpacked or refused, and nothing outside of its folder is touched. The module is linked in. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/remove.h"
#include "image/layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const weir__layer_functions *weir_layer_functions(void);

enum { ENTRIES_MAX = 1000, BYTES_MAX = 4 * 1024 * 1024, BLOCK_BYTES = 512 };

static void remove_place(void);

/* FOLDER/layer, and beside it a file and a link that nobody may write to. */
static const char *make_place(void) {
    static char place[] = "/dev/shm/weir-layer-fuzz-XXXXXX"; /* no disk to wait for */
    static bool made;
    if (made) return place;
    weir_assert(mkdtemp(place) && chdir(place) == 0);
    weir_assert(mkdir("layer", 0700) == 0 && symlink("layer", "link") == 0);
    int fd = open("secret", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    weir_assert(fd >= 0 && write(fd, "secret", 6) == 6 && close(fd) == 0);
    made = atexit(remove_place) == 0;
    return place;
}

static void check_outside(void) {
    char text[16] = {0};
    struct stat info;
    int fd = open("secret", O_RDONLY | O_CLOEXEC);
    weir_assert(fd >= 0 && fstat(fd, &info) == 0 && info.st_nlink == 1 && info.st_size == 6 &&
                (info.st_mode & 07777) == 0600);
    weir_assert(read(fd, text, sizeof text - 1) == 6 && strcmp(text, "secret") == 0);
    weir_assert(close(fd) == 0 && stat(".", &info) == 0 && info.st_nlink == 3);
}

/* Gives each header the checksum that it should have, for no chance finds it; where the size is none, the next block is a header. */
static void mend(unsigned char *bytes, size_t size) {
    for (size_t at = 0; at + BLOCK_BYTES <= size;) {
        unsigned char *header = bytes + at;
        unsigned sum = 0;
        char text[13] = {0};
        memcpy(text, header + 124, 12);
        unsigned long long length = strtoull(text, NULL, 8);
        memset(header + 148, ' ', 8);
        for (size_t i = 0; i < BLOCK_BYTES; i++) sum += header[i];
        if (sum != 8 * ' ') {
            snprintf(text, sizeof text, "%06o", sum & 0777777);
            memcpy(header + 148, text, 7);
        } else {
            memset(header + 148, 0, 8); /* the end */
        }
        at += BLOCK_BYTES;
        if (length < size) at += (size_t)(length + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    }
}

static void remove_place(void) {
    weir__remove_within(".", SIZE_MAX);
    (void)rmdir(make_place());
}

static bool is_packed(const uint8_t *data, size_t size) {
    return size > 4 && (data[0] == 0x1f || data[0] == 0x28 || data[0] == 0xfd || data[0] == 'B');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    weir__layer_outcome outcome;
    weir_error error = {0};
    (void)make_place();
    int blob = memfd_create("layer", MFD_CLOEXEC);
    unsigned char *bytes = weir_alloc(size);
    if (size) memcpy(bytes, data, size);
    if (!is_packed(data, size)) mend(bytes, size);
    weir_assert(blob >= 0 && write(blob, bytes, size) == (ssize_t)size &&
                lseek(blob, 0, SEEK_SET) == 0);
    weir_free(bytes);
    int folder = open("layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    weir_assert(folder >= 0);
    const weir__layer_request request = {.what = "layer",
                                         .blob = blob,
                                         .size = size,
                                         .folder = folder,
                                         .entries_max = ENTRIES_MAX,
                                         .bytes_max = BYTES_MAX};
    if (!weir_layer_functions()->unpack(&request, &outcome, &error))
        weir_assert(error.code && error.message[0]);
    check_outside();
    close(folder);
    close(blob);
    weir_assert(chmod("layer", 0700) == 0);
    weir_assert(weir__remove_within("layer", SIZE_MAX));
    return 0;
}
