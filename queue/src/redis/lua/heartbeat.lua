-- ARGV: incarnation, n, n*(id, token) that really run
local who, n = ARGV[1], tonumber(ARGV[2])
local out = { 0 }
tick_and_reap(function()
  if not call('ZSCORE', P..'wl', who) then return 0 end
  out[1] = 1
  call('ZADD', P..'wl', I(now + LEASE), who)
  local listed, late = {}, {}
  for i = 1, n do listed[ARGV[1 + i * 2]] = ARGV[2 + i * 2] end
  local known = {}
  local unknown = holdings(who, function(id, tok, since, ends)
    if listed[id] == nil then return since + math.floor(LEASE / 2) < now end
    known[id] = tok
    if ends > 0 and now >= ends then late[id] = true end
    return false
  end)
  for i = 1, n do
    local id, tok = ARGV[1 + i * 2], ARGV[2 + i * 2]
    local mine = known[id]
    known[id] = nil
    if mine ~= tok then
      out[i + 1] = call('HGET', P..'j:'..id, 's') == 'c' and 2 or 1
    elseif late[id] then
      local j = get(id)
      if j.s == 'l' and j.o == tok then lose(j) end
      out[i + 1] = 1
    else
      out[i + 1] = 0
    end
  end
  for _, h in ipairs(unknown) do
    local j = get(h.id)
    if j.s == 'l' and j.o == h.tok then count('fo', 1); give_back(j, false, j.a, j.lo)
    else call('HDEL', P..'w:'..who, h.id) end
  end
  return 0
end)
flush()
return out
