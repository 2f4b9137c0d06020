# /batch (what is said about a batch when it ends stands in results.ftl).

batch-usage =
    Send me up to { $limit } descriptions, one a line, or a .txt file with them. I draw them one by one when others need me less, and tell you when all are done.

    /cancel if you have changed your mind.
batch-taken = { $count ->
        [one] One picture is on my list. It comes when it is done.
       *[other] { $count } pictures are on my list. Each comes when it is done.
    }
batch-file = Is this a list of pictures? Answer it with /batch, and I draw them all.
batch-empty = I can't see any words in this list. Write one description a line.
batch-too-many = This list has { $count ->
        [one] one line
       *[other] { $count } lines
    }, and I take { $limit } at a time. Could you split it?
batch-too-long = Line { $line } is a whole story: { $length } characters, and I can read { $limit }. Could you make it shorter?
batch-too-large = This file is too large for a list. I read up to { $kilobytes } KB of plain text.
batch-no-text = I can't read this file. Save the list as plain text (.txt), one description a line.
batch-unavailable = Telegram does not give me this file. Please send it once more.
