"""Logging: lines for the journal, with every secret struck out."""

import logging
import re
import sys
from collections.abc import Iterable

_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{30,}")
"""A Telegram bot token, wherever it stands: a Bot API URL holds it, and so do tracebacks of failed calls."""

_CHATTY = ("httpx", "httpcore", "hpack", "aiohttp.access", "rq.worker", "rq.job", "rq.registry")
"""Loggers that tell whole URLs, or every step of every job, at INFO."""


class RedactingFormatter(logging.Formatter):
    """Strikes bot tokens and the given secrets out of whole rendered records, tracebacks included."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")  # journald adds the time
        known = [re.escape(secret) for secret in secrets if secret]
        self._secrets = re.compile("|".join([*known, _TOKEN.pattern]))

    def format(self, record: logging.LogRecord) -> str:
        """Render a record and strike the secrets out of it."""
        return self._secrets.sub("[secret]", super().format(record))


def configure(level: str, secrets: Iterable[str] = ()) -> None:
    """Send all logging from ``level`` on to standard error, one line an event, ``secrets`` struck out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter(secrets))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
