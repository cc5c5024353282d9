-- ARGV: layout that we know, run id of the server
-- Answers {0, layout} when the queue was written by a newer version; {1, 1} when this server
-- process is new to the queue (it was restarted), {1, 0} when it is not. Who was told so notes its run
-- id when it has done what a new server needs.
local v = call('HMGET', P..'m', 'v', 'run')
if v[1] and tonumber(v[1]) > tonumber(ARGV[1]) then return { 0, tonumber(v[1]) } end
-- What an older version has counted in its way is counted again.
if v[1] ~= ARGV[1] then call('HSET', P..'m', 'v', ARGV[1], 'audit', '1') end
if v[2] == ARGV[2] then return { 1, 0 } end
call('HSET', P..'m', 'audit', '1')
-- Who audited before the restart does not any more.
call('DEL', P..'at')
return { 1, 1 }
