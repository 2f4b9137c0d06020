"""The whole product on one machine without systemd: supervisord runs two Redis, the bot, workers and simulators."""
