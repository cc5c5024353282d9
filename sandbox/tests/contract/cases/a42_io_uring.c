/*
 * attack: 42
 * title: io_uring, which passes filters by
 * ends: exited 0
 * says: setup=ENOSYS|EPERM
 */
#include "say.h"
#include <linux/io_uring.h>

int main(void)
{
    struct io_uring_params params = { 0 };
    TRY("setup", syscall(SYS_io_uring_setup, 8, &params));
    return 0;
}
