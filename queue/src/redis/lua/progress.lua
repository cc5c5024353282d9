-- ARGV: n, n*(id, token, index, report)
local out = {}
for i = 0, tonumber(ARGV[1]) - 1 do
  local b = 1 + i * 4
  local id, tok, index, report = ARGV[b + 1], ARGV[b + 2], ARGV[b + 3], ARGV[b + 4]
  local v = call('HMGET', P..'j:'..id, 's', 'o', 'ck')
  if v[1] ~= 'l' or v[2] ~= tok then out[i + 1] = 0
  elseif call('HSETNX', P..'x:'..id, index, report) == 0 then out[i + 1] = 2
  else
    if not v[3] then call('HSET', P..'j:'..id, 'ck', '1') end
    event('p', id..' '..index..' '..report)
    out[i + 1] = 1
  end
end
flush()
return out
