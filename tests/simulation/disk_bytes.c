#include "disk_bytes.h"

#include "base/memory.h"

enum { PAGE = 4096 };

typedef struct disk_page {
    uint32_t owners;
    char data[PAGE];
} disk_page;

static void unref(disk_page *page) {
    if (page && --page->owners == 0) weir_free(page);
}

void disk_bytes_deinit(disk_bytes *bytes) {
    for (size_t i = 0; i < bytes->pages.count; i++) unref(bytes->pages.items[i]);
    weir_vector_deinit(&bytes->pages);
    bytes->length = 0;
}

void disk_bytes_copy(disk_bytes *bytes, const disk_bytes *from) {
    if (bytes == from) return;
    for (size_t i = 0; i < from->pages.count; i++)
        if (from->pages.items[i]) from->pages.items[i]->owners++;
    for (size_t i = 0; i < bytes->pages.count; i++) unref(bytes->pages.items[i]);
    bytes->pages.count = 0;
    weir_vector_append(&bytes->pages, from->pages.items, from->pages.count);
    bytes->length = from->length;
}

/* The page, which nobody else has. */
static disk_page *own(disk_bytes *bytes, size_t at) {
    disk_page *page = bytes->pages.items[at];
    if (page && page->owners == 1) return page;
    disk_page *copy = weir_alloc(sizeof *copy);
    if (page) memcpy(copy->data, page->data, PAGE);
    unref(page);
    copy->owners = 1;
    return bytes->pages.items[at] = copy;
}

void disk_bytes_set_length(disk_bytes *bytes, uint64_t length) {
    size_t pages = (size_t)((length + PAGE - 1) / PAGE), rest = (size_t)(length % PAGE);
    bool shorter = length < bytes->length;
    while (bytes->pages.count > pages) unref(bytes->pages.items[--bytes->pages.count]);
    while (bytes->pages.count < pages) *weir_vector_push(&bytes->pages) = NULL;
    if (shorter && rest && bytes->pages.items[pages - 1])
        memset(own(bytes, pages - 1)->data + rest, 0, PAGE - rest);
    bytes->length = length;
}

void disk_bytes_put(disk_bytes *bytes, weir_str data, uint64_t offset) {
    if (data.length && bytes->length < offset + data.length)
        disk_bytes_set_length(bytes, offset + data.length);
    while (data.length) {
        size_t in = (size_t)(offset % PAGE);
        size_t some = data.length < PAGE - in ? data.length : PAGE - in;
        memcpy(own(bytes, (size_t)(offset / PAGE))->data + in, data.data, some);
        data = (weir_str){data.data + some, data.length - some};
        offset += some;
    }
}

size_t disk_bytes_read(const disk_bytes *bytes, void *to, size_t amount, uint64_t offset) {
    size_t there = offset < bytes->length ? (size_t)(bytes->length - offset) : 0;
    if (there > amount) there = amount;
    char *next = to;
    for (size_t left = there; left;) {
        size_t in = (size_t)(offset % PAGE), some = left < PAGE - in ? left : PAGE - in;
        const disk_page *page = bytes->pages.items[offset / PAGE];
        if (page)
            memcpy(next, page->data + in, some);
        else
            memset(next, 0, some);
        next += some;
        offset += some;
        left -= some;
    }
    return there;
}
