-- Before every script: the layout of keys, and what happens to one job. Mirrors memory/model.rs.
-- Rules: no loop without a bound, no error after a first write, integers by %d.
local P = KEYS[1]
local call = redis.call
local function I(x) return string.format('%d', x) end
local now = nowms()
local snow = I(now)

-- Collected while a script runs, written once at its end (see flush).
local E = {}            -- events: kind, value, …
local C = {}            -- counters: field -> change
local TQ, TF = {}, {}   -- tenant -> change of its waiting and running jobs
local H = {}            -- incarnation -> ids to strike from its holdings
local wake, parks, audit_due = false, nil, false

local function count(f, by) C[f] = (C[f] or 0) + by end
local function event(kind, value) E[#E + 1] = kind; E[#E + 1] = value end

local function flush()
  for f, by in pairs(C) do if by ~= 0 then call('HINCRBY', P..'c', f, I(by)) end end
  for t, by in pairs(TQ) do if by ~= 0 then call('HINCRBY', P..'n:'..t, 'q', I(by)) end end
  for t, by in pairs(TF) do if by ~= 0 then call('HINCRBY', P..'n:'..t, 'f', I(by)) end end
  for w, ids in pairs(H) do call('HDEL', P..'w:'..w, unpack(ids)) end
  if #E > 0 then
    call('XADD', P..'ev', 'MAXLEN', '~', EVENTS, '*', unpack(E))
    call('PUBLISH', P..'news', 'n')
  end
  if wake then call('PUBLISH', P..'wake', 'w') end
end

-- Tenants that are at their cap of running jobs stand in pk instead of the ring.
local function has_parked()
  if parks == nil then parks = call('HLEN', P..'pk') end
  return parks > 0
end

local function join(lane, ten)
  if has_parked() and call('HEXISTS', P..'pk', lane..':'..ten) == 1 then return end
  local v = call('HMGET', P..'vt', lane..':'..ten, 'c'..lane)
  local vt, clk = tonumber(v[1] or '0'), tonumber(v[2] or '0')
  if clk > vt then vt = clk end
  call('ZADD', P..'r:'..lane, 'NX', I(vt), ten)
end

local function unpark(ten)
  if not has_parked() then return end
  for lane = 0, 3 do
    if call('HDEL', P..'pk', I(lane)..':'..ten) == 1 then
      parks = parks - 1
      wake = true
      join(I(lane), ten)
    end
  end
end

-- Charges a tenant's virtual time, in the ring or out of it.
local function charge(lane, ten, by)
  if call('ZADD', P..'r:'..lane, 'XX', 'INCR', I(by), ten) then return end
  local v = call('HMGET', P..'vt', lane..':'..ten, 'c'..lane)
  local vt, clk = tonumber(v[1] or '0'), tonumber(v[2] or '0')
  if clk > vt then vt = clk end
  call('HSET', P..'vt', lane..':'..ten, I(vt + by))
end

-- Puts a job where claims find it. Does not count.
local function place(lane, ten, id, suspect, front)
  wake = true
  local push = front and 'LPUSH' or 'RPUSH'
  if suspect then call(push, P..'s:'..lane, id)
  elseif call(push, P..'t:'..lane..':'..ten, id) == 1 then join(lane, ten) end
end

-- Errands (lane 3) are ours: they take nothing of what tenants may have waiting or running.
local function count_queued(lane, cost, ten, by)
  count('q'..lane, by); count('k'..lane, by * cost)
  if lane ~= '3' then TQ[ten] = (TQ[ten] or 0) + by end
end
local function count_delayed(lane, ten, by)
  count('d', by)
  if lane == '3' then count('d3', by) else TQ[ten] = (TQ[ten] or 0) + by end
end

-- What scripts need to know about a job.
local function get(id)
  local v = call('HMGET', P..'j:'..id,
    's', 'o', 't', 'l', 'lo', 'c', 'a', 'b', 'wh', 'k', 'ck', 'g')
  return { id = id, key = P..'j:'..id, s = v[1], o = v[2], t = v[3], l = v[4],
    lo = tonumber(v[5] or '0'), c = tonumber(v[6] or '0'), a = tonumber(v[7] or '0'),
    b = v[8], wh = v[9], k = v[10], ck = v[11], g = v[12] }
end

local function holder(tok) return string.match(tok, '^(.*)#') or '' end

-- A lease ends. kept: the caller deletes the holdings as a whole.
local function unhold(j, kept)
  local who = holder(j.o)
  count('l', -1)
  if j.l ~= '3' then TF[j.t] = (TF[j.t] or 0) - 1 end
  if not kept then
    local h = H[who]
    if not h then h = {}; H[who] = h end
    h[#h + 1] = j.id
  end
  if j.lo > 0 and call('HGET', P..'su', who) == j.id then call('HDEL', P..'su', who) end
  unpark(j.t)
end

-- A webhook: a job of the internal lane.
local function errand(id, ten, payload, about)
  local key = P..'j:'..id
  if call('EXISTS', key) == 1 then return end
  call('HSET', key, 's', 'q', 't', ten, 'l', '3', 'c', '1000', 'p', payload, 'e', snow,
    'a', '0', 'lo', '0', 'ab', about)
  place('3', ten, id, false, false)
  count_queued('3', 1000, ten, 1)
  count('in', 1)
end

local function count_in_batch(id, finished)
  local key = P..'b:'..id
  local v = call('HMGET', key, 'n', 'd', 'f', 't', 'wh')
  if not v[1] then return end
  call('HINCRBY', key, finished and 'd' or 'f', 1)
  if tonumber(v[2]) + tonumber(v[3]) + 1 ~= tonumber(v[1]) then return end
  call('PEXPIRE', key, REMEMBERED)
  call('PEXPIRE', P..'bj:'..id, REMEMBERED)
  event('b', id)
  if v[5] then errand(id..'.done', v[4], v[5], 'b'..id) end
end

-- A large result is not there any more; what: its entry in ol, SIZE:ID:TOKEN.
local function large_gone(what)
  if call('ZREM', P..'ol', what) == 1 then
    call('DECRBY', P..'os', string.match(what, '^%d+'))
  end
end

-- A job has ended; its state is written already. kind: f(inal), x (dead), c(ancelled).
local function ended(j, kind)
  local ttl = kind == 'x' and DEAD_TTL or RESULT_TTL
  if (j.k or j.wh) and ttl < REMEMBERED then ttl = REMEMBERED end
  call('PEXPIRE', j.key, ttl)
  if j.ck then call('PEXPIRE', P..'x:'..j.id, ttl) end
  if j.g then
    if kind == 'x' then call('PEXPIRE', P..'p:'..j.id, ttl) else call('UNLINK', P..'p:'..j.id) end
  end
  if j.ra then
    local key = j.id..':'..j.ra
    call('PEXPIRE', P..'o:'..key, ttl)
    call('ZADD', P..'ol', I(now + ttl), I(call('STRLEN', P..'o:'..key))..':'..key)
  end
  count(kind, 1)
  event(kind, j.id)
  if j.wh then errand(j.id..'.hook', j.t, j.wh, 'j'..j.id) end
  if j.b then count_in_batch(j.b, kind == 'f') end
end

-- Gives a leased job up.
local function bury(j, why, kept, lost)
  unhold(j, kept)
  call('HSET', j.key, 's', 'x', 'o', '', 'w', why, 'lo', I(lost))
  call('ZREMRANGEBYSCORE', P..'dl', '-inf', I(now - DEAD_TTL))
  call('ZADD', P..'dl', snow, j.id)
  call('ZREMRANGEBYRANK', P..'dl', 0, -DEAD_LETTERS - 1)
  ended(j, 'x')
end

-- Puts a leased job back in front.
local function give_back(j, kept, attempts, lost)
  unhold(j, kept)
  call('HSET', j.key, 's', 'q', 'o', '', 'a', I(attempts), 'lo', I(lost))
  place(j.l, j.t, j.id, lost > 0, true)
  count_queued(j.l, j.c, j.t, 1)
  event('r', j.id)
end

-- The worker of a leased job does not want it: nothing is charged.
local function hand_back(j, kept)
  count('ba', 1)
  give_back(j, kept, j.a > 0 and j.a - 1 or 0, j.lo)
end

-- The worker of a leased job is gone.
local function lose(j, kept)
  count('ex', 1)
  if j.lo + 1 >= CRASHES then bury(j, 'crashes', kept, j.lo + 1)
  else give_back(j, kept, j.a, j.lo + 1) end
end

-- What an incarnation holds, the last claimed first: each goes to the front, so that the first
-- claimed ends up there.
local function holdings(who, keep)
  local raw = call('HGETALL', P..'w:'..who)
  local own = {}
  for i = 1, #raw, 2 do
    local since, deadline, tok = string.match(raw[i + 1], '^(%d+)|(%d+)|(.*)$')
    local c, n = string.match(tok or '', '#(%d+)%.(%d+)$')
    if not keep or keep(raw[i], tok, tonumber(since), tonumber(deadline)) then
      own[#own + 1] = { id = raw[i], tok = tok, at = tonumber(c) * 1024 + tonumber(n) }
    end
  end
  table.sort(own, function(a, b) return a.at > b.at end)
  return own
end

-- Takes everything (at most 512 a call) from an incarnation that is gone. charged: as after a
-- crash. Returns how many jobs came back.
local function take_back(who, charged)
  if not call('ZSCORE', P..'wl', who) then return 0 end
  local own = holdings(who)
  local all = #own <= 512
  local n = all and #own or 512
  for i = 1, n do
    local j = get(own[i].id)
    if j.s == 'l' and j.o == own[i].tok then
      if charged then lose(j, all) else hand_back(j, all) end
    end
  end
  if all then
    call('DEL', P..'w:'..who)
    call('ZREM', P..'wl', who)
    call('HDEL', P..'su', who)
    call('HDEL', P..'wi', who)
    local at = string.match(who, '^(.*)/') or who
    if call('HGET', P..'pl', at) == who then call('HDEL', P..'pl', at) end
  else
    call('ZADD', P..'wl', '0', who)
  end
  return n
end

-- Notes that time goes on. When nobody ticked for half a lease (the server was down), or the clock
-- went back, nobody is taken for dead for half a lease. Then takes care of two dead workers.
local function tick_and_reap(before)
  local m = call('HMGET', P..'m', 'clk', 'grace', 'audit')
  audit_due = m[3]
  local clk, grace = tonumber(m[1] or snow), tonumber(m[2] or '0')
  local half = math.floor(LEASE / 2)
  if now > clk + half or now + 1000 < clk then
    grace = now + half
    call('HSET', P..'m', 'clk', snow, 'grace', I(grace))
  else
    call('HSET', P..'m', 'clk', snow)
  end
  local n = before and before() or 0
  if now < grace then return n end
  for _, who in ipairs(call('ZRANGEBYSCORE', P..'wl', '-inf', snow, 'LIMIT', 0, 2)) do
    n = n + take_back(who, true)
  end
  return n
end
