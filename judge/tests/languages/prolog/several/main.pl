:- use_module(greet).
:- initialization(main).

main :-
    read_line_to_string(user_input, Name),
    greet(Name).
