"""What people can say to the bot. Each module offers ``make_router()``."""
