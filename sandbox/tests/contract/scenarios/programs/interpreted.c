/* Names an interpreter that is in its own folder, or is not. */
__attribute__((section(".interp"), used)) static const char interpreter[] = "/box/interpreter";

int main(void)
{
    return 0;
}
