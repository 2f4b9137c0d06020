"""The knobs of the Telegram simulator."""

import httpx
import pytest

from .conftest import Telegram


@pytest.fixture(autouse=True)
def _people(telegram: Telegram) -> None:
    telegram.says(7)
    telegram.says(8)


def test_a_storm_of_429(telegram: Telegram) -> None:
    telegram.simulator.post("/control/faults", method="sendMessage", status=429, retry_after=3, times=2)
    bodies = [telegram.call("sendMessage", chat_id=7, text="x") for _ in range(3)]
    assert [body.get("error_code") for body in bodies] == [429, 429, None]
    assert bodies[0]["parameters"] == {"retry_after": 3}
    assert telegram.simulator.get("/control/outcomes")["sendMessage"] == {"429": 2, "200": 1}
    assert telegram.simulator.get("/control/counts")["sendMessage"] == 3


def test_one_chats_calls_or_any_call(telegram: Telegram) -> None:
    telegram.simulator.post("/control/faults", method="sendMessage", status=403, chat_id=8)
    telegram.ok("sendMessage", chat_id=7, text="x")
    assert telegram.call("sendMessage", chat_id=8, text="x")["error_code"] == 403
    telegram.simulator.post("/control/faults", status=502)
    telegram.updates()
    assert telegram.call("getMe") == {"ok": False, "error_code": 502, "description": "Bad Gateway"}


def test_a_lost_connection_before_or_after_the_deed(telegram: Telegram) -> None:
    for kind, seen in (("drop", 0), ("drop_after", 1)):
        telegram.simulator.post("/control/faults", method="sendMessage", kind=kind)
        with pytest.raises(httpx.TransportError):
            telegram.call("sendMessage", chat_id=7, text=kind)
        assert [message["text"] for message in telegram.chat(7)].count(kind) == seen


def test_a_late_answer(telegram: Telegram) -> None:
    telegram.simulator.post("/control/faults", method="getMe", kind="delay", delay_s=1)
    with pytest.raises(httpx.ReadTimeout):
        telegram.api.get("/getMe", timeout=0.2)


def test_a_wrong_knob_is_refused(telegram: Telegram) -> None:
    for path, body in [("faults", {"kind": "no-such"}), ("settings", {"no_such": 1})]:
        assert httpx.post(f"{telegram.url}/control/{path}", json=body).status_code == 400


def test_a_reset_forgets_all_but_the_numbers(telegram: Telegram) -> None:
    telegram.says(7)
    before = telegram.updates()[-1]["update_id"]
    telegram.simulator.post("/control/reset")
    assert telegram.updates() == []
    assert telegram.chat(7) == []
    telegram.says(7)
    assert telegram.updates()[0]["update_id"] == before + 1
