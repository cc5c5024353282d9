/*
 * attack: plain
 * title: /w is the current folder; it, /tmp and /dev/shm are writable and empty; nothing else is
 * ends: exited 0
 * says: cwd=/w
 * says: entries=0
 * says: /w=ok
 * says: /tmp=ok
 * says: /dev/shm=ok
 * says: /=EROFS|EACCES
 * says: /box=EROFS|EACCES
 * says: /usr=EROFS|EACCES
 * says: /etc=EROFS|EACCES
 * says: /dev=EROFS|EACCES
 */
#include "say.h"

int main(void)
{
    const char *writable[] = { "/w", "/tmp", "/dev/shm" };
    long entries = 0;
    char path[256];
    say("cwd", getcwd(path, sizeof path) ? path : errno_name(errno));
    for (int i = 0; i < 3; i++) {
        DIR *folder = opendir(writable[i]);
        for (struct dirent *entry; folder && (entry = readdir(folder));)
            entries += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    }
    say_number("entries", entries);
    const char *all[] = { "/w", "/tmp", "/dev/shm", "/", "/box", "/usr", "/etc", "/dev" };
    for (int i = 0; i < 8; i++) {
        snprintf(path, sizeof path, "%s/new", all[i]);
        TRY(all[i], open(path, O_CREAT | O_EXCL | O_WRONLY, 0600));
    }
    return 0;
}
