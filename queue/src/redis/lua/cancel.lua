-- ARGV: ids (at most 100)
local cancelled, nudged = 0, {}
for _, id in ipairs(ARGV) do
  local j = get(id)
  local fits = true
  if j.s == 'q' then count_queued(j.l, j.c, j.t, -1)
  elseif j.s == 'd' then
    call('ZREM', P..'d', id)
    count_delayed(j.l, j.t, -1)
  elseif j.s == 'l' then
    nudged[holder(j.o)] = true
    unhold(j)
  else fits = false end
  if fits then
    call('HSET', j.key, 's', 'c', 'o', '', 'p', '')
    ended(j, 'c')
    cancelled = cancelled + 1
  end
end
flush()
for who in pairs(nudged) do call('PUBLISH', P..'wake', 'c'..who) end
return { cancelled, #ARGV - cancelled }
