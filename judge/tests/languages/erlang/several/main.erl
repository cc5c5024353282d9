-module(main).
-export([main/1]).

main(_) ->
    io:put_chars(greet:greet(string:trim(io:get_line("")))).
