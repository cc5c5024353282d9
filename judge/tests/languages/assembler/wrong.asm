        global  main
        extern  puts

        section .data
text:   db      "Goodbye!", 0

        section .text
main:   sub     rsp, 8
        mov     edi, text
        call    puts
        xor     eax, eax
        add     rsp, 8
        ret
