"""Simulators of the outside services: Telegram's Bot API and fal.ai's queue API, over real HTTP."""
