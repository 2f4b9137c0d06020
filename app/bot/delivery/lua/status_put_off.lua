#!lua flags=allow-oom
-- include: clock states status
local next_look = tonumber(ARGV[1]) -- s; then ids

local at = now() + next_look
for i = 2, #ARGV do look_at(ARGV[i], at) end
