        global  main
        extern  malloc

        section .text
main:   push    rbx
hog:    mov     edi, 1 << 20
        call    malloc
        mov     rdi, rax
        mov     ecx, 1 << 20
        mov     al, 1
        rep     stosb
        jmp     hog
