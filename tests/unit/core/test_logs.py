"""No log line holds a secret."""

import logging
import sys

import pytest

from app.core import logs
from app.core.logs import RedactingFormatter

TOKEN = "4242424242:AAF-imaginary_token-for-tests-0123456789"
KEY = "key-id:key+secret (with) [signs]"


def record(message: str, *arguments: object, with_traceback: bool = False) -> logging.LogRecord:
    info = sys.exc_info() if with_traceback else None
    return logging.LogRecord("app", logging.INFO, __file__, 1, message, arguments, info)


def test_secrets_are_struck_out_of_messages_and_arguments() -> None:
    text = RedactingFormatter([KEY]).format(
        record("%s and %r and %s", KEY, {"key": KEY}, f"https://x.example/bot{TOKEN}/x")
    )
    assert text == "INFO app: [secret] and {'key': '[secret]'} and https://x.example/bot[secret]/x"


def test_secrets_are_struck_out_of_tracebacks_and_their_causes() -> None:
    try:
        try:
            raise ValueError(f"refused: {KEY}")
        except ValueError as error:
            raise RuntimeError(f"bot{TOKEN}") from error
    except RuntimeError:
        text = RedactingFormatter([KEY]).format(record("it failed", with_traceback=True))
    assert "ValueError: refused: [secret]" in text
    assert "RuntimeError: bot[secret]" in text
    assert KEY not in text
    assert TOKEN not in text


def test_an_empty_secret_strikes_nothing_out() -> None:
    assert RedactingFormatter(["", ""]).format(record("plain words")) == "INFO app: plain words"


def test_libraries_that_tell_whole_urls_are_quiet_unless_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    monkeypatch.setattr(root, "level", root.level)
    logs.configure("INFO", [KEY])
    logging.getLogger("httpx").info("GET https://api.example")
    logging.getLogger("app").info("with %s", KEY)
    assert capsys.readouterr().err == "INFO app: with [secret]\n"
