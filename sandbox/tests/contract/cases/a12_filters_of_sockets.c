/*
 * attack: 12
 * title: filters of sockets, of which the kernel keeps a copy that no limit of memory holds
 * ends: exited 0
 * says: filter=EPERM
 * says: shared=EPERM
 * says: other=ok
 */
#include "say.h"
#include <linux/filter.h>

int main(void)
{
    struct sock_filter all = { BPF_RET | BPF_K, 0, 0, -1u };
    struct sock_fprog program = { 1, &all };
    int end = socket(AF_UNIX, SOCK_DGRAM, 0), size = 4096;
    TRY("filter", setsockopt(end, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
    TRY("shared", setsockopt(end, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program));
    TRY("other", setsockopt(end, SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
    return 0;
}
