-- Redis runs Lua 5.1, of which scripts see a part, and gives them a few libraries.
std = "lua51"
not_globals = {"collectgarbage", "dofile", "io", "loadfile", "module", "newproxy", "os", "package", "print", "require"}
globals = {"KEYS", "ARGV"} -- the guard takes its own off
read_globals = {"redis", "cjson", "cmsgpack", "bit", "struct"}
max_line_length = 120
include_files = {"app/**/*.lua", ".luacheckrc"}

-- What libraries give to those that include them (app/core/lua_scripts.py); tests/unit/core/test_lua_scripts.py sees to
-- it that who uses them includes them.
files["app/**/lib/*.lua"].ignore = {"211"} -- unused here
local libraries = {
  "events", "open_requests", "keep", "record_of", "open_of", "history_of", "followers_of", "in_flight", "emit",
  "spent_by", "spend", "count_in_batch", "lead", "remember", -- requests
  "now", "IS_TERMINAL", "read_epoch", -- clock, states, epoch
  "job_of", "execution_of", "executions_of", "parts_of", "last_claim", "is_record", -- executions, records
  "waiting", "drawing", "conversation_of", "forget", "look_at", "is_ours", -- status, is_ours
  "append_entry", "acknowledge",
}
for _, name in ipairs(libraries) do table.insert(read_globals, name) end
