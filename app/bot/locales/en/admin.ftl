# For people who run the bot.

admin-stats =
    Waiting: { $high } first, { $normal } normal, { $low } in batches
    At work: { $running }, with { $workers ->
        [one] one worker
       *[other] { $workers } workers
    }
    Last { $minutes } min: { $done } done, { $rate } a minute
    Errors: { $errors } (failed: { $reasons })
    Cache hits: { $hits }
    Spent today: ${ $spend } of ${ $cap }
    People: { $people }, of them { $today } in the last 24 h
admin-vip-usage =
    /vip <id> serves somebody first, /vip <id> off no longer.

    Now: { $ids }
admin-vip-on = { $id } is served first from now on.
admin-vip-off = { $id } waits like everybody from now on.
admin-ban-usage =
    /ban <id> stops serving somebody.

    Now: { $ids }
admin-unban-usage =
    /unban <id> serves somebody again.

    Not served now: { $ids }
admin-ban-admin = That is one of us: take them off the list of admins first.
admin-ban-on = { $id } is not served any more. What they had open is cancelled.
admin-ban-off = { $id } is served again.

broadcast-usage = Write /broadcast and the text, or answer any message with /broadcast to send it as it is, pictures and all.
broadcast-confirm = Shall I send this to { $count ->
        [one] one person
       *[other] { $count } people
    }?
broadcast-button-send = Send
broadcast-button-discard = Discard
broadcast-button-stop = Stop
broadcast-started = On its way
broadcast-busy = Another one is on its way. Stop it, or wait until it is done.
broadcast-stopping = Stopping
broadcast-discarded = Discarded, nobody got it.
broadcast-stale = This button is out of date.
broadcast-progress = Sending: { $sent } of { $total } got it, { $gone } have left, { $failed } failed.
broadcast-stopped = Stopped: { $sent } of { $total } got it, { $gone } have left, { $failed } failed.
broadcast-done = Done: { $sent } of { $total } got it, { $gone } have left, { $failed } failed.

alert-spend-cap = Today's spending limit is reached: nothing more is drawn until midnight UTC, and people are told so. The limit is spend_max_per_day.
alert-no-room = New requests are refused, and people are asked to come back in a few minutes: there is too little room left ({ $lack }). What was taken goes on.
alert-records-lost = Redis came back with less than it had. { $kept } requests go on; { $lost } were lost, and their people were told. Bans, VIPs, history and spending may be older than they were: look at Redis' journal, and at its disk.
alert-account-refused = fal.ai takes no requests; it says: “{ $reason }”. Every request is kept, and people are told that drawing is paused. I try one every 15 s and go on by myself; look at the account's balance, key and state.
alert-provider-down = fal.ai has not answered as it should for two minutes (“{ $reason }”). Every request is kept; I try one every 15 s and go on by myself.
alert-resumed = The pause is over: requests are handed to fal.ai again.
alert-update-aside = I could not handle an update and have set it aside (more may follow today). Look at it with: redis-cli XREVRANGE imagebot:inbox:aside + - COUNT 10
