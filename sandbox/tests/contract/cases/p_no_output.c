/*
 * attack: plain
 * title: says nothing
 * ends: exited 0
 * stdout: ""
 * stderr: ""
 */
int main(void)
{
    return 0;
}
