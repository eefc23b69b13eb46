/* What a program does to the files of one folder, written down in the order in which it does it, so that a test can say what
 * a power cut at any moment leaves on the disk; and a disk with moods. Loaded before the program's other libraries
 * (LD_PRELOAD); Linux and glibc.
 *
 *     STEWARD_RECORD_FOLDER   the folder, without links in its path
 *     STEWARD_RECORD          the record, a file elsewhere
 *     STEWARD_RECORD_FAILS    a number n, or nothing: one of n syncs fails with EIO, by chance, and what it was for
 *                             never reaches the disk
 *
 *     STEWARD_DISK_MOOD       a file, or nothing: while it holds the word, the disk is read_only (EROFS), gives back errors (EIO on
 *                             each sync), or is slow (each sync takes five seconds)
 *
 * One entry: kind (1 byte), number (8), length of the path (4), length of the data (4), path, data; in one write, so that
 * others may write entries of their own between them. Integers are little-endian, as on every machine that this runs on. Kinds:
 * c a file was made with a mode, w data at an offset, t cut or lengthened to a size, s synced, f a sync failed, d a folder was synced,
 * u removed, r renamed (data: the new path), m a folder was made, o said on standard error, x something that this cannot follow.
 *
 * Each call is done and written down under one lock, so the record has the order of the disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static int record = -1;
static char folder[PATH_MAX];
static size_t folder_len;
static uint64_t one_of, chance = 1;
static const char *mood_file;

static int is_mood(const char *mood)
{
    char now[16] = "";
    int fd = mood_file ? (int)syscall(SYS_openat, AT_FDCWD, mood_file, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd < 0)
        return 0;
    ssize_t n = syscall(SYS_read, fd, now, sizeof now - 1);
    syscall(SYS_close, fd);
    return n > 0 && strncmp(now, mood, strlen(mood)) == 0;
}

/* Whether nothing may be changed now; errno says so. */
static int is_refused(const char *name)
{
    if (!name || !is_mood("read_only"))
        return 0;
    errno = EROFS;
    return 1;
}

static void __attribute__((constructor)) begin(void)
{
    const char *name = getenv("STEWARD_RECORD_FOLDER"), *file = getenv("STEWARD_RECORD");
    if (!name || !file || strlen(name) >= sizeof folder)
        return;
    strcpy(folder, name);
    folder_len = strlen(folder);
    mood_file = getenv("STEWARD_DISK_MOOD");
    const char *fails = getenv("STEWARD_RECORD_FAILS");
    one_of = fails ? strtoul(fails, NULL, 10) : 0;
    record = (int)syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(char kind, uint64_t number, const char *path, const void *data, size_t len)
{
    uint32_t path_len = (uint32_t)strlen(path), data_len = (uint32_t)len;
    char head[17];
    head[0] = kind;
    memcpy(head + 1, &number, 8);
    memcpy(head + 9, &path_len, 4);
    memcpy(head + 13, &data_len, 4);
    struct iovec parts[] = {{head, sizeof head}, {(void *)path, path_len}, {(void *)data, len}};
    if (syscall(SYS_writev, record, parts, 3) != (long)(sizeof head + path_len + len))
        abort();
}

/* The path below the folder, or NULL. */
static const char *below(const char *path)
{
    if (record < 0 || strncmp(path, folder, folder_len) != 0)
        return NULL;
    return path[folder_len] == '/' ? path + folder_len + 1 : path[folder_len] == 0 ? "" : NULL;
}

static const char *absolute(int at, const char *path, char *room)
{
    if (path[0] == '/')
        return path;
    char link[64], base[PATH_MAX];
    snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
    ssize_t n = readlink(link, base, sizeof base - 1);
    if (n < 0)
        return "";
    base[n] = 0;
    return snprintf(room, PATH_MAX, "%s/%s", base, path) < PATH_MAX ? room : "";
}

/* What an open file is called now; NULL where it lies elsewhere or has no name any more. */
static const char *of(int fd, char *room)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = record < 0 ? -1 : readlink(link, room, PATH_MAX - 1);
    if (n < 0)
        return NULL;
    room[n] = 0;
    return strstr(room, " (deleted)") ? NULL : below(room);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int opened(int at, const char *path, int flags, mode_t mode)
{
    char room[PATH_MAX];
    const char *name = below(absolute(at, path, room));
    if (!name)
        return (int)syscall(SYS_openat, at, path, flags, mode);
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && is_refused(name))
        return -1;
    pthread_mutex_lock(&one);
    struct stat was;
    int is_new = syscall(SYS_newfstatat, at, path, &was, 0) != 0;
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && is_new)
        note('c', mode & 0777, name, NULL, 0);
    if (fd >= 0 && !is_new && (flags & O_TRUNC))
        note('t', 0, name, NULL, 0);
    pthread_mutex_unlock(&one);
    return fd;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return opened(AT_FDCWD, path, flags, mode); \
    }
#define OPENAT(name) \
    int name(int at, const char *path, int flags, ...) \
    { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return opened(at, path, flags, mode); \
    }
OPEN(open) OPEN(open64) OPENAT(openat) OPENAT(openat64)

static ssize_t wrote(int fd, const void *data, size_t len, off64_t offset, int is_at)
{
    char room[PATH_MAX];
    const char *name = of(fd, room);
    if (fd == 2 && record >= 0) {
        pthread_mutex_lock(&one);
        ssize_t n = syscall(SYS_write, fd, data, len);
        note('o', 0, "", data, len);
        pthread_mutex_unlock(&one);
        return n;
    }
    if (!name)
        return is_at ? syscall(SYS_pwrite64, fd, data, len, offset) : syscall(SYS_write, fd, data, len);
    if (is_refused(name))
        return -1;
    pthread_mutex_lock(&one);
    if (!is_at && fcntl(fd, F_GETFL) & O_APPEND)
        offset = lseek64(fd, 0, SEEK_END);
    else if (!is_at)
        offset = lseek64(fd, 0, SEEK_CUR);
    ssize_t n = is_at ? syscall(SYS_pwrite64, fd, data, len, offset) : syscall(SYS_write, fd, data, len);
    if (n > 0)
        note('w', (uint64_t)offset, name, data, (size_t)n);
    pthread_mutex_unlock(&one);
    return n;
}

ssize_t write(int fd, const void *data, size_t len) { return wrote(fd, data, len, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t len, off_t at) { return wrote(fd, data, len, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at) { return wrote(fd, data, len, at, 1); }

/* What this cannot follow is written down, and the test fails on it. */
static void lost(int fd, const char *what)
{
    char room[PATH_MAX];
    const char *name = of(fd, room);
    if (name)
        note('x', 0, name, what, strlen(what));
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
    REAL(writev);
    lost(fd, "writev");
    return real(fd, parts, n);
}

ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t len, unsigned int flags)
{
    REAL(copy_file_range);
    lost(to, "copy_file_range");
    return real(from, a, to, b, len, flags);
}

static void *mapped(void *where, size_t len, int prot, int flags, int fd, off64_t at)
{
    char room[PATH_MAX];
    const char *name = fd >= 0 && flags & MAP_SHARED && prot & PROT_WRITE ? of(fd, room) : NULL;
    /* SQLite makes its index of a write-ahead log anew after every crash. */
    if (name && (strlen(name) < 4 || strcmp(name + strlen(name) - 4, "-shm") != 0))
        note('x', 0, name, "mmap", 4);
    return (void *)syscall(SYS_mmap, where, len, prot, flags, fd, at);
}

void *mmap(void *w, size_t n, int p, int f, int fd, off_t at) { return mapped(w, n, p, f, fd, at); }
void *mmap64(void *w, size_t n, int p, int f, int fd, off64_t at) { return mapped(w, n, p, f, fd, at); }

static int sized(int fd, off64_t size)
{
    char room[PATH_MAX];
    const char *name = of(fd, room);
    if (!name)
        return (int)syscall(SYS_ftruncate, fd, size);
    if (is_refused(name))
        return -1;
    pthread_mutex_lock(&one);
    int done = (int)syscall(SYS_ftruncate, fd, size);
    if (done == 0)
        note('t', (uint64_t)size, name, NULL, 0);
    pthread_mutex_unlock(&one);
    return done;
}

int ftruncate(int fd, off_t size) { return sized(fd, size); }
int ftruncate64(int fd, off64_t size) { return sized(fd, size); }

static int reserved(int fd, int mode, off64_t at, off64_t len)
{
    char room[PATH_MAX];
    const char *name = of(fd, room);
    if (is_refused(name))
        return -1;
    int done = (int)syscall(SYS_fallocate, fd, mode, at, len);
    struct stat now;
    if (name && done == 0 && fstat(fd, &now) == 0)
        note(mode & ~FALLOC_FL_KEEP_SIZE ? 'x' : 't', (uint64_t)now.st_size, name, NULL, 0);
    return done;
}

int fallocate(int fd, int mode, off_t at, off_t len) { return reserved(fd, mode, at, len); }
int fallocate64(int fd, int mode, off64_t at, off64_t len) { return reserved(fd, mode, at, len); }

static int synced(int fd, long call)
{
    char room[PATH_MAX];
    const char *name = of(fd, room);
    if (!name)
        return (int)syscall(call, fd);
    if (is_mood("slow"))
        sleep(5);
    pthread_mutex_lock(&one);
    struct stat is;
    int is_file = fstat(fd, &is) == 0 && S_ISREG(is.st_mode), done;
    chance = chance * 6364136223846793005u + 1442695040888963407u;
    if (is_file && ((one_of && (chance >> 33) % one_of == 0) || is_mood("errors"))) {
        note('f', 0, name, NULL, 0);
        errno = EIO;
        done = -1;
    } else if ((done = (int)syscall(call, fd)) == 0)
        note(is_file ? 's' : 'd', 0, name, NULL, 0);
    int why = errno;
    pthread_mutex_unlock(&one);
    errno = why;
    return done;
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int removed(int at, const char *path, int flags)
{
    char room[PATH_MAX];
    const char *name = below(absolute(at, path, room));
    if (is_refused(name))
        return -1;
    pthread_mutex_lock(&one);
    int done = (int)syscall(SYS_unlinkat, at, path, flags);
    if (name && done == 0)
        note('u', 0, name, NULL, 0);
    pthread_mutex_unlock(&one);
    return done;
}

int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return removed(at, path, flags); }

int rename(const char *from, const char *to)
{
    char a[PATH_MAX], b[PATH_MAX];
    const char *old = below(absolute(AT_FDCWD, from, a)), *new = below(absolute(AT_FDCWD, to, b));
    if (is_refused(old))
        return -1;
    pthread_mutex_lock(&one);
    int done = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (done == 0 && old && new)
        note('r', 0, old, new, strlen(new));
    else if (done == 0 && (old || new))
        note('x', 0, old ? old : new, "rename", 6);
    pthread_mutex_unlock(&one);
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    char room[PATH_MAX];
    const char *name = below(absolute(AT_FDCWD, path, room));
    if (is_refused(name))
        return -1;
    int done = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (done == 0 && name)
        note('m', 0, name, NULL, 0);
    return done;
}
