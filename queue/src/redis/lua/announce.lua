-- ARGV: incarnation, what it says of itself
if call('ZSCORE', P..'wl', ARGV[1]) then call('HSET', P..'wi', ARGV[1], ARGV[2]) end
return 0
