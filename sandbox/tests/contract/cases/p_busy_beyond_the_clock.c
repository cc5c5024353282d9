/*
 * attack: plain
 * title: the clock runs out before the CPU time does
 * limits: cpu=5s wall=300ms
 * ends: wall-limit
 * wall: 300ms..400ms
 */
int main(void)
{
    for (volatile long i = 0;; i++)
        ;
}
