-- ARGV: ids (at most 100) of jobs that did not look as they should. Each is looked at again, in one
-- piece with its repair. Answers how many were repaired.
local repairs = 0
for _, id in ipairs(ARGV) do
  local j = get(id)
  if j.s == 'l' then
    local h = call('HGET', P..'w:'..holder(j.o), id)
    if not h or string.match(h, '^%d+|%d+|(.*)$') ~= j.o
      or not call('ZSCORE', P..'wl', holder(j.o)) then
      give_back(j, false, j.a, j.lo)
      repairs = repairs + 1
    end
  elseif j.s == 'q' then
    local key = j.lo > 0 and P..'s:'..j.l or P..'t:'..j.l..':'..j.t
    if not call('LPOS', key, id) then
      call('RPUSH', key, id)
      wake = true
      repairs = repairs + 1
    end
    if j.lo == 0 and not call('ZSCORE', P..'r:'..j.l, j.t)
      and call('HEXISTS', P..'pk', j.l..':'..j.t) == 0 then
      join(j.l, j.t)
      repairs = repairs + 1
    end
  elseif j.s == 'd' then
    if not call('ZSCORE', P..'d', id) then
      call('ZADD', P..'d', snow, id)
      repairs = repairs + 1
    end
  elseif j.s and call('PTTL', j.key) == -1 then
    call('PEXPIRE', j.key, j.s == 'x' and DEAD_TTL or RESULT_TTL)
    repairs = repairs + 1
  elseif not j.s and call('EXISTS', j.key) == 1 then
    -- Half a record, of a job that was never acknowledged.
    call('DEL', j.key)
    repairs = repairs + 1
  end
end
count('au', repairs)
flush()
return repairs
