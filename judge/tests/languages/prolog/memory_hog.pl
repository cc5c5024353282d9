:- initialization(main).

main :- hog([]).

hog(Kept) :- numlist(1, 100000, L), hog([L|Kept]).
