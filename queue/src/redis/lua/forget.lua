-- ARGV: id. Forgets a job that has ended, with all that is kept of it.
local j = get(ARGV[1])
if j.s ~= 'f' and j.s ~= 'x' and j.s ~= 'c' then return 0 end
call('UNLINK', j.key, P..'x:'..j.id, P..'p:'..j.id)
call('ZREM', P..'dl', j.id)
call('ZREM', P..'i:'..j.t, j.id)
return 1
