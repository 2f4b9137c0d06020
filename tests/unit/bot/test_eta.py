"""Where a request stands, and the sentence for it."""

import pytest

from app.bot.delivery.eta import QueueState, RequestStatus, describe
from app.bot.texts import Texts, Translator
from app.core.operations import Operation
from app.core.pause import Pause, PauseKind
from app.core.requests import RequestState

PAUSE = Pause(PauseKind.PROVIDER_DOWN, "Bad gateway", 1000)
EN, RU = Translator(Texts(), "en"), Translator(Texts(), "ru")


def waiting(request_id: str, joined_to: str = "") -> RequestStatus:
    return RequestStatus(request_id, Operation.CREATE, RequestState.QUEUED, joined_to)


def drawn(started_at: float | None) -> RequestStatus:
    return RequestStatus("u1", Operation.CREATE, RequestState.SUBMITTED, started_at=started_at)


def queue_state(
    waiting: int = 0, running: int = 0, run_time: float | None = 20.0, *, paused: bool = False
) -> QueueState:
    places = {f"u{place}": place for place in range(1, waiting + 1)}
    run_times = {} if run_time is None else {Operation.CREATE: run_time}
    return QueueState(places, running, slots=10, run_times=run_times, pause=PAUSE if paused else None)


@pytest.mark.parametrize(
    ("place", "running", "seconds"),
    [
        (1, 0, 20),  # a slot is free: only the drawing itself
        (10, 0, 20),
        (11, 0, 22),  # one more than there are slots: a slot becomes free every two seconds
        (1, 10, 22),
        (40, 10, 100),
        (4, 8, 24),
    ],
)
def test_the_time_to_go_follows_from_place_run_time_and_slots(place: int, running: int, seconds: float) -> None:
    assert queue_state(waiting=50, running=running).seconds_left(waiting(f"u{place}")) == pytest.approx(seconds)


def test_nothing_is_foretold_without_run_times_or_while_nothing_is_taken() -> None:
    assert queue_state(waiting=1, run_time=None).seconds_left(waiting("u1")) is None
    assert queue_state(waiting=1, paused=True).seconds_left(waiting("u1")) is None


@pytest.mark.parametrize(
    ("kind", "english", "russian"),
    [
        (PauseKind.ACCOUNT, "The drawing service is paused for now.", "Рисование пока приостановлено."),
        (PauseKind.PROVIDER_DOWN, "does not answer just now. Your place is kept", "сейчас не отвечает."),
    ],
)
def test_who_waits_is_told_why_nothing_moves(kind: PauseKind, english: str, russian: str) -> None:
    paused = QueueState({"u1": 1}, 0, slots=10, run_times={}, pause=Pause(kind, "User is locked", 1000))
    assert english in describe(waiting("u1"), paused, EN, 1020.0)
    assert russian in describe(waiting("u1"), paused, RU, 1020.0)
    assert describe(drawn(1000.0), paused, EN, 1016.0) == "Drawing… 15 s"  # fal has it


def test_a_request_that_joined_another_stands_where_that_does() -> None:
    assert queue_state(waiting=3).place(waiting("u9", joined_to="u2")) == 2


@pytest.mark.parametrize(
    ("status", "english", "russian"),
    [
        (waiting("u3"), "You are #3 in the queue, about 30 s to go.", "Номер 3 в очереди, осталось около 30 с."),
        (waiting("u9"), "Drawing, usually about 20 s", "Рисую, обычно около 20 с"),
        (drawn(1000.0), "Drawing… 15 s of about 20 s", "Рисую… 15 с из примерно 20 с"),
        (drawn(1016.0), "Drawing, usually about 20 s", "Рисую, обычно около 20 с"),
        (drawn(979.0), "Drawing… 40 s of about 20 s", "Рисую… 40 с из примерно 20 с"),
        (drawn(970.0), "Longer than usual, still working", "Дольше обычного, но работа идёт"),
        (drawn(1050.0), "Drawing, usually about 20 s", "Рисую, обычно около 20 с"),  # a worker whose clock is ahead
        (drawn(None), "Drawing, usually about 20 s", "Рисую, обычно около 20 с"),
    ],
)
def test_where_it_stands_is_said_in_a_sentence(status: RequestStatus, english: str, russian: str) -> None:
    look = queue_state(waiting=3, running=10)
    assert describe(status, look, EN, now=1019.0) == english
    assert describe(status, look, RU, now=1019.0) == russian


@pytest.mark.parametrize(("waiting_ones", "running"), [(3, 0), (3, 7)])
def test_who_finds_a_free_slot_is_not_told_of_a_queue(waiting_ones: int, running: int) -> None:
    look = queue_state(waiting=waiting_ones, running=running)
    assert describe(waiting("u3"), look, EN, now=0.0) == "Drawing, usually about 20 s"


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (drawn(1000.0), "Drawing… 15 s"),
        (drawn(1016.0), "Drawing…"),
        (drawn(930.0), "Drawing… 2 min"),
        (waiting("u9"), "You're next."),
    ],
)
def test_what_it_takes_as_a_rule_is_not_said_before_it_is_known(status: RequestStatus, sentence: str) -> None:
    assert describe(status, queue_state(waiting=3, run_time=None), EN, now=1019.0) == sentence


@pytest.mark.parametrize(
    ("run_time", "left"), [(0.4, "5 s"), (55, "55 s"), (56, "1 min"), (60, "1 min"), (61, "2 min"), (150, "3 min")]
)
def test_times_are_rounded_up_so_that_they_change_seldom(run_time: float, left: str) -> None:
    look = queue_state(waiting=1, run_time=run_time)
    assert describe(waiting("u1"), look, EN, now=0.0) == f"Drawing, usually about {left}"


def test_a_place_is_told_even_if_the_time_is_not_known() -> None:
    assert describe(waiting("u2"), queue_state(waiting=2, run_time=None), EN, now=0.0) == "You are #2 in the queue."
