main(_) ->
    io:format(Unbound).
