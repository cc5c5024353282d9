        global  greet
        extern  printf

        section .rodata
text:   db      "Hello, %s!", 10, 0

        section .text
greet:  sub     rsp, 8
        mov     rsi, rdi
        mov     edi, text
        xor     eax, eax
        call    printf
        add     rsp, 8
        ret
