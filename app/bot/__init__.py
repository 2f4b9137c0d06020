"""The Telegram side: talks to people, enqueues requests, delivers results."""
