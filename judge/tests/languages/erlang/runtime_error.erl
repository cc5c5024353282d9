main(Args) ->
    io:format(hd(Args)).
