:- module(greet, [greet/1]).

greet(Name) :-
    format("Hello, ~s!~n", [Name]).
