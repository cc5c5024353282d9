/*
 * attack: 42, 78
 * title: io_uring, which passes filters by
 * ends: exited 0
 * says: setup=ENOSYS|EPERM
 * says: enter=ENOSYS|EPERM
 * says: register=ENOSYS|EPERM
 */
#include "say.h"
#include <linux/io_uring.h>

int main(void)
{
    struct io_uring_params params = { 0 };
    TRY("setup", syscall(SYS_io_uring_setup, 8, &params));
    TRY("enter", syscall(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0));
    TRY("register", syscall(SYS_io_uring_register, 0, 0, NULL, 0));
    return 0;
}
