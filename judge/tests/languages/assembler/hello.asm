        global  _start

        section .data
hello:  db      "Hello, "

        section .bss
name:   resb    64

        section .text
_start: mov     eax, 1                  ; write
        mov     edi, 1
        mov     rsi, hello
        mov     edx, 7
        syscall
        xor     eax, eax                ; read
        xor     edi, edi
        mov     rsi, name
        mov     edx, 64
        syscall
        mov     byte [name + rax - 1], "!"
        mov     rdx, rax
        mov     eax, 1                  ; write
        mov     edi, 1
        mov     rsi, name
        syscall
        mov     eax, 60                 ; exit
        xor     edi, edi
        syscall
