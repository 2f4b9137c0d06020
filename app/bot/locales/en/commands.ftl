# The menu of commands (app/bot/users/commands.py).

command-start = Say hello
command-help = How it works
command-imagine = Draw what I describe
command-edit = Change a picture
command-merge = Make one picture of several
command-retouch = Retouch a portrait
command-upscale = Make a picture larger and sharper
command-batch = Draw a whole list
command-history = My last pictures
command-status = My open requests
command-cancel = Leave, or cancel a request
command-settings = Language, size, number of pictures

command-stats = How things are going
command-vip = Serve somebody first
command-ban = Stop serving somebody
command-unban = Serve somebody again
command-broadcast = Write to everybody
