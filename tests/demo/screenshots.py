"""``python -m tests.demo.screenshots``: real conversations with the bot, drawn by a real browser, for the README.

Runs the stack without a VPS, lets two people talk to the bot, and has Chromium (Debian's package) draw what they saw.
"""

import base64
import html
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import httpx
from PIL import Image, ImageDraw

from tests.stack.stack import ROOT, Stack

OUTPUT: Final = ROOT / "docs" / "conversation.png"
STYLE: Final = Path(__file__).with_name("chat.css")
WINDOW: Final = "912,1060"
"""Pixels of the picture: width, height."""
PATIENCE: Final = 90.0
"""Seconds to wait for what a person waits for."""

Messages = list[dict[str, Any]]


class Guest:
    """Somebody who talks to the bot."""

    def __init__(self, telegram_url: str, user_id: int, language: str) -> None:
        self._http = httpx.Client(base_url=f"{telegram_url}/person/{user_id}", timeout=60)
        self._language = language

    def say(self, **what: Any) -> None:
        """Send something; see docs/simulators.md for what."""
        self._http.post("/send", json={"language_code": self._language, **what}).raise_for_status()

    def press(self, message: dict[str, Any], text: str) -> None:
        """Press the button that begins with a text."""
        [data] = [button["callback_data"] for button in _buttons(message) if text in button["text"]]
        self._http.post("/press", json={"message_id": message["message_id"], "data": data}).raise_for_status()

    def seen(self) -> Messages:
        """What the chat shows."""
        messages = self._http.get("/chat", params={"after": 0, "timeout": 0}).raise_for_status().json()["messages"]
        return [message for message in messages if not message["deleted"]]

    def until(self, there: Callable[[Messages], Any]) -> Messages:
        """Wait until the chat shows something."""
        end = time.monotonic() + PATIENCE
        while not there(messages := self.seen()):
            if time.monotonic() > end:
                raise TimeoutError(f"the chat stays at {json.dumps(messages[-1], ensure_ascii=False)[:300]}")
            time.sleep(0.2)
        return messages

    def picture(self, file_id: str) -> str:
        """Return a picture as a data URL."""
        data = self._http.get(f"/file/{file_id}").raise_for_status().content
        return f"data:image/*;base64,{base64.b64encode(data).decode()}"


def _buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in message["buttons"] or [] for button in row]


def _from_bot(messages: Messages) -> Messages:
    return [message for message in messages if message["from_bot"]]


def _pictures(count: int) -> Callable[[Messages], bool]:
    return lambda messages: sum(bool(message["photo"]) for message in _from_bot(messages)) >= count


def creates(guest: Guest) -> Messages:
    """A greeting, a picture, and what is going on while it is made larger."""
    guest.say(text="/start")
    guest.until(_from_bot)
    guest.say(text="a red fox asleep in the snow, soft morning light")
    drawn = guest.until(_pictures(1))
    guest.press(drawn[-1], "Upscale")
    guest.until(lambda messages: "Drawing" in (messages[-1]["text"] or ""))
    guest.say(text="/status")
    return guest.until(lambda messages: "/status" in (messages[-2]["text"] or ""))


def merges(guest: Guest) -> Messages:
    """Two photos become one picture, and a variation of it is under way."""
    guest.say(text="/merge")
    guest.until(_from_bot)
    guest.say(photos=[_photo("#4a7fb5", "#d9e6f2"), _photo("#7fa650", "#f2e2b8")])
    guest.until(lambda messages: len(_from_bot(messages)) > 1)
    guest.say(text="поставь мельницу на берег моря")
    drawn = guest.until(_pictures(1))
    guest.press(drawn[-1], "Вариант")
    return guest.until(lambda messages: "Рисую" in (messages[-1]["text"] or ""))


def _photo(sky: str, ground: str) -> str:
    image = Image.new("RGB", (640, 420), sky)
    ImageDraw.Draw(image).rectangle((0, 260, 640, 420), fill=ground)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG")
    return base64.b64encode(buffer.getvalue()).decode()


def page(chats: Iterable[tuple[Guest, Messages]]) -> str:
    """Return the chats as a page, side by side."""
    sections = [
        f"<section><h1>imagebot</h1><ol>{''.join(_item(guest, message) for message in messages)}</ol></section>"
        for guest, messages in chats
    ]
    return f"<!doctype html><meta charset=utf-8><style>{STYLE.read_text()}</style><main>{''.join(sections)}</main>"


def _item(guest: Guest, message: dict[str, Any]) -> str:
    picture = f'<img src="{guest.picture(message["photo"])}">' if message["photo"] else ""
    words = html.escape(message["text"] or message["caption"] or "")
    keyboard = "".join(_keys(row) for row in message["buttons"] or [])
    side = "bot" if message["from_bot"] else "person"
    return f"<li class={side}><div class=bubble>{picture}{words}</div>{keyboard}</li>"


def _keys(row: Iterable[dict[str, Any]]) -> str:
    keys = "".join(f"<span>{html.escape(button['text'])}</span>" for button in row)
    return f"<div class=keyboard>{keys}</div>"


def draw(content: str) -> None:
    """Let the browser draw a page."""
    browser = shutil.which("chromium")
    if browser is None:
        raise FileNotFoundError("no browser here: apt-get install chromium fonts-dejavu fonts-noto-color-emoji")
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "chat.html"
        file.write_text(content)
        quiet = ("--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
        own = ("--no-sandbox", f"--user-data-dir={directory}/profile")  # the page is ours; root has no sandbox
        view = ("--hide-scrollbars", f"--window-size={WINDOW}", f"--screenshot={OUTPUT}", file.as_uri())
        subprocess.run([browser, *quiet, *own, *view], check=True, capture_output=True, timeout=120)


def main() -> int:
    """Hold the conversations and draw them."""
    with tempfile.TemporaryDirectory() as directory:
        stack = Stack(Path(directory), fal_arguments=("--median", "7", "--p95", "9"))
        with stack.running():
            english = Guest(stack.telegram_url, 7001, "en")
            russian = Guest(stack.telegram_url, 7002, "ru")
            draw(page([(english, creates(english)), (russian, merges(russian))]))
    print(OUTPUT.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
