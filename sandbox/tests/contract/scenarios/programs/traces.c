/* `look` says all that shows of the three folders of a run, of their own and of what is made in them.
 * Every other argument is a deed that takes back what it did. */
#include "say.h"
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static const char *const FOLDERS[] = { "/w", "/tmp", "/dev/shm" };

static char path[3][64];

static const char *in(const char *folder, const char *name, int which)
{
    snprintf(path[which], sizeof path[which], "%s/%s", folder, name);
    return path[which];
}

static void say_of(const char *folder, const char *key, long value)
{
    char text[64];
    snprintf(text, sizeof text, "%s %s", folder, key);
    say_number(text, value);
}

/* Where the next entry of a folder would be read, by the one there is. */
static long offset(const char *folder)
{
    DIR *entries = opendir(folder);
    long last = -1;
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.')
            last = entry->d_off;
    return last;
}

static void look(const char *folder)
{
    struct stat of;
    struct statvfs space;
    char names[256];
    int flags = -1, open_folder = open(folder, O_RDONLY | O_DIRECTORY);
    stat(folder, &of);
    statvfs(folder, &space);
    ioctl(open_folder, FS_IOC_GETFLAGS, &flags);
    say_of(folder, "inode", (long)of.st_ino);
    say_of(folder, "mode", of.st_mode);
    say_of(folder, "links", (long)of.st_nlink);
    say_of(folder, "size", of.st_size);
    say_of(folder, "was_read", of.st_atim.tv_sec != of.st_mtim.tv_sec ||
                                   of.st_atim.tv_nsec != of.st_mtim.tv_nsec);
    say_of(folder, "flags", flags);
    say_of(folder, "attributes", listxattr(folder, names, sizeof names));
    say_of(folder, "files", (long)(space.f_files - space.f_ffree));
    say_of(folder, "blocks", (long)(space.f_blocks - space.f_bfree));
    unsigned long long hint = 0;
    fcntl(open_folder, F_GET_RW_HINT, &hint);
    say_of(folder, "hint", (long)hint);
    say_of(folder, "locked", flock(open_folder, LOCK_EX | LOCK_NB));
    say_of(folder, "entries", offset(folder));
    /* Counted up by each that was ever made (mm/shmem.c, shmem_reserve_inode). */
    int made = open(in(folder, "made", 0), O_CREAT | O_EXCL | O_RDWR, 0600);
    fstat(made, &of);
    say_of(folder, "first_made", (long)of.st_ino);
    say_of(folder, "first_offset", offset(folder));
}

static void map_a_file(const char *name)
{
    int file = open(name, O_CREAT | O_RDWR, 0600);
    if (ftruncate(file, 1 << 16))
        return;
    char *at = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED)
        return;
    memset(at, 'x', 1 << 16);
    munmap(at, 1 << 16);
    unlink(name);
}

static void bind_a_socket(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strcpy(address.sun_path, name);
    bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&address, sizeof address);
    unlink(name);
}

static void flag(const char *folder)
{
    int flags, file = open(folder, O_RDONLY | O_DIRECTORY);
    ioctl(file, FS_IOC_GETFLAGS, &flags);
    flags |= FS_NODUMP_FL;
    ioctl(file, FS_IOC_SETFLAGS, &flags);
    flags &= ~FS_NODUMP_FL;
    ioctl(file, FS_IOC_SETFLAGS, &flags);
}

static void fill(const char *name)
{
    static char block[1 << 16];
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    for (int i = 0; i < 64 && write(file, block, sizeof block) > 0; i++)
        ;
    unlink(name);
}

static void make(const char *name)
{
    close(open(name, O_CREAT | O_EXCL | O_WRONLY, 0600));
}

static int act(const char *deed, const char *folder)
{
    const char *a = in(folder, "a", 0), *b = in(folder, "b", 1);
    if (!strcmp(deed, "nothing")) {
        ;
    } else if (!strcmp(deed, "unnamed")) {
        close(open(folder, O_TMPFILE | O_RDWR, 0600));
    } else if (!strcmp(deed, "unnamed_by_the_call")) {
        close((int)syscall(SYS_openat, AT_FDCWD, folder, O_TMPFILE | O_WRONLY | O_EXCL, 0600));
    } else if (!strcmp(deed, "unlink")) {
        make(a), unlink(a);
    } else if (!strcmp(deed, "rename")) {
        make(a), rename(a, b), unlink(b);
    } else if (!strcmp(deed, "exchange")) {
        make(a), make(b);
        renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
        unlink(a), unlink(b);
    } else if (!strcmp(deed, "link")) {
        make(a);
        if (link(a, b) == 0)
            unlink(b);
        unlink(a);
    } else if (!strcmp(deed, "symlink")) {
        if (symlink("nowhere", a) == 0)
            unlink(a);
    } else if (!strcmp(deed, "folder")) {
        mkdir(a, 0700), rmdir(a);
    } else if (!strcmp(deed, "fifo")) {
        mkfifo(a, 0600), unlink(a);
    } else if (!strcmp(deed, "socket")) {
        bind_a_socket(a);
    } else if (!strcmp(deed, "reuse")) {
        for (int i = 0; i < 3; i++)
            make(a), unlink(a);
    } else if (!strcmp(deed, "attribute")) {
        setxattr(folder, "user.left", "x", 1, 0), removexattr(folder, "user.left");
    } else if (!strcmp(deed, "attribute_stays")) {
        setxattr(folder, "user.left", "x", 1, 0);
    } else if (!strcmp(deed, "flag")) {
        flag(folder);
    } else if (!strcmp(deed, "mode")) {
        chmod(folder, 0711), chmod(folder, 0700);
    } else if (!strcmp(deed, "times")) {
        struct timespec old[2] = { { 1, 0 }, { 0, UTIME_OMIT } };
        utimensat(AT_FDCWD, folder, old, 0);
    } else if (!strcmp(deed, "map")) {
        map_a_file(a);
    } else if (!strcmp(deed, "fill")) {
        fill(a);
    } else if (!strcmp(deed, "hint")) {
        unsigned long long hint = RWH_WRITE_LIFE_LONG;
        int on = open(folder, O_RDONLY | O_DIRECTORY);
        fcntl(on, F_SET_RW_HINT, &hint), fcntl(on, F_SET_FILE_RW_HINT, &hint);
    } else if (!strcmp(deed, "read")) {
        offset(folder);
    } else if (!strcmp(deed, "lock")) {
        flock(open(folder, O_RDONLY), LOCK_EX);
    } else if (!strcmp(deed, "fail")) {
        /* What is refused makes nothing: no such folder, no such right, a name that is too long. */
        static char name[512];
        memset(name, 'x', sizeof name - 1);
        make(in(folder, "none/a", 2)), mknod(a, S_IFCHR, makedev(1, 3)), link("/usr/bin/env", a);
        symlink(name, in(folder, "none/b", 2));
        mkdir("/w/.", 0700), rename(folder, b);
    } else {
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *deed = argc > 1 ? argv[1] : "look";
    int bad = 0;
    for (int i = 0; i < 3 && !bad; i++)
        if (!strcmp(deed, "look"))
            look(FOLDERS[i]);
        else
            bad = act(deed, FOLDERS[i]);
    return bad;
}
