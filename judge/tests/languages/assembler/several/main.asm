        global  main
        extern  greet
        extern  scanf

        section .rodata
format:   db      "%63s", 0

        section .bss
name:   resb    64

        section .text
main:   sub     rsp, 8
        mov     edi, format
        mov     esi, name
        xor     eax, eax
        call    scanf
        mov     edi, name
        call    greet
        xor     eax, eax
        add     rsp, 8
        ret
