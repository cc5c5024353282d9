        global  _start

        section .text
_start: move    eax, 1
