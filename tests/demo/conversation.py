"""A person writes to the bot: ``/start``, a prompt, and waits for the picture.

A program of its own, since beside a lab VPS it must run on the lab's network.
"""

import argparse
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

PATIENCE = 180.0
"""Seconds to wait for any one answer."""


class NoAnswerError(Exception):
    """The bot did not answer as it should; the message tells what came instead."""


class Person:
    """Somebody with a Telegram account, simulated."""

    def __init__(self, telegram_url: str, user_id: int) -> None:
        self._http = httpx.Client(base_url=f"{telegram_url}/person/{user_id}", timeout=PATIENCE)

    def send(self, text: str, language: str = "en") -> int:
        """Send a text; return its message id."""
        answer = self._http.post("/send", json={"text": text, "language_code": language}).raise_for_status().json()
        return int(answer["message_ids"][0])

    def answer(self, after: int, *, photo: bool = False) -> dict[str, Any]:
        """Wait for the bot's first message (or photo) after message ``after``.

        Raises:
            NoAnswerError: it did not come.
        """
        deadline, seen = time.monotonic() + PATIENCE, 0
        while (left := deadline - time.monotonic()) > 0:
            chat = self._http.get("/chat", params={"after": seen, "timeout": min(left, 20)}).raise_for_status().json()
            seen = chat["seq"]
            for message in chat["messages"]:
                if message["from_bot"] and message["message_id"] > after and (message["photo"] or not photo):
                    found: dict[str, Any] = message
                    return found
        wanted = "picture" if photo else "answer"
        raise NoAnswerError(f"no {wanted} within {PATIENCE:.0f} s; the last words were: {self.last_words()!r}")

    def last_words(self) -> str:
        """Return the text of the bot's last message."""
        messages = self._http.get("/chat", params={"after": 0, "timeout": 0}).raise_for_status().json()["messages"]
        return next((str(message["text"]) for message in reversed(messages) if message["from_bot"]), "")

    def file(self, file_id: str) -> bytes:
        """Return a file that the bot sent."""
        return self._http.get(f"/file/{file_id}").raise_for_status().content


def main() -> int:
    """Hold the conversation; print its story as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--telegram", required=True, help="URL of the simulated Telegram")
    parser.add_argument("--picture", required=True, type=Path, help="where to save the picture")
    parser.add_argument("--prompt", default=time.strftime("A lighthouse in a storm at %H:%M:%S, oil on canvas"))
    given = parser.parse_args()
    person = Person(given.telegram, user_id=7001)
    try:
        began = time.monotonic()
        greeting = person.answer(person.send("/start"))
        greeted = time.monotonic()
        photo = person.answer(person.send(given.prompt), photo=True)
        data = person.file(photo["photo"])
    except (httpx.HTTPError, NoAnswerError) as error:
        print(f"the conversation broke off: {error}", file=sys.stderr)
        return 1
    ended = time.monotonic()
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        story = {
            "greeting": greeting["text"].splitlines()[0],
            "prompt": given.prompt,
            "greeting_s": greeted - began,
            "picture_s": ended - greeted,
            "bytes": len(data),
            "format": picture.format,
            "size": f"{picture.width}x{picture.height}",
        }
    given.picture.parent.mkdir(parents=True, exist_ok=True)
    given.picture.write_bytes(data)
    print(json.dumps(story))
    return 0


if __name__ == "__main__":
    sys.exit(main())
