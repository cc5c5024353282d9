-- ARGV: n, n*(counter that only grows, its value), k, k*(counter, counted),
-- t, t*(tenant, counted waiting, counted running)
-- Puts counters right, if nothing has happened since counting began. Answers {how many were
-- wrong, 1}, or {0, 0} when something has.
local at = 1
local function take() at = at + 1; return ARGV[at - 1] end
for _ = 1, tonumber(take()) do
  local f, v = take(), take()
  if (call('HGET', P..'c', f) or '0') ~= v then return { 0, 0 } end
end
local repairs = 0
local function put(key, f, v)
  if (call('HGET', key, f) or '0') ~= v then
    call('HSET', key, f, v)
    repairs = repairs + 1
  end
end
for _ = 1, tonumber(take()) do
  local f, v = take(), take()
  put(P..'c', f, v)
end
for _ = 1, tonumber(take()) do
  local ten, q, f = take(), take(), take()
  put(P..'n:'..ten, 'q', q)
  put(P..'n:'..ten, 'f', f)
end
count('au', repairs)
flush()
return { repairs, 1 }
