:- initialization(main).

main :- X is nothing + 1, write(X).
