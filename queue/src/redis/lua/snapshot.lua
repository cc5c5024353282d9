-- No ARGV. Writes nothing.
local c = call('HMGET', P..'c', 'q0', 'q1', 'q2', 'q3', 'k0', 'k1', 'k2', 'k3', 'l', 'd',
  'in', 'cl', 'f', 'x', 'c', 're', 'ba', 'ex', 'fo', 'st', 'au')
local out = {}
for i = 1, 21 do out[i] = tonumber(c[i] or '0') end
for lane = 0, 3 do
  local oldest
  local function look(id)
    if not id then return end
    local v = call('HMGET', P..'j:'..id, 's', 'e')
    local e = v[1] == 'q' and tonumber(v[2])
    if e and (not oldest or e < oldest) then oldest = e end
  end
  for _, ten in ipairs(call('ZRANGE', P..'r:'..lane, 0, 255)) do
    look(call('LINDEX', P..'t:'..lane..':'..ten, 0))
  end
  look(call('LINDEX', P..'s:'..lane, 0))
  out[#out + 1] = oldest and math.max(0, now - oldest) or -1
end
out[#out + 1] = call('ZCARD', P..'dl')
local workers = call('ZCARD', P..'wl')
-- Whoever only runs errands is no worker. A fleet beyond this is counted with its servers.
for _, who in ipairs(call('ZRANGE', P..'wl', 0, 1023)) do
  if string.sub(who, 1, 1) == '~' then workers = workers - 1 end
end
out[#out + 1] = workers
out[#out + 1] = now
return out
