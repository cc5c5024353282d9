-- ARGV: incarnation that is gone ('': none known)
local n = tick_and_reap(function()
  return ARGV[1] ~= '' and take_back(ARGV[1], true) or 0
end)
flush()
-- Forgets tenants that were away long: a saved time behind the lane's clock says no more than the
-- clock, and an account without limits and jobs no more than none.
local v = call('HMGET', P..'m', 'tidy')
local step = call('HSCAN', P..'vt', v[1] or '0', 'COUNT', 32)
local clk = {}
for i, c in ipairs(call('HMGET', P..'vt', 'c0', 'c1', 'c2', 'c3')) do clk[I(i - 1)] = tonumber(c or '-1') end
for i = 1, #step[2], 2 do
  local lane, ten = string.match(step[2][i], '^(%d):(.*)$')
  if lane and tonumber(step[2][i + 1]) <= clk[lane] then
    call('HDEL', P..'vt', step[2][i])
    local t = call('HMGET', P..'n:'..ten, 'w', 'mq', 'mf', 'q', 'f')
    if not t[1] and not t[2] and not t[3] and (t[4] or '0') == '0' and (t[5] or '0') == '0' then
      call('DEL', P..'n:'..ten)
    end
  end
end
if step[1] ~= '0' or v[1] then call('HSET', P..'m', 'tidy', step[1]) end
return { n, audit_due and 1 or 0 }
