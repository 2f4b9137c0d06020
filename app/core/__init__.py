"""What the bot and the worker share: the request and its life, queues, events, media, limits, settings."""
