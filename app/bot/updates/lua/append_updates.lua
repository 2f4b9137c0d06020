-- include: append_entry
local inbox = KEYS[1] -- then of each update: its mark, and its chat's last entry
local remembered = ARGV[1] -- seconds; then the updates

for i = 2, #ARGV do
  local mark, last = KEYS[2 * i - 2], KEYS[2 * i - 1]
  if redis.call('SET', mark, 1, 'NX', 'EX', remembered) then append_entry(inbox, last, ARGV[i], remembered) end
end
