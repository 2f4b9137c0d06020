"""Every picture of the corpus, sent to a bot with one gigabyte: it survives, and others are answered meanwhile."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.demo.conversation import Person
from tests.hostile import pictures

from .conftest import SECRETS
from .test_hosts import properties
from .test_pictures import until

Host = Any
UNIT = "imagebot@1"
TELEGRAM = SECRETS["bot_telegram_api_url"]
GIGABYTE = 1 << 30
FIRST = 9_000_000
"""The id of the first of those who send a picture each."""
PATIENCE = 900.0
"""Seconds for all pictures: a lab VPS has one slow CPU."""


class Sender(Person):
    """Somebody who sends files and counts what comes back."""

    def __init__(self, number: int) -> None:
        super().__init__(TELEGRAM, FIRST + number)
        self._chat = httpx.Client(base_url=f"{TELEGRAM}/person/{FIRST + number}", timeout=60)

    def show(self, data: bytes) -> None:
        """Send a file that says it is a picture."""
        document = {"data": base64.b64encode(data).decode(), "file_name": "x.jpg", "mime_type": "image/jpeg"}
        self._chat.post("/send", json={"document": document, "language_code": "en"}).raise_for_status()

    def heard(self) -> list[str]:
        """What the bot has said."""
        messages = self._chat.get("/chat", params={"after": 0}).raise_for_status().json()["messages"]
        return [str(message["text"]) for message in messages if message["from_bot"]]


def killed(vps: Host) -> int:
    """How often the kernel has killed a process of the bot's for its memory."""
    group = properties(vps, UNIT, "ControlGroup")["ControlGroup"]
    events = dict(line.split() for line in vps.check_output(f"cat /sys/fs/cgroup{group}/memory.events").splitlines())
    return int(events["oom_kill"])


@pytest.fixture
def limited(vps: Host) -> Iterator[Host]:
    """A host whose bot has one gigabyte, whatever its role says."""
    before = properties(vps, UNIT, "MemoryMax")["MemoryMax"]
    vps.check_output(f"systemctl set-property --runtime {UNIT} MemoryMax=1G")
    yield vps
    vps.check_output(f"systemctl set-property --runtime {UNIT} MemoryMax={before}")


def test_every_picture_is_answered_and_so_is_everybody_else(limited: Host) -> None:
    assert int(properties(limited, UNIT, "MemoryMax")["MemoryMax"]) == GIGABYTE
    before, kills = properties(limited, UNIT, "NRestarts", "MainPID"), killed(limited)
    senders = {name: Sender(number) for number, name in enumerate(pictures.CASES)}
    other = Person(TELEGRAM, FIRST - 1)
    helped = 0
    for number, (name, make) in enumerate(pictures.CASES.items()):
        senders[name].show(make() or b"\0")
        if number % 10 == 0:
            assert "Words alone" in other.answer(other.send("/help"))["text"]
            helped += 1
    assert until(lambda: all(sender.heard() for sender in senders.values()), PATIENCE)
    assert helped == (len(pictures.CASES) + 9) // 10
    said = {name: sender.heard() for name, sender in senders.items()}
    assert {name: texts for name, texts in said.items() if len(texts) != 1 or "went wrong" in texts[0]} == {}
    assert properties(limited, UNIT, "NRestarts", "MainPID") == before
    assert killed(limited) == kills
    print(f"memory at its peak: {properties(limited, UNIT, 'MemoryPeak')['MemoryPeak']} bytes")
