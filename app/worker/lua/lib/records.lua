-- The requests' records: the beginning of their keys comes first.
local record_prefix = KEYS[1]
local function record_of(id) return record_prefix .. id end
local function is_record(id) return redis.call('TYPE', record_of(id)).ok == 'hash' end
