main(_) ->
    loop().

loop() ->
    loop().
