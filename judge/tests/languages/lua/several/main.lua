local greet = require("greet")
print(greet(io.read("l")))
