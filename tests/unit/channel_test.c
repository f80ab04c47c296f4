/* Channels: messages of any size and their descriptors arrive whole and in order, the other end's end is told once, and what is no
 * message ends it. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/vector.h"
#include "io/channel.h"

typedef struct heard {
    WEIR_VECTOR(size_t) lengths;
    WEIR_VECTOR(int) descriptors;
    char last;
    int gone;
} heard;

static void hear(void *arg, weir_str bytes, const int *descriptors, size_t count) {
    heard *h = arg;
    *weir_vector_push(&h->lengths) = bytes.length;
    h->last = bytes.length ? bytes.data[bytes.length - 1] : '\0';
    for (size_t i = 0; i < count; i++) *weir_vector_push(&h->descriptors) = descriptors[i];
}

static void note_gone(void *arg) {
    ((heard *)arg)->gone++;
}

/* Two channels that talk to each other. */
typedef struct talk {
    weir_loop *loop;
    weir_channel *a, *b;
    heard at_a, at_b;
} talk;

static void until(talk *t, size_t messages) {
    while (t->at_b.lengths.count < messages) weir_loop_once(t->loop, true);
}

static weir_channel *open_end(weir_loop *loop, heard *h, size_t max, int *other) {
    weir_channel *channel;
    weir_error error;
    weir_channel_options options = {
        .message_max = max, .message = hear, .gone = note_gone, .arg = h};
    assert_true(weir_channel_open(loop, &options, &channel, other, &error));
    return channel;
}

static void close_heard(heard *h) {
    for (size_t i = 0; i < h->descriptors.count; i++) close(h->descriptors.items[i]);
    weir_vector_deinit(&h->descriptors);
    weir_vector_deinit(&h->lengths);
}

static void test_messages_arrive_whole(void **state) {
    (void)state;
    weir_error error;
    weir_loop *loop;
    heard h = {0};
    int other;
    assert_true(weir_loop_open(&loop, &error));
    weir_channel *channel = open_end(loop, &h, 64 << 20, &other);
    static const size_t sizes[] = {0, 1, 7, 8, 70000, 1 << 20, 9 << 20, 3};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    size_t written = 0, total = 0;
    weir_buffer all = {0};
    for (size_t i = 0; i < SIZES; i++) {
        unsigned char head[8] = {(unsigned char)sizes[i], (unsigned char)(sizes[i] >> 8),
                                 (unsigned char)(sizes[i] >> 16), (unsigned char)(sizes[i] >> 24)};
        weir_buffer_append(&all, head, sizeof head);
        weir_buffer_reserve(&all, sizes[i]);
        memset(all.data + all.length, 'a' + (int)i, sizes[i]);
        all.length += sizes[i];
    }
    total = all.length;
    fcntl(other, F_SETFL, O_NONBLOCK);
    while (h.lengths.count < SIZES) {
        ssize_t sent =
            written < total ? send(other, all.data + written, total - written, MSG_NOSIGNAL) : 0;
        if (sent > 0) written += (size_t)sent;
        weir_loop_once(loop, false);
    }
    for (size_t i = 0; i < SIZES; i++) assert_int_equal(h.lengths.items[i], sizes[i]);
    assert_int_equal(h.last, 'a' + SIZES - 1);
    close(other);
    while (!h.gone) weir_loop_once(loop, true);
    weir_loop_once(loop, false);
    assert_int_equal(h.gone, 1);
    weir_channel_send(channel, WEIR_STR("nobody"), NULL, 0);
    assert_int_equal(weir_channel_unsent(channel), 0);
    weir_channel_close(channel);
    weir_loop_close(loop);
    weir_buffer_deinit(&all);
    close_heard(&h);
}

/* What one channel sends, read by hand: headers, bytes and descriptors. */
static void test_descriptors_go_with_their_message(void **state) {
    (void)state;
    weir_error error;
    weir_loop *loop;
    heard h = {0};
    int other, fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(weir_loop_open(&loop, &error));
    assert_int_equal(write(fd, "content", 7), 7);
    weir_channel *channel = open_end(loop, &h, 1024, &other);
    weir_channel_send(channel, WEIR_STR("first"), NULL, 0);
    weir_channel_send(channel, WEIR_STR("second"), (int[]){fd, fd}, 2);
    close(fd);
    weir_channel_send(channel, WEIR_STR("third"), NULL, 0);
    /* They come back to a second channel, whose other end they are sent into. */
    int back;
    weir_channel *mirror = open_end(loop, &h, 1024, &back);
    for (int descriptors = 0; h.lengths.count < 3;) {
        char bytes[256];
        union {
            struct cmsghdr align;
            char bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec part = {bytes, sizeof bytes};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        ssize_t count = recvmsg(other, &message, MSG_DONTWAIT);
        if (count > 0) {
            part.iov_len = (size_t)count;
            struct cmsghdr *header = CMSG_FIRSTHDR(&message);
            int passed = -1;
            if (header) memcpy(&passed, CMSG_DATA(header), sizeof passed);
            if (!header) message.msg_controllen = 0, message.msg_control = NULL;
            descriptors += header != NULL;
            assert_int_equal(sendmsg(back, &message, 0), count);
            if (passed >= 0) close(passed);
        }
        weir_loop_once(loop, false);
        assert_true(descriptors <= 2);
    }
    assert_int_equal(h.lengths.items[0], 5);
    assert_int_equal(h.lengths.items[1], 6);
    assert_int_equal(h.descriptors.count, 2);
    char content[8] = {0};
    assert_int_equal(pread(h.descriptors.items[1], content, 7, 0), 7);
    assert_string_equal(content, "content");
    weir_channel_close(channel);
    weir_channel_close(mirror);
    close(other);
    close(back);
    weir_loop_close(loop);
    close_heard(&h);
}

static void test_what_is_no_message_ends_it(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "\xff\xff\x00\x00\x00\x00\x00\x00",  /* longer than it may be */
        "\x01\x00\x00\x00\x01\x00\x00\x00"}; /* a descriptor did not come */
    for (size_t i = 0; i < 2; i++) {
        weir_error error;
        weir_loop *loop;
        heard h = {0};
        int other;
        assert_true(weir_loop_open(&loop, &error));
        weir_channel *channel = open_end(loop, &h, 1024, &other);
        assert_int_equal(write(other, wrong[i], 8), 8);
        while (!h.gone) weir_loop_once(loop, true);
        assert_int_equal(h.lengths.count, 0);
        weir_channel_close(channel);
        close(other);
        weir_loop_close(loop);
        close_heard(&h);
    }
}

static void test_waiting_without_the_loop(void **state) {
    (void)state;
    weir_error error;
    talk t = {0};
    int other;
    assert_true(weir_loop_open(&t.loop, &error));
    t.b = open_end(t.loop, &t.at_b, 1024, &other);
    assert_false(weir_channel_wait(t.b, 10 * 1000));
    assert_int_equal(write(other, "\x02\0\0\0\0\0\0\0hi\x01\0\0\0\0\0\0\0!", 19), 19);
    assert_true(weir_channel_wait(t.b, 0)); /* it is there */
    assert_int_equal(t.at_b.lengths.count, 1);
    assert_true(weir_channel_wait(t.b, 1000 * 1000));
    until(&t, 2);
    assert_int_equal(write(other, "\x01\0\0\0\0\0\0\0?", 9), 9);
    close(other);
    assert_true(weir_channel_wait(t.b, 0)); /* the last that it said before it went */
    assert_false(weir_channel_wait(t.b, 1000 * 1000));
    assert_int_equal(t.at_b.gone, 1);
    weir_channel_close(t.b);
    weir_loop_close(t.loop);
    close_heard(&t.at_b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_arrive_whole),
        cmocka_unit_test(test_descriptors_go_with_their_message),
        cmocka_unit_test(test_what_is_no_message_ends_it),
        cmocka_unit_test(test_waiting_without_the_loop),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
