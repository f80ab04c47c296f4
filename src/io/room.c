#include "io/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/vector.h"
#include "io/loop.h"

enum {
    LOCK_TRIES = 20, /* a millisecond each: who has it longer was stopped, and is not waited for */
    ALIVE_US =
        5 * 1000 * 1000, /* who waits, and was not heard of for longer, keeps nobody waiting */
    PATIENCE_US =
        60 * 1000 *
        1000, /* then what was promised and not taken counts no more for who is kept from all */
    BOOK_LOCK = 0, /* the byte; those behind it are of slots */
    SLOT_LOCKS = 1
};

static const char HEAD[64] = "weir: memory that was promised 1";

/* As it is in the file. */
typedef struct slot {
    uint64_t pid; /* 0: nobody's */
    uint64_t group;
    uint64_t promised;
    uint64_t since_us,
        seen_us; /* when it began to wait, by the steady clock, 0: it does not; and was heard of last */
    uint64_t passed; /* by others, since then */
    uint64_t unused[2];
} slot;

struct weir_room {
    int file;
    const char *root;
    size_t own; /* the slot's place */
    slot mine;
    WEIR_VECTOR(slot)
    slots; /* as they were read last; without this one, the dead and those above */
    WEIR_VECTOR(int) above;
    weir_hardware here;
    uint64_t group_bytes, machine_bytes; /* for all who share them; UINT64_MAX: not known */
    uint64_t group_others, machine_others, told_others;
    uint64_t refused_us; /* since when nothing was granted */
};

/* --- the file ------------------------------------------------------------------------------------- */

static struct flock byte_of(size_t at, short type) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
}

static bool take(const weir_room *room, size_t at) {
    struct flock lock = byte_of(at, F_WRLCK);
    return fcntl(room->file, F_OFD_SETLK, &lock) == 0;
}

static void give(const weir_room *room, size_t at) {
    struct flock lock = byte_of(at, F_UNLCK);
    (void)fcntl(room->file, F_OFD_SETLK, &lock);
}

static void lock_book(const weir_room *room) {
    for (int i = 0; i < LOCK_TRIES && !take(room, BOOK_LOCK); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
}

static off_t place_of(size_t at) {
    return (off_t)(sizeof HEAD + at * sizeof(slot));
}

/* What cannot be written, as memory is used up, was not said: then others know less, as they would without the book. */
static void write_at(const weir_room *room, const void *bytes, size_t length, off_t place) {
    if (pwrite(room->file, bytes, length, place) < 0) return;
}

static void write_mine(const weir_room *room) {
    const slot mine = room->mine;
    write_at(room, &mine, sizeof mine, place_of(room->own));
}

static void write_number(const weir_room *room, size_t at, size_t member, uint64_t number) {
    write_at(room, &number, sizeof number, place_of(at) + (off_t)member);
}

static bool is_dead(const weir_room *room, size_t at) {
    struct flock lock = byte_of(SLOT_LOCKS + at, F_WRLCK);
    return fcntl(room->file, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;
}

static bool is_above(const weir_room *room, uint64_t pid) {
    for (size_t i = 0; i < room->above.count; i++)
        if ((uint64_t)room->above.items[i] == pid) return true;
    return false;
}

static uint64_t plus(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The others that live; `unused` of one says its place. */
static void read_slots(weir_room *room) {
    static const size_t most = WEIR_ROOM_SLOTS_MAX * sizeof(slot);
    slot *all = weir_alloc(most);
    ssize_t length = pread(room->file, all, most, place_of(0));
    size_t count = length > 0 ? (size_t)length / sizeof *all : 0;
    room->slots.count = 0;
    room->group_others = room->machine_others = 0;
    for (size_t i = 0; i < count; i++) {
        slot *it = &all[i];
        if (i == room->own) room->mine.passed = it->passed;
        if (i == room->own || !it->pid || (!it->promised && !it->since_us) || is_dead(room, i))
            continue;
        it->unused[0] = i;
        *weir_vector_push(&room->slots) = *it;
        if (is_above(room, it->pid)) continue;
        room->machine_others = plus(room->machine_others, it->promised);
        if (it->group == room->here.group)
            room->group_others = plus(room->group_others, it->promised);
    }
    weir_free(all);
}

/* --- life cycle ------------------------------------------------------------------------------------- */

/* Nobody else's: who could write into it would decide what begins here. */
static bool is_ours(int file) {
    struct stat found;
    return fstat(file, &found) == 0 && S_ISREG(found.st_mode) && found.st_uid == geteuid() &&
           !(found.st_mode & 077);
}

static int open_book(const char *path) {
    char head[sizeof HEAD];
    int file = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    if (file < 0) return -1;
    bool fits = is_ours(file);
    if (fits && pread(file, head, sizeof head, 0) <= 0)
        fits = pwrite(file, HEAD, sizeof HEAD, 0) == sizeof HEAD; /* others write the same */
    fits = fits && pread(file, head, sizeof head, 0) == sizeof head &&
           memcmp(head, HEAD, sizeof head) == 0;
    if (fits) return file;
    close(file);
    return -1;
}

static int open_users_book(void) {
    static const char *const folders[] = {"/dev/shm", "/tmp"};
    const char *said = getenv("WEIR_ROOM");
    char path[64];
    int file = said && *said ? open_book(said) : -1;
    for (size_t i = 0; (!said || !*said) && file < 0 && i < 2; i++) {
        snprintf(path, sizeof path, "%s/weir-room-%u", folders[i], (unsigned)geteuid());
        file = open_book(path);
    }
    return file;
}

weir_room *weir_room_open(const char *path, const char *root) {
    int file = path ? open_book(path) : open_users_book();
    if (file < 0) return NULL;
    weir_room *room = weir_alloc(sizeof *room);
    room->file = file;
    room->root = root;
    room->group_bytes = room->machine_bytes = UINT64_MAX;
    while (room->own < WEIR_ROOM_SLOTS_MAX && !take(room, SLOT_LOCKS + room->own)) room->own++;
    if (room->own == WEIR_ROOM_SLOTS_MAX) {
        close(file);
        weir_free(room);
        return NULL;
    }
    room->mine.pid = (uint64_t)getpid();
    write_mine(room);
    return room;
}

void weir_room_close(weir_room *room) {
    if (!room) return;
    room->mine = (slot){0};
    write_mine(room);
    close(room->file);
    weir_vector_deinit(&room->slots);
    weir_vector_deinit(&room->above);
    weir_free(room);
}

/* --- looking ---------------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

typedef WEIR_VECTOR(weir_family) family_list;

/* A process may have several slots. */
static uint64_t taken_of(const slot *it, const family_list *families) {
    uint64_t taken = 0;
    for (size_t i = 0; i < families->count; i++) {
        weir_family *family = &families->items[i];
        if ((uint64_t)family->pid != it->pid) continue;
        taken = least(it->promised, family->bytes);
        family->bytes -= taken;
        break;
    }
    return taken;
}

static void add_family(family_list *families, uint64_t pid) {
    for (size_t i = 0; i < families->count; i++)
        if ((uint64_t)families->items[i].pid == pid) return;
    *weir_vector_push(families) = (weir_family){.pid = (int)pid};
}

/* What all may promise: what is there, and what of their promises is taken already. What is available is read before their processes and after them:
 * meanwhile one may have ended, or grown. */
static void measure(weir_room *room) {
    family_list families = {0};
    weir_hardware before;
    weir_hardware_read(room->root, &before);
    add_family(&families, room->mine.pid);
    for (size_t i = 0; i < room->slots.count; i++) add_family(&families, room->slots.items[i].pid);
    weir_hardware_families(room->root, families.items, families.count);
    weir_hardware_read(room->root, &room->here);
    room->above.count = 0;
    for (size_t i = 1; i < families.count; i++)
        if (families.items[i].has_self) *weir_vector_push(&room->above) = families.items[i].pid;
    uint64_t mine = taken_of(&room->mine, &families),
             in_group = mine + least(before.available_bytes, room->here.available_bytes),
             in_all =
                 mine + least(before.machine_available_bytes, room->here.machine_available_bytes);
    for (size_t i = 0; i < room->slots.count; i++) {
        const slot *it = &room->slots.items[i];
        uint64_t taken = is_above(room, it->pid) ? 0 : taken_of(it, &families);
        in_all += taken;
        if (it->group == room->here.group) in_group += taken;
    }
    room->group_bytes = room->here.available_bytes ? in_group : UINT64_MAX;
    room->machine_bytes = room->here.machine_available_bytes ? in_all : UINT64_MAX;
    weir_vector_deinit(&families);
}

void weir_room_look(weir_room *room, weir_hardware *out) {
    read_slots(room);
    measure(room);
    if (room->mine.group != room->here.group) {
        room->mine.group = room->here.group;
        write_number(room, room->own, offsetof(slot, group), room->mine.group);
    }
    read_slots(room); /* now it is known who is above, and in which group this one is */
    *out = room->here;
}

/* --- promising -------------------------------------------------------------------------------------- */

/* Whether another came before that was passed by often enough. */
static bool is_barred(const weir_room *room, uint64_t now_us) {
    for (size_t i = 0; i < room->slots.count; i++) {
        const slot *it = &room->slots.items[i];
        bool before = it->since_us && (!room->mine.since_us || it->since_us < room->mine.since_us);
        if (before && it->passed >= WEIR_ROOM_PASSES && it->seen_us + ALIVE_US > now_us &&
            !is_above(room, it->pid))
            return true;
    }
    return false;
}

static bool fits(uint64_t all, uint64_t more, uint64_t others, uint64_t bytes) {
    bool alone = !others && all == more;
    return alone || (others <= bytes && all <= bytes - others);
}

/* Who has nothing, and got nothing for a long time, may be what the others wait for: a part of one of their tasks, which none of the files that
 * are seen here shows. */
static bool may_wait_no_longer(weir_room *room, uint64_t all, uint64_t more, uint64_t now_us) {
    if (all != more || !room->refused_us || now_us - room->refused_us < PATIENCE_US) return false;
    weir_hardware_read(room->root, &room->here);
    return more <= room->here.available_bytes;
}

static void pass(const weir_room *room) {
    for (size_t i = 0; i < room->slots.count; i++)
        if (room->slots.items[i].since_us)
            write_number(room, room->slots.items[i].unused[0], offsetof(slot, passed),
                         room->slots.items[i].passed + 1);
}

bool weir_room_promise(weir_room *room, uint64_t all, uint64_t more, bool first) {
    uint64_t now_us = weir_clock_steady_us();
    lock_book(room);
    read_slots(room);
    bool granted = !is_barred(room, now_us) &&
                   fits(all, more, room->group_others, room->group_bytes) &&
                   fits(all, more, room->machine_others, room->machine_bytes);
    granted = granted || may_wait_no_longer(room, all, more, now_us);
    if (granted) {
        pass(room);
        room->mine.promised = all;
        room->refused_us = 0;
        if (first) room->mine.since_us = 0;
    } else {
        if (!room->refused_us) room->refused_us = now_us;
        if (first && !room->mine.since_us) {
            room->mine.since_us = now_us;
            room->mine.passed = 0;
        }
        room->mine.seen_us = now_us;
    }
    write_mine(room);
    give(room, BOOK_LOCK);
    return granted;
}

void weir_room_keep(weir_room *room, uint64_t all) {
    if (room->mine.promised == all) return;
    room->mine.promised = all;
    write_number(room, room->own, offsetof(slot, promised), all);
}

void weir_room_rest(weir_room *room) {
    if (!room->mine.since_us) return;
    room->mine.since_us = room->refused_us = 0;
    write_number(room, room->own, offsetof(slot, since_us), 0);
}

bool weir_room_changed(weir_room *room) {
    room->mine.seen_us = weir_clock_steady_us();
    if (room->mine.since_us)
        write_number(room, room->own, offsetof(slot, seen_us), room->mine.seen_us);
    read_slots(room);
    bool less = room->machine_others < room->told_others;
    room->told_others = room->machine_others;
    return less;
}

uint64_t weir_room_bytes(const weir_room *room) {
    uint64_t group = room->group_bytes, all = room->machine_bytes;
    if (group == UINT64_MAX && all == UINT64_MAX) return 0;
    if (group != UINT64_MAX) group = group > room->group_others ? group - room->group_others : 1;
    if (all != UINT64_MAX) all = all > room->machine_others ? all - room->machine_others : 1;
    return least(group, all);
}

uint64_t weir_room_others(const weir_room *room) {
    return room->machine_others;
}
