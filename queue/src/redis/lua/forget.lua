-- ARGV: id. Forgets a job that has ended, with all that is kept of it.
local j = get(ARGV[1])
if j.s ~= 'f' and j.s ~= 'x' and j.s ~= 'c' then return 0 end
local token = call('HGET', j.key, 'ra')
if token then
  local key = j.id..':'..token
  large_gone(I(call('STRLEN', P..'o:'..key))..':'..key)
  call('UNLINK', P..'o:'..key)
end
call('UNLINK', j.key, P..'x:'..j.id, P..'p:'..j.id)
call('ZREM', P..'dl', j.id)
call('ZREM', P..'i:'..j.t, j.id)
return 1
