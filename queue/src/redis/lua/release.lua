-- ARGV: incarnation
local n = take_back(ARGV[1], false)
flush()
return n
