print(nothing.name)
