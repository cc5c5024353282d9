main(_) ->
    io:format("Goodbye!~n").
