-- ARGV: id of a dead letter
local j = get(ARGV[1])
if j.s ~= 'x' then return 0 end
call('HSET', j.key, 's', 'q', 'a', '0', 'lo', '0')
-- It has been counted and told of once; its new life is its own.
call('HDEL', j.key, 'b', 'w', 'ck')
call('PERSIST', j.key)
call('DEL', P..'x:'..j.id)
if j.g then call('PERSIST', P..'p:'..j.id) end
call('ZREM', P..'dl', j.id)
place(j.l, j.t, j.id, false, false)
count_queued(j.l, j.c, j.t, 1)
flush()
return 1
