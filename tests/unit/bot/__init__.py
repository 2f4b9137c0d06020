"""The bot's parts, each by itself."""
