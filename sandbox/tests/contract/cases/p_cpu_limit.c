/*
 * attack: plain
 * title: the CPU limit of one busy thread is precise
 * limits: cpu=500ms wall=5s
 * ends: cpu-limit
 * cpu: 500ms..510ms
 */
int main(void)
{
    for (volatile long i = 0;; i++)
        ;
}
