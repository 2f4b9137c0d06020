#!lua flags=allow-oom
local key = KEYS[1]
local ttl, command = ARGV[1], ARGV[2] -- s ('' = what it has), then the command's other words

-- One command that writes, also while memory is full.
local answer = redis.call(command, key, unpack(ARGV, 3))
if ttl ~= '' then redis.call('EXPIRE', key, ttl) end
return answer
