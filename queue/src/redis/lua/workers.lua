-- ARGV: most. Writes nothing.
local all = call('ZRANGE', P..'wl', 0, tonumber(ARGV[1]) - 1, 'WITHSCORES')
local out = {}
for i = 1, #all, 2 do
  local who, silent = all[i], now + LEASE - tonumber(all[i + 1])
  -- Whoever only runs errands is no worker.
  if string.sub(who, 1, 1) ~= '~' then
    out[#out + 1] = who
    out[#out + 1] = I(call('HLEN', P..'w:'..who))
    out[#out + 1] = I(math.max(0, silent))
    out[#out + 1] = call('HGET', P..'wi', who) or ''
  end
end
return out
