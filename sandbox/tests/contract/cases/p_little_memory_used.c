/*
 * attack: plain
 * title: a program that needs nothing is charged next to nothing
 * ends: exited 0
 * memory: ..2MiB
 * cpu: ..50ms
 */
int main(void)
{
    return 0;
}
