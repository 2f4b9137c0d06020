"""Telegram's Bot API and the people who write to the bot."""
