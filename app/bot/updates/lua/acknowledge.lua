#!lua flags=allow-oom
-- include: acknowledge
local inbox, begun = KEYS[1], KEYS[2]
local group, entry = ARGV[1], ARGV[2]

acknowledge(inbox, begun, group, entry)
