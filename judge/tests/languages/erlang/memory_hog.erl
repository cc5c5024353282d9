main(_) ->
    hog([]).

hog(Kept) ->
    hog([lists:seq(1, 100000) | Kept]).
