/* Says where its code, its stack, its heap and a new mapping are. */
#include "say.h"

int main(void)
{
    int local;
    void *mapped = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("code=%p\nstack=%p\nheap=%p\nmapped=%p\n", (void *)main, (void *)&local, malloc(1), mapped);
    return 0;
}
