-- No ARGV. Writes nothing. Answers label, count, …; a label may come more than once.
local out = {}
local newest = math.floor(now / TALLY_STEP)
for bucket = newest - TALLY_STEPS + 1, newest do
  local pairs_of = call('HGETALL', P..'y:'..I(bucket))
  for i = 1, #pairs_of do out[#out + 1] = pairs_of[i] end
end
return out
