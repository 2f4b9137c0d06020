# What the bot says in English. The same keys and variables as in the other languages (a test compares them).

start =
    Hi! I turn words into pictures, and change the pictures you have.

    Tell me what you would like to see, for example: “a red fox asleep in the snow, soft morning light”. It usually takes about half a minute.

    Or send me a photo: with a few words under it I change it as you say; without, I show what I can do with it. /help tells the rest.
# Buttons under the greeting; the first three are prompts, too.
start-fox = A red fox asleep in the snow, morning light
start-lighthouse = A lighthouse in a storm, oil on canvas
start-cat = A cat astronaut on the moon
start-photo = 🖼 Change a photo

help =
    ✏️ Words alone: I draw what you describe. The more you tell, the closer I get.
    🖼 A photo with words under it, or words in reply to any picture: I change it.
    🧩 /merge: 2 to 10 photos become one picture.
    ✨ /retouch: a portrait, retouched.  🔍 /upscale: a picture, enlarged.
    📋 /batch: many prompts at once, one a line.
    /status shows what is in the making, /cancel takes it back, /history shows your last pictures, /settings size, number and language.

    Up to { $requests ->
        [one] one request
       *[other] { $requests } requests
    } in { $window ->
        [one] one second
       *[other] { $window } seconds
    }.

prompt-blank = I can't see any words there. Tell me what to draw, in a sentence or two.
prompt-too-long = That is a whole story! It has { $length } characters, and I can read { $limit } at a time. Could you make it shorter?
only-text = I understand words and still pictures. Tell me what to draw, or send me a photo.
imagine-usage = Write what I shall draw after it, or without any command: /imagine a red fox asleep in the snow
unknown-command = I don't know this command. Send me a sentence that says what to draw, or /help.

rate-limited = That's a lot at once, I need to catch my breath. Please try again in { $seconds ->
        [one] one second
       *[other] { $seconds } seconds
    }.
refused-banned = I can't work for you any more.
refused-banned-contact = I can't work for you any more. If you think that is a mistake, write to { $contact }
refused-open = You already have { $count ->
        [one] one picture
       *[other] { $count } pictures
    } in the making. Send the next one when one of them is here, or look at /status.
refused-full = Too many people are waiting for pictures just now. Please send it again in a few minutes.
refused-no-room = I have run out of room for new pictures and am making some. Please send it again in a few minutes.
refused-spend = Today's limit for everybody is used up. Again in { $left }.
refused-user-spend = Today's limit is used up: { $used } of { $limit } pictures. Again in { $left }.
refused-user-spend-most = Today's limit allows no more of this: { $used } of { $limit } pictures are used. Again in { $left }.
left-hours-minutes = { $hours } h { $minutes } min
batch-open = Your last batch is still being drawn. Please send the next when it has ended.

cancelled = Cancelled.

failed-policy = I'm not allowed to draw this one. It is mostly nudity, violence or a famous person that stands in the way: leave that out and try again.
failed-bad-input = The artist could not make sense of this request. Try putting it differently.
failed-no-face = I can't see a face in this photo. Send a closer portrait.
failed-provider-down = The drawing service is having a hard time and did not manage it. Please try again a little later.
failed-out-of-money = The drawing service is paused for now. We are already on it, please come back a little later.
failed-timed-out = This picture took too long and I had to give up. Please send it again.
failed-outcome-unknown = The connection broke at the very moment I sent this off, and I can't tell what became of it. Please send it again.
failed-records-lost = I have lost track of this request, and of what you asked. Sorry! Please send it again.
failed-internal = Something broke on my side. Sorry! Please send it again.

remedy-again = Try again
remedy-words = Change the words
remedy-photo = Another photo
remedy-question = Tell me in other words what you want.
failed-gone = I no longer have that request. Please send it again.

trouble = Something went wrong on my side. Sorry! Please try once more.
aside-deadly = This one is too much for me, however often I try. I have put it aside for the people who look after me. Please try something else.
aside-unreadable = I can't read this kind of message yet. Please send me words, or a photo.
aside-failed = Something went wrong on my side, and the people who look after me will see it. Sorry! Please try once more.
