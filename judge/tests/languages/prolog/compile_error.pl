:- initialization(main).

main :- write('no end'.
