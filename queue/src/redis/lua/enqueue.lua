-- ARGV: jobs in the whole call (0: not the first chunk), tenants, tenants*(name, jobs in the call),
-- n, n*(id, tenant, lane, cost, deadline, keyed, big, payload, webhook, batch, total, batch hook,
-- note, group and label of a listing)
local whole, nt = tonumber(ARGV[1]), tonumber(ARGV[2])
local base = 3 + nt * 2
local n = tonumber(ARGV[base])
local W = 15

-- How many jobs are new, in all and of one tenant: counted only when a limit is near.
local fresh, fresh_of
local function count_fresh()
  if fresh then return end
  fresh, fresh_of = 0, {}
  local seen = {}
  for i = 0, n - 1 do
    local id, ten = ARGV[base + i * W + 1], ARGV[base + i * W + 2]
    if not seen[id] and call('EXISTS', P..'j:'..id) == 0 then
      seen[id] = true
      fresh = fresh + 1
      fresh_of[ten] = (fresh_of[ten] or 0) + 1
    end
  end
end

-- How many errands wait, when they are too many for more to be promised.
local errands_full
if whole > 0 then
  local v = call('HMGET', P..'c', 'q0', 'q1', 'q2', 'd', 'd3', 'q3')
  local function c(i) return tonumber(v[i] or '0') end
  local depth, errands = c(1) + c(2) + c(3) + c(4) - c(5), c(6) + c(5)
  if errands >= DEPTH then errands_full = errands end
  if depth + whole > DEPTH then
    count_fresh()
    local want = whole - (n - fresh)
    if want > 0 and depth + want > DEPTH then return { 0, depth, '' } end
  end
  for i = 0, nt - 1 do
    local ten, want = ARGV[3 + i * 2], tonumber(ARGV[4 + i * 2])
    local t = call('HMGET', P..'n:'..ten, 'mq', 'q')
    local limit, waits = tonumber(t[1] or TENANT_DEPTH), tonumber(t[2] or '0')
    if limit >= 0 and waits + want > limit then
      count_fresh()
      local here = 0
      for k = 0, n - 1 do if ARGV[base + k * W + 2] == ten then here = here + 1 end end
      want = want - (here - (fresh_of[ten] or 0))
      if want > 0 and waits + want > limit then return { 0, waits, ten } end
    end
  end
end
if whole > 0 and errands_full then
  for i = 0, n - 1 do
    local b = base + i * W
    if ARGV[b + 9] ~= '' and call('EXISTS', P..'j:'..ARGV[b + 1]) == 0 then
      return { 3, errands_full, '' }
    end
  end
end
for i = 0, n - 1 do
  local b = base + i * W
  if ARGV[b + 7] == '1' and call('EXISTS', P..'p:'..ARGV[b + 1]) == 0
    and call('EXISTS', P..'j:'..ARGV[b + 1]) == 0 then return { 2, 0, ARGV[b + 1] } end
end

-- A list that nobody adds to is forgotten with its results.
local function list(id, ten, group, label)
  local listed, counted = P..'i:'..ten, P..'ic:'..ten
  call('ZADD', listed, I(call('INCR', P..'is')), id)
  call('ZREMRANGEBYRANK', listed, 0, -LISTED - 1)
  call('PEXPIRE', listed, REMEMBERED)
  if call('HLEN', counted) < TALLY_LABELS or call('HEXISTS', counted, label) == 1 then
    call('HINCRBY', counted, label, 1)
  end
  call('INCR', P..'ig:'..ten..':'..group)
  call('PEXPIRE', P..'ig:'..ten..':'..group, GROUP_TTL)
end

local added, dups = 0, {}
for i = 0, n - 1 do
  local b = base + i * W
  local id, ten, lane, cost = ARGV[b + 1], ARGV[b + 2], ARGV[b + 3], ARGV[b + 4]
  local key = P..'j:'..id
  if call('HSETNX', key, 's', 'q') == 1 then
    local f = { 't', ten, 'l', lane, 'c', cost, 'e', snow, 'a', '0', 'lo', '0' }
    local function set(name, value) f[#f + 1] = name; f[#f + 1] = value end
    if ARGV[b + 5] ~= '0' then set('dl', ARGV[b + 5]) end
    if ARGV[b + 6] == '1' then set('k', '1') end
    if ARGV[b + 7] == '1' then set('g', '1'); call('PERSIST', P..'p:'..id)
    else set('p', ARGV[b + 8]) end
    if ARGV[b + 9] ~= '' then set('wh', string.sub(ARGV[b + 9], 2)) end
    if ARGV[b + 13] ~= '' then set('nt', string.sub(ARGV[b + 13], 2)) end
    local batch = ARGV[b + 10]
    if batch ~= '' then
      set('b', batch)
      call('RPUSH', P..'bj:'..batch, id)
      if call('HSETNX', P..'b:'..batch, 'n', ARGV[b + 11]) == 1 then
        call('HSET', P..'b:'..batch, 'd', '0', 'f', '0', 't', ten)
        -- In case that not all of its jobs ever come.
        call('PEXPIRE', P..'b:'..batch, DEAD_TTL)
        call('PEXPIRE', P..'bj:'..batch, DEAD_TTL)
        if ARGV[b + 12] ~= '' then
          call('HSET', P..'b:'..batch, 'wh', string.sub(ARGV[b + 12], 2))
        end
      end
    end
    call('HSET', key, unpack(f))
    if ARGV[b + 15] ~= '' then list(id, ten, ARGV[b + 14], ARGV[b + 15]) end
    place(lane, ten, id, false, false)
    count_queued(lane, tonumber(cost), ten, 1)
    added = added + 1
  else dups[#dups + 1] = id end
end
count('in', added)
flush()
return { 1, added, dups }
