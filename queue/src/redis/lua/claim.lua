-- ARGV: incarnation, claim number, free, lanes…
local who, num, n = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not call('ZSCORE', P..'wl', who) then return 0 end
for _, id in ipairs(call('ZRANGEBYSCORE', P..'d', '-inf', snow, 'LIMIT', 0, 32)) do
  call('ZREM', P..'d', id)
  local j = get(id)
  if j.s == 'd' then
    call('HSET', j.key, 's', 'q')
    place(j.l, j.t, id, j.lo > 0, false)
    count_delayed(j.l, j.t, -1)
    count_queued(j.l, j.c, j.t, 1)
  end
end

local lv = call('HMGET', P..'lv', '0', '1', '2', '3', 'c')
local lclk = tonumber(lv[5] or '0')
local lanes = {}
for i = 4, #ARGV do
  local lane = ARGV[i]
  lanes[#lanes + 1] = { name = lane, v = tonumber(lv[tonumber(lane) + 1] or '0'), ring = P..'r:'..lane }
end
local tens = {}
local function tenant(name)
  local t = tens[name]
  if not t then
    local v = call('HMGET', P..'n:'..name, 'w', 'mf', 'f', 'q')
    t = { w = tonumber(v[1] or '1'), cap = tonumber(v[2] or TENANT_RUNNING),
      f = tonumber(v[3] or '0'), q = tonumber(v[4] or '0') }
    tens[name] = t
  end
  return t
end
local function at_cap(t, lane) return lane ~= '3' and t.cap >= 0 and t.f >= t.cap end

local out, got, holds, looks = { snow, 0 }, 0, {}, n + 512
-- Leases one job; v: its fields. Returns what it costs its tenant.
local function lease(id, v, L)
  local tok = who..'#'..num..'.'..I(got)
  local a, t = I(tonumber(v[3]) + 1), tenant(v[5])
  local ends = v[8] and I(now + tonumber(v[8])) or '0'
  call('HSET', P..'j:'..id, 's', 'l', 'o', tok, 'a', a)
  holds[#holds + 1] = id
  holds[#holds + 1] = snow..'|'..ends..'|'..tok
  got = got + 1
  out[#out + 1] = { id, tok, a, v[4], v[6], v[9] or '', v[5], L.name, v[7], v[8] or '', v[10] or '', v[11] or '' }
  -- One write for both when all is done, in the place of two from flush.
  if L.name ~= '3' then
    t.f = t.f + 1
    t.q = t.q - 1
    t.changed = true
  end
  local c = tonumber(v[2])
  count('q'..L.name, -1)
  count('k'..L.name, -c)
  event('s', id)
  if lclk > L.v then L.v = lclk end
  lclk = L.v
  L.v = L.v + math.floor(10000 / WEIGHTS[L.name])
  L.served = true
  return math.floor(c * 1000 / t.w)
end
local function fields(id)
  return call('HMGET', P..'j:'..id, 's', 'c', 'a', 'lo', 't', 'p', 'e', 'dl', 'g', 'ck', 'ab', 'l')
end
-- A list keeps ids of jobs that were cancelled and forgotten. One that was handed in again stands
-- where it belongs now, be it in another lane or another tenant's.

if n > 0 and not call('HGET', P..'su', who) then
  for _, L in ipairs(lanes) do
    for _ = 1, 8 do
      local id = call('LPOP', P..'s:'..L.name)
      if not id then break end
      local v = fields(id)
      if v[1] == 'q' and v[4] ~= '0' and v[12] == L.name then
        if at_cap(tenant(v[5]), L.name) then call('RPUSH', P..'s:'..L.name, id)
        else
          charge(L.name, v[5], lease(id, v, L))
          call('HSET', P..'su', who, id)
          break
        end
      end
    end
    if got > 0 then break end
  end
end

while got < n and looks > 0 do
  looks = looks - 1
  local b, bv
  for _, L in ipairs(lanes) do
    if not L.empty then
      local v = L.v
      if lclk > v then v = lclk end
      if not b or v < bv then b = L; bv = v end
    end
  end
  if not b then break end
  local top = call('ZRANGE', b.ring, 0, 0, 'WITHSCORES')
  if #top == 0 then
    b.empty = true
    -- Nobody is left: whoever comes next starts where the last one ended.
    if b.left and (not b.clk or b.left > b.clk) then b.clk = b.left end
  else
    local ten, vt = top[1], tonumber(top[2])
    local id = not at_cap(tenant(ten), b.name) and call('LPOP', P..'t:'..b.name..':'..ten)
    if not id then
      call('ZREM', b.ring, ten)
      call('HSET', P..'vt', b.name..':'..ten, I(vt))
      if at_cap(tenant(ten), b.name) then call('HSET', P..'pk', b.name..':'..ten, '1')
      else b.left = vt end
    else
      local v = fields(id)
      if v[1] == 'q' and v[4] == '0' and v[12] == b.name and v[5] == ten then
        if not b.clk or vt > b.clk then b.clk = vt end
        call('ZADD', b.ring, I(vt + lease(id, v, b)), ten)
      end
    end
  end
end

for _, L in ipairs(lanes) do
  if L.clk and L.clk > tonumber(call('HGET', P..'vt', 'c'..L.name) or '-1') then
    call('HSET', P..'vt', 'c'..L.name, I(L.clk))
  end
end
if got > 0 then
  call('HSET', P..'w:'..who, unpack(holds))
  local sv = { 'c', I(lclk) }
  for _, L in ipairs(lanes) do
    if L.served then sv[#sv + 1] = L.name; sv[#sv + 1] = I(L.v) end
  end
  call('HSET', P..'lv', unpack(sv))
  for name, t in pairs(tens) do
    if t.changed then call('HSET', P..'n:'..name, 'f', I(t.f), 'q', I(t.q)) end
  end
  count('l', got); count('cl', got)
end
wake = false
flush()
-- All looks were in vain, at cancelled jobs or tenants without work: behind them there may be more.
if got == 0 and looks == 0 then out[2] = 1 end
return out
