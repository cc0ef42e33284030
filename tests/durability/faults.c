/* A layer between a program and its files that can fail and that keeps a log.
 *
 * Loaded with LD_PRELOAD it stands below Python and SQLite alike. It looks at what changes files at
 * or below FAULTS_FOLDER, counts these operations, and at number FAULTS_AT does what FAULTS_MODE
 * says:
 *
 *   cut      writes the first half of what is to be written, then the process is killed
 *   full     no room from here on: the first write is cut short, what follows gets ENOSPC
 *   broken   EIO, once
 *   dead     EIO from here on
 *
 * FAULTS_LOG names a file to which every operation is added that was done: a line
 * `operation inode where bytes`, then so many bytes (data, or a path; two paths with a zero between).
 * Where is a place in the file, its new size, or for what is created the number of the operation.
 * What is written to the file FAULTS_ACK is logged as `ack` and never fails.
 *
 * The environment is read when the library is loaded, and again by `faults_begin`.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(result, name, ...)                                      \
    static result (*real)(__VA_ARGS__);                              \
    if (!real)                                                       \
        real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

enum mode { NONE, CUT, FULL, BROKEN, DEAD };
enum verdict { PASS, DIE, NO_ROOM, NO_DISK };

static const char *const modes[] = {"none", "cut", "full", "broken", "dead"};
static pthread_mutex_t one_at_a_time = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static char folder[PATH_MAX], acknowledged[PATH_MAX];
static enum mode mode;
static long number, fails_at;
static int was_full, log_fd = -1;

static ssize_t real_write(int fd, const void *data, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    return real(fd, data, size);
}

static int real_open(int at, const char *path, int flags, mode_t bits) {
    REAL(int, openat64, int, const char *, int, mode_t);
    return real(at, path, flags, bits);
}

static void take(char *into, const char *name) {
    const char *value = getenv(name);
    snprintf(into, PATH_MAX, "%s", value ? value : "");
}

__attribute__((constructor)) void faults_begin(void) {
    char place[PATH_MAX];
    take(folder, "FAULTS_FOLDER");
    take(acknowledged, "FAULTS_ACK");
    take(place, "FAULTS_AT");
    fails_at = atol(place);
    take(place, "FAULTS_MODE");
    mode = NONE;
    for (int each = NONE; each <= DEAD; each++)
        if (!strcmp(place, modes[each]))
            mode = each;
    take(place, "FAULTS_LOG");
    if (log_fd >= 0)
        close(log_fd);
    log_fd = *place ? real_open(AT_FDCWD, place, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    number = 0;
    was_full = 0;
}

long faults_count(void) { return number; }

/* -- which file is meant, and what becomes of it ------------------------------------------- */
static int is_below(const char *path) {
    size_t length = strlen(folder);
    if (*acknowledged && !strcmp(path, acknowledged))
        return 1;
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int of_descriptor(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return is_below(path);
}

static int of_name(int at, const char *name, char *path) {
    char base[PATH_MAX] = "";
    if (*name == '/')
        return snprintf(path, PATH_MAX, "%s", name), is_below(path);
    if (at == AT_FDCWD ? !getcwd(base, sizeof base) : (of_descriptor(at, base), !*base))
        return 0;
    if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX)
        return 0;
    return is_below(path);
}

static int is_shared_memory(const char *path) {
    size_t length = strlen(path);
    return length > 4 && !strcmp(path + length - 4, "-shm");
}

static unsigned long long inode_of(int fd) {
    struct stat64 found;
    return fstat64(fd, &found) ? 0 : (unsigned long long)found.st_ino;
}

static void note(const char *what, unsigned long long inode, long long where, const void *data,
                 size_t size) {
    char line[128];
    int length = snprintf(line, sizeof line, "%s %llu %lld %zu\n", what, inode, where, size);
    struct iovec parts[] = {{line, (size_t)length}, {(void *)data, size}};
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (log_fd >= 0 && real(log_fd, parts, 2) != (ssize_t)(length + size))
        abort();
}

static enum verdict judge(int needs_room) {
    number++;
    if (!fails_at || number < fails_at)
        return PASS;
    switch (mode) {
    case CUT:
        return number == fails_at ? DIE : PASS;
    case FULL:
        return needs_room ? NO_ROOM : PASS;
    case BROKEN:
        return number == fails_at ? NO_DISK : PASS;
    case DEAD:
        return NO_DISK;
    default:
        return PASS;
    }
}

static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Whether an operation that writes no data is to be done; errno says why not. */
static int may(int needs_room) {
    enum verdict verdict = judge(needs_room);
    if (verdict == DIE)
        die();
    errno = verdict == NO_ROOM ? ENOSPC : EIO;
    return verdict == PASS;
}

/* -- data ---------------------------------------------------------------------------------- */
static ssize_t raw(int fd, const void *data, size_t size, off64_t where) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return where < 0 ? real_write(fd, data, size) : real(fd, data, size, where);
}

static ssize_t put(int fd, const void *data, size_t size, off64_t where) {
    char path[PATH_MAX];
    if (!of_descriptor(fd, path))
        return raw(fd, data, size, where);
    pthread_mutex_lock(&one_at_a_time);
    int acknowledges = !strcmp(path, acknowledged);
    enum verdict verdict = acknowledges ? PASS : judge(1);
    size_t part = verdict == DIE || verdict == NO_ROOM ? size / 2 : size;
    off64_t start = where < 0 ? lseek64(fd, 0, SEEK_CUR) : where;
    ssize_t done = -1;
    if (verdict == NO_DISK || (verdict == NO_ROOM && (was_full || !part)))
        errno = verdict == NO_DISK ? EIO : ENOSPC;
    else
        done = raw(fd, data, part, where);
    was_full |= verdict == NO_ROOM;
    if (done > 0 && !is_shared_memory(path))
        note(acknowledges ? "ack" : "write", inode_of(fd), start, data, (size_t)done);
    if (verdict == DIE)
        die();
    pthread_mutex_unlock(&one_at_a_time);
    return done;
}

static ssize_t put_all(int fd, const struct iovec *parts, int count, off64_t where) {
    size_t size = 0;
    for (int each = 0; each < count; each++)
        size += parts[each].iov_len;
    char *data = malloc(size ? size : 1), *end = data;
    for (int each = 0; each < count; each++)
        end = mempcpy(end, parts[each].iov_base, parts[each].iov_len);
    ssize_t done = put(fd, data, size, where);
    free(data);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return put(fd, data, size, -1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return put(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { return put(fd, data, n, at); }
ssize_t writev(int fd, const struct iovec *all, int n) { return put_all(fd, all, n, -1); }
ssize_t pwritev(int fd, const struct iovec *all, int n, off_t at) { return put_all(fd, all, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at) { return put_all(fd, v, n, at); }

int ftruncate64(int fd, off64_t size) {
    REAL(int, ftruncate64, int, off64_t);
    char path[PATH_MAX];
    struct stat64 before;
    if (!of_descriptor(fd, path) || fstat64(fd, &before))
        return real(fd, size);
    pthread_mutex_lock(&one_at_a_time);
    int result = may(0) ? real(fd, size) : -1;
    if (!result && !is_shared_memory(path))
        note("truncate", before.st_ino, size, "", 0);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int sync_with(int (*real)(int), int fd) {
    char path[PATH_MAX];
    if (!of_descriptor(fd, path))
        return real(fd);
    pthread_mutex_lock(&one_at_a_time);
    int result = may(0) ? real(fd) : -1;
    if (!result)
        note("sync", inode_of(fd), 0, path, strlen(path));
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int fsync(int fd) {
    REAL(int, fsync, int);
    return sync_with(real, fd);
}

int fdatasync(int fd) {
    REAL(int, fdatasync, int);
    return sync_with(real, fd);
}

/* -- names --------------------------------------------------------------------------------- */
static int make(int at, const char *name, int flags, mode_t bits) {
    char path[PATH_MAX];
    struct stat64 before;
    if (!(flags & (O_CREAT | O_TRUNC)) || !of_name(at, name, path) || !strcmp(path, acknowledged))
        return real_open(at, name, flags, bits);
    pthread_mutex_lock(&one_at_a_time);
    int is_new = stat64(path, &before) != 0, logged = !is_shared_memory(path);
    int fd = is_new && !may(1) ? -1 : real_open(at, name, flags, bits);
    if (fd >= 0 && is_new && logged)
        note("create", inode_of(fd), number, path, strlen(path));
    if (fd >= 0 && !is_new && (flags & O_TRUNC) && logged)
        note("truncate", inode_of(fd), 0, "", 0);
    pthread_mutex_unlock(&one_at_a_time);
    return fd;
}

static mode_t bits_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

#define OPENING(at)                                                  \
    va_list rest;                                                    \
    va_start(rest, flags);                                           \
    mode_t bits = bits_of(flags, rest);                              \
    va_end(rest);                                                    \
    return make(at, path, flags, bits)

int open(const char *path, int flags, ...) { OPENING(AT_FDCWD); }
int open64(const char *path, int flags, ...) { OPENING(AT_FDCWD); }
int openat(int at, const char *path, int flags, ...) { OPENING(at); }
int openat64(int at, const char *path, int flags, ...) { OPENING(at); }

int mkdirat(int at, const char *name, mode_t bits) {
    REAL(int, mkdirat, int, const char *, mode_t);
    char path[PATH_MAX];
    struct stat64 made;
    if (!of_name(at, name, path) || !stat64(path, &made))
        return real(at, name, bits);
    pthread_mutex_lock(&one_at_a_time);
    int result = may(1) ? real(at, name, bits) : -1;
    if (!result && !stat64(path, &made))
        note("mkdir", made.st_ino, 0, path, strlen(path));
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int mkdir(const char *name, mode_t bits) { return mkdirat(AT_FDCWD, name, bits); }

int unlinkat(int at, const char *name, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    char path[PATH_MAX];
    if (!of_name(at, name, path))
        return real(at, name, flags);
    pthread_mutex_lock(&one_at_a_time);
    int result = may(0) ? real(at, name, flags) : -1;
    if (!result && !is_shared_memory(path))
        note("unlink", 0, 0, path, strlen(path));
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int renameat(int from_at, const char *from, int to_at, const char *to) {
    REAL(int, renameat, int, const char *, int, const char *);
    char paths[2 * PATH_MAX], end[PATH_MAX];
    if (!of_name(from_at, from, paths) || !of_name(to_at, to, end))
        return real(from_at, from, to_at, to);
    size_t length = strlen(paths) + 1 + strlen(end);
    strcpy(paths + strlen(paths) + 1, end);
    pthread_mutex_lock(&one_at_a_time);
    int result = may(0) ? real(from_at, from, to_at, to) : -1;
    if (!result)
        note("rename", 0, 0, paths, length);
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }
