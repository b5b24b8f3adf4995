/* A disk that fails or is slow when a test says so: preloaded into the server, between it and libc.
 *
 * The environment names a file, DISK_CONTROL, that the test and this library share as memory (`struct control`). Calls
 * on paths below its `root` are held against its rules: an operation of a rule, on a path that contains the rule's
 * `part`, takes longer by `delay_ms` and fails with `error`, `left` times; a rule that `follows` does so once the rule
 * before it has applied. A write that fails is done in part.
 * `bytes_left`, unless negative, is the room that is left for writes. Syncs of files whose path contains `/wal/` are
 * noted, from when to when. Everything else goes on to libc.
 *
 * The test's side of the layout is tests/disks/control.rs.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { CREATE = 1, OPEN = 2, WRITE = 4, SYNC = 8, SYNC_DIR = 16, RENAME = 32, TRUNCATE = 64, UNLINK = 128 };
enum { RULES = 8, SYNCS = 65536, PART = 100, ROOT = 512 };

struct rule {
    uint32_t operations; /* 0: no rule */
    int32_t error;       /* 0: the operation is done */
    uint32_t left;       /* UINT32_MAX: until the test says otherwise */
    uint32_t delay_ms;
    uint64_t hits;
    uint32_t follows;
    char part[PART];
};

struct control {
    char root[ROOT];
    int64_t bytes_left;
    uint64_t syncs;
    struct {
        uint64_t begun_ns, ended_ns;
    } sync[SYNCS];
    struct rule rules[RULES];
};

static struct control *control;

#define REAL(name, ...) ((__typeof__(&name))real(#name))(__VA_ARGS__)

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_CONTROL");
    int fd = path ? REAL(open, path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED)
        abort();
    control = shared;
    close(fd);
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Until the time is over, or the test takes it back. */
static void wait_for(const struct rule *rule) {
    uint64_t begun = now_ns();
    while (now_ns() - begun < (uint64_t)__atomic_load_n(&rule->delay_ms, __ATOMIC_SEQ_CST) * 1000000u)
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

/* Whether a rule applies already. */
static int is_due(const struct rule *rule) {
    return !rule->follows || (rule > control->rules && __atomic_load_n(&rule[-1].hits, __ATOMIC_SEQ_CST) > 0);
}

/* Takes one of the times that a rule has left; whether there was one. */
static int take(struct rule *rule) {
    uint32_t left = __atomic_load_n(&rule->left, __ATOMIC_SEQ_CST);
    while (left != 0 && left != UINT32_MAX)
        if (__atomic_compare_exchange_n(&rule->left, &left, left - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return 1;
    return left != 0;
}

/* Holds an operation against the rules: 0, or -1 with errno set. */
static int admit(uint32_t operation, const char *path) {
    if (!control || !control->root[0] || strncmp(path, control->root, strlen(control->root)) != 0)
        return 0;
    for (struct rule *rule = control->rules; rule < control->rules + RULES; rule++) {
        uint32_t operations = __atomic_load_n(&rule->operations, __ATOMIC_SEQ_CST);
        if (!(operations & operation) || !strstr(path, rule->part) || !is_due(rule) || !take(rule))
            continue;
        __atomic_add_fetch(&rule->hits, 1, __ATOMIC_SEQ_CST);
        wait_for(rule);
        if (rule->error) {
            errno = rule->error;
            return -1;
        }
    }
    return 0;
}

static const char *path_of(int fd, char path[PATH_MAX]) {
    char link[32];
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    path[len < 0 ? 0 : len] = 0;
    errno = saved;
    return path;
}

/* How many of `len` bytes may be written; fewer than 1: none, with errno set. */
static ssize_t admit_write(int fd, size_t len) {
    char path[PATH_MAX];
    if (!control)
        return (ssize_t)len;
    path_of(fd, path);
    if (admit(WRITE, path) < 0)
        return -1;
    if (!control->root[0] || strncmp(path, control->root, strlen(control->root)) != 0)
        return (ssize_t)len;
    int64_t left = __atomic_load_n(&control->bytes_left, __ATOMIC_SEQ_CST), taken;
    do {
        if (left < 0)
            return (ssize_t)len;
        taken = (uint64_t)left < len ? left : (int64_t)len;
    } while (!__atomic_compare_exchange_n(&control->bytes_left, &left, left - taken, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (taken == 0 && len > 0)
        errno = ENOSPC;
    return taken == 0 && len > 0 ? -1 : (ssize_t)taken;
}

static int note_sync(const char *path, uint64_t begun, int outcome) {
    if (control && outcome == 0 && strstr(path, "/wal/")) {
        uint64_t at = __atomic_fetch_add(&control->syncs, 1, __ATOMIC_SEQ_CST) % SYNCS;
        control->sync[at].begun_ns = begun;
        __atomic_store_n(&control->sync[at].ended_ns, now_ns(), __ATOMIC_SEQ_CST);
    }
    return outcome;
}

static ssize_t put(int fd, const void *bytes, size_t len, off64_t at) {
    return at < 0 ? REAL(write, fd, bytes, len) : REAL(pwrite64, fd, bytes, len, at);
}

/* A write, which a durable one is a sync as well. `at`: negative is the file's own position. */
static ssize_t write_at(int fd, const void *bytes, size_t len, off64_t at) {
    char path[PATH_MAX];
    uint64_t begun = now_ns();
    ssize_t admitted = admit_write(fd, len);
    if (admitted < 0) {
        int error = errno;
        if (error == EIO)
            put(fd, bytes, len / 2, at);
        errno = error;
        return -1;
    }
    ssize_t written = put(fd, bytes, (size_t)admitted, at);
    if (!control || written < 0 || !(REAL(fcntl, fd, F_GETFL) & O_DSYNC))
        return written;
    if (admit(SYNC, path_of(fd, path)) < 0)
        return -1;
    note_sync(path, begun, 0);
    return written;
}

ssize_t write(int fd, const void *bytes, size_t len) {
    return write_at(fd, bytes, len, -1);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) {
    return write_at(fd, bytes, len, at);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    char path[PATH_MAX];
    if (!control || strncmp(path_of(fd, path), control->root, strlen(control->root)) != 0)
        return REAL(writev, fd, pieces, count);
    /* Fewer at a time are always allowed. */
    for (; count > 1 && pieces->iov_len == 0; count--)
        pieces++;
    return count > 0 ? write(fd, pieces->iov_base, pieces->iov_len) : 0;
}

static int admit_sync(int fd, char path[PATH_MAX]) {
    struct stat about;
    if (!control)
        return 0;
    path_of(fd, path);
    return admit(fstat(fd, &about) == 0 && S_ISDIR(about.st_mode) ? SYNC_DIR : SYNC, path);
}

int fsync(int fd) {
    char path[PATH_MAX] = "";
    uint64_t begun = now_ns();
    return admit_sync(fd, path) < 0 ? -1 : note_sync(path, begun, REAL(fsync, fd));
}

int fdatasync(int fd) {
    char path[PATH_MAX] = "";
    uint64_t begun = now_ns();
    return admit_sync(fd, path) < 0 ? -1 : note_sync(path, begun, REAL(fdatasync, fd));
}

int ftruncate64(int fd, off64_t len) {
    char path[PATH_MAX];
    return control && admit(TRUNCATE, path_of(fd, path)) < 0 ? -1 : REAL(ftruncate64, fd, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len) {
    return admit_write(fd, 1) < 0 ? -1 : REAL(fallocate64, fd, mode, at, len);
}

static int open_with(int (*open_it)(const char *, int, ...), const char *path, int flags, mode_t mode) {
    return admit(flags & O_CREAT ? CREATE : OPEN, path) < 0 ? -1 : open_it(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_with((int (*)(const char *, int, ...))real("open"), path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return open_with((int (*)(const char *, int, ...))real("open64"), path, flags, mode);
}

DIR *opendir(const char *path) {
    return admit(OPEN, path) < 0 ? NULL : REAL(opendir, path);
}

/* A second descriptor of a file is one more that is open. */
int fcntl(int fd, int command, ...) {
    char path[PATH_MAX];
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (control && (command == F_DUPFD_CLOEXEC || command == F_DUPFD) && admit(OPEN, path_of(fd, path)) < 0)
        return -1;
    return REAL(fcntl, fd, command, argument);
}

int rename(const char *from, const char *to) {
    return admit(RENAME, to) < 0 ? -1 : REAL(rename, from, to);
}

int unlink(const char *path) {
    return admit(UNLINK, path) < 0 ? -1 : REAL(unlink, path);
}

int mkdir(const char *path, mode_t mode) {
    return admit(CREATE, path) < 0 ? -1 : REAL(mkdir, path, mode);
}
