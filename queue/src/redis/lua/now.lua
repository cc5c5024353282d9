-- The server's clock in ms; the only one anybody reads. Tests put another in its place.
local function nowms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end
