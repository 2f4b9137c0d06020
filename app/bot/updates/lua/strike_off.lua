#!lua flags=allow-oom
-- include: strike_off
local inbox, begun = KEYS[1], KEYS[2]
local group, entry = ARGV[1], ARGV[2]

strike_off(inbox, begun, group, entry)
