"""How updates come in: from Telegram into the durable inbox, and out of it in order."""
