# Where a request stands, /status and /cancel.

status-taken = On it! { $status }
status-queued = You are #{ $place } in the queue.
status-queued-eta = You are #{ $place } in the queue, about { $left } to go.
status-next = You're next.
status-paused-account = The drawing service is paused for now. Your place is kept; I go on by myself as soon as it is back.
status-paused-provider-down = The drawing service does not answer just now. Your place is kept; I go on by myself as soon as it does.
status-drawing = Drawing…
status-drawing-since = Drawing… { $elapsed }
status-drawing-usual = Drawing, usually about { $usual }
status-drawing-of = Drawing… { $elapsed } of about { $usual }
status-drawing-long = Longer than usual, still working
status-seconds = { $seconds } s
status-minutes = { $minutes } min

status-none = Nothing is queued or being drawn for you. Tell me what to draw!
status-list = Your requests:
status-line = { $number }. { $what }
    { $status }
status-what = { $operation }: { $prompt }
status-more = … and { $count ->
        [one] one more.
       *[other] { $count } more.
    }

cancel-button = Cancel
cancel-number = ✖ { $number }
cancel-all = Cancel all
cancel-left = All right, forget about it.
cancel-offer = What shall I cancel?
cancel-nothing = There is nothing to cancel.
cancel-done = Cancelled.
cancel-all-done = { $count ->
        [one] One request is cancelled.
       *[other] { $count } requests are cancelled.
    }
cancel-too-late = Too late: that one has already ended.

operation-create = Picture
operation-edit = Edit
operation-merge = Merge
operation-retouch = Retouch
operation-upscale = Upscale
