"""The bot's real process against a real Redis and the Telegram simulator."""
