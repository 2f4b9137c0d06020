-- The states of a request (RequestState in app/core/requests.py), and whether nothing more happens after them.
local IS_TERMINAL = {
  queued = false, submitting = false, submitted = false, stored = false,
  done = true, failed = true, cancelled = true,
}
