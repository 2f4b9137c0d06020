# What comes with results: buttons, /history, the summary of a batch.

result-here = Here it is

result-again = 🔄 Again
result-variation = 🎲 Variation
result-upscale = 🔍 Upscale
result-edit = ✏️ Edit
result-retouch = ✨ Retouch
result-file = 📄 File

result-new = 🆕 A new one
result-known = Same words, same picture
result-files = 📄 Files

album-pick = Which one shall I go on with?
album-pick-known = Same words, same pictures. Which one shall I go on with?
album-all = All
album-picked = · { $what } ·

result-stale = This button has had its day. Look at /history for your latest pictures.
result-file-gone = I no longer have this picture in full quality. Sorry!
result-file-too-large = In full quality this picture is too large for Telegram. Sorry!

history-empty = Nothing here yet. Tell me what to draw!
history-newer = ◀ Newer
history-older = Older ▶
history-caption = { $position } of { $total }
history-caption-prompt = { $position } of { $total } · { $prompt }

batch-failed = { $prompt }
    { $why }
batch-summary = That was the whole batch.
batch-summary-done = ✅ { $count ->
        [one] one picture is here
       *[other] { $count } pictures are here
    }
batch-summary-failed = ❌ { $count ->
        [one] one did not work out
       *[other] { $count } did not work out
    }
batch-summary-cancelled = ✖ { $count ->
        [one] one was cancelled
       *[other] { $count } were cancelled
    }
