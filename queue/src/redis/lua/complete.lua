-- ARGV: jitter, n, n*(id, token, kind, took, label, size, result); size: the whole result lies apart,
-- and result is its brief form; kind: f(inal), r(etry), b(ack), x (dead)
local jitter, n = tonumber(ARGV[1]), tonumber(ARGV[2])
local out, weights = {}, {}
local function weight(ten)
  local w = weights[ten]
  if not w then w = tonumber(call('HGET', P..'n:'..ten, 'w') or '1'); weights[ten] = w end
  return w
end
local tallied = P..'y:'..I(math.floor(now / TALLY_STEP))
local function tally(label)
  if call('HLEN', tallied) >= TALLY_LABELS and call('HEXISTS', tallied, label) == 0 then return end
  call('HINCRBY', tallied, label, 1)
  call('PEXPIRE', tallied, TALLY_STEP * (TALLY_STEPS + 1))
end
-- Whether a large result is there and may stay: all of them together are bounded. What has expired
-- is taken from the sum first.
local function room(id, tok, size)
  if call('EXISTS', P..'o:'..id..':'..tok) == 0 then return false end
  for _, old in ipairs(call('ZRANGEBYSCORE', P..'ol', '-inf', snow, 'LIMIT', 0, 64)) do
    large_gone(old)
  end
  if tonumber(call('GET', P..'os') or '0') + size > LARGE_RESULTS then return false end
  call('INCRBY', P..'os', I(call('STRLEN', P..'o:'..id..':'..tok)))
  return true
end
for i = 0, n - 1 do
  local b = 2 + i * 7
  local id, tok, kind, took = ARGV[b + 1], ARGV[b + 2], ARGV[b + 3], ARGV[b + 4]
  local j = get(id)
  if j.s == 'l' and j.o == tok then
    out[i + 1] = 1
    if kind == 'f' then
      unhold(j)
      if ARGV[b + 6] ~= '' and room(id, tok, tonumber(ARGV[b + 6])) then
        call('HSET', j.key, 's', 'f', 'ra', tok, 'p', '')
        j.ra = tok
      else call('HSET', j.key, 's', 'f', 'r', ARGV[b + 7], 'p', '') end
      ended(j, 'f')
      if ARGV[b + 5] ~= '' then tally(ARGV[b + 5]) end
      if took ~= '' then
        local w = weight(j.t)
        charge(j.l, j.t, math.floor(tonumber(took) * 1000 / w) - math.floor(j.c * 1000 / w))
      end
    elseif kind == 'b' then
      hand_back(j)
    elseif kind == 'x' then
      bury(j, 'buried', false, j.lo)
    elseif j.a >= (j.l == '3' and INTERNAL_ATTEMPTS or ATTEMPTS) then
      bury(j, 'attempts', false, j.lo)
    else
      local most = j.l == '3' and INTERNAL_RETRY_MOST or RETRY_MOST
      local bound = math.min(RETRY_FIRST * 2 ^ math.min(j.a, 16), most)
      unhold(j)
      call('HSET', j.key, 's', 'd', 'o', '')
      call('ZADD', P..'d', I(now + math.floor(bound * jitter / 1000)), id)
      count_delayed(j.l, j.t, 1)
      count('re', 1)
      event('r', id)
    end
  elseif j.s == 'f' and j.o == tok and kind == 'f' then out[i + 1] = 2
  else out[i + 1] = 0; count('st', 1) end
end
flush()
return out
