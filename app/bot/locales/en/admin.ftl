# For people who run the bot, and about those whom they do not serve.

banned = I'm sorry, I can't draw for you any more.
