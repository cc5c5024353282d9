/*
 * attack: 52
 * title: other rules for its memory and its addresses
 * ends: exited 0
 * says: read=ok
 * says: linux32=EPERM|ENOSYS
 * says: read_implies_exec=EPERM|ENOSYS
 * says: fixed_addresses=EPERM|ENOSYS
 * says: random_addresses=EPERM|ENOSYS
 * says: low_addresses=EPERM|ENOSYS
 * says: changed=0
 */
#include "say.h"
#include <sys/personality.h>

int main(void)
{
    int before = personality(0xffffffff);
    say("read", before == -1 ? errno_name(errno) : "ok");
    TRY("linux32", personality(PER_LINUX32));
    TRY("read_implies_exec", personality(READ_IMPLIES_EXEC));
    TRY("fixed_addresses", personality(ADDR_NO_RANDOMIZE));
    TRY("random_addresses", personality(PER_LINUX));
    TRY("low_addresses", personality(MMAP_PAGE_ZERO | ADDR_COMPAT_LAYOUT));
    say_number("changed", personality(0xffffffff) != before);
    return 0;
}
