"""imagebot: pictures in Telegram, made by fal.ai models.

Imports run one way: ``app.bot -> app.core <- app.worker``.
"""
