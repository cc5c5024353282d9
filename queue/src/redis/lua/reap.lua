-- ARGV: incarnation that is gone ('': none known)
local n = tick_and_reap(function()
  return ARGV[1] ~= '' and take_back(ARGV[1], true) or 0
end)
flush()
return { n, audit_due and 1 or 0 }
