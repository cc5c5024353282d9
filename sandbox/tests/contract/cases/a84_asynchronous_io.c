/*
 * attack: 84
 * title: the older asynchronous I/O, whose contexts the whole machine counts together
 * ends: exited 0
 * says: setup=ENOSYS
 * says: destroy=ENOSYS
 * says: submit=ENOSYS
 * says: cancel=ENOSYS
 * says: getevents=ENOSYS
 * says: pgetevents=ENOSYS
 *
 * fs.aio-max-nr is one number for all (fs/aio.c, ioctx_alloc): who takes all of it leaves nothing to
 * others, and sees what others took.
 */
#include "say.h"
#include <linux/aio_abi.h>

int main(void)
{
    aio_context_t context = 0;
    struct io_event event;
    struct iocb call = { 0 }, *calls = &call;
    TRY("setup", syscall(SYS_io_setup, 65536, &context));
    TRY("submit", syscall(SYS_io_submit, context, 1, &calls));
    TRY("cancel", syscall(SYS_io_cancel, context, &call, &event));
    TRY("getevents", syscall(SYS_io_getevents, context, 0, 1, &event, NULL));
    TRY("pgetevents", syscall(SYS_io_pgetevents, context, 0, 1, &event, NULL, NULL));
    TRY("destroy", syscall(SYS_io_destroy, context));
    return 0;
}
