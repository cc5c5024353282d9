-- ARGV: incarnation, again (1: takes over from nobody)
local who, again = ARGV[1], ARGV[2] == '1'
local at = string.match(who, '^(.*)/') or who
local before = call('HGET', P..'pl', at)
if before == who or not (before and call('ZSCORE', P..'wl', before)) then before = false end
if again and before then return -1 end
local n = before and take_back(before, true) or 0
call('HSET', P..'pl', at, who)
call('ZADD', P..'wl', I(now + LEASE), who)
flush()
return n
