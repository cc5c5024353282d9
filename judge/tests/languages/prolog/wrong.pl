:- initialization(main).

main :- write('Goodbye!'), nl.
