"""``python -m tests.hostile``: every attack there is, many seeds, and a fuzzer; ends with a table.

Exit status 1 if anything did what it must not do; what did it lies in build/hostile/defects.
"""

import argparse
import io
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from app.core.requests import RequestState
from tests.bench import report
from tests.hostile import answers, corpus, pictures, updates, webhook_requests
from tests.hostile.bot import BotUnderAttack, under_attack
from tests.hostile.fuzz import attempt_one, fuzz
from tests.hostile.tally import HEADER, OUTPUT, Outcome, Tally
from tests.hostile.targets import Answers, Pictures, prompts_in
from tests.hostile.worker import under_trial
from tests.integration.worker.harness import FAL_KEY
from tests.support.redis_server import RedisServer

PARTS: Final = ("prompts", "answers", "worker", "bot", "pictures")
_TARGETS: Final = 4
"""What the fuzzer's time is shared by."""
_BATCH: Final = 20
"""Updates that the bot gets before it is looked at."""
_DEADLINES: Final = {"REQUEST_DEADLINE": "30", "TEST_CALL_SECONDS": "10", "TEST_FILE_SECONDS": "20"}
"""Seconds, in place of 1800, 45 and 120."""


class Run:
    """One run, class by class."""

    def __init__(self, seconds: float, seed: int) -> None:
        self._seconds, self._seed = seconds / _TARGETS, seed
        self.tallies: list[Tally] = []

    @contextmanager
    def _class(self, name: str) -> Iterator[Tally]:
        tally = Tally(name)
        self.tallies.append(tally)
        with tally.measured():
            yield tally

    def pictures(self) -> None:
        """Those by name, Pillow's own, and spoiled ones, through the decoders of bot and worker."""
        both = Pictures()
        for who, decode in (("to the bot", both.to_bot), ("from fal", both.to_worker)):
            with self._class(f"pictures by name, {who}") as tally:
                for name, make in pictures.CASES.items():
                    data = make()
                    attempt_one(tally, data, partial(decode, data), name)
        for who, decode in (("to the bot", both.to_bot), ("from fal", both.to_worker)):
            with self._class(f"Pillow's test images, {who}") as tally:
                for name, data in corpus.pillows_images():
                    attempt_one(tally, data, partial(decode, data), name)
        kinds = (("JPEG", "RGB"), ("PNG", "P"), ("WEBP", "RGBA"))
        seeds = [data for _, data in pictures.small_cases()]
        seeds += [pictures.sound(kind, mode=mode) for kind, mode in kinds]
        spoiled = st.builds(
            lambda data, seed: pictures.mutated(data, random.Random(seed)),
            st.sampled_from(seeds),
            st.integers(0, 2**48),
        )
        with self._class("pictures, spoiled (fuzzer)") as tally:
            fuzz(tally, spoiled, both.to_bot, bytes, self._seconds, first_seed=self._seed)
        both.close()

    def bot(self) -> None:
        """Updates and webhook requests, to a bot that works for others meanwhile."""
        with under_attack() as bot:
            with self._class("updates by name") as tally:
                for number, (name, make) in enumerate(updates.CASES.items()):
                    update = make(bot.people[number].id)
                    attempt_one(tally, repr(update).encode(), partial(bot.gets, [update]), name)
            ids = [person.id for person in bot.people]
            any_update = st.sampled_from(ids).flatmap(lambda who: updates.updates(who) | updates.spoiled(who))
            batch = st.lists(any_update, min_size=_BATCH, max_size=_BATCH)
            with self._class(f"updates, any and spoiled (fuzzer; time: {_BATCH} of them)") as tally:
                fuzz(tally, batch, bot.gets, lambda value: repr(value).encode(), self._seconds,
                     first_seed=self._seed, of=_BATCH)  # fmt: skip
            bot.serves_others()
            self._webhook(bot)
            bot.serves_others()

    def _webhook(self, bot: BotUnderAttack) -> None:
        with self._class("webhook requests by name") as tally:
            for name, make in webhook_requests.REFUSED.items():
                data = make()
                attempt_one(tally, data, partial(_written, bot, data), name)
        with (
            self._class("webhook connections that never end") as tally,
            ThreadPoolExecutor(len(webhook_requests.HALVES)) as threads,
        ):
            halves = webhook_requests.HALVES.items()
            list(threads.map(lambda half: attempt_one(tally, half[1], lambda: bot.writes(half[1]), half[0]), halves))

    def worker(self) -> None:
        """Fal's answers over the wire, to a worker that works for others meanwhile."""
        with self._class("fal's answers by name, to the worker") as tally, tempfile.TemporaryDirectory() as directory:
            server = RedisServer(Path(directory) / "redis")
            log = io.StringIO()
            with redirect_stdout(log), under_trial(server.url, Path(directory), **_DEADLINES) as trial:
                written = trial.harness.logs()
                for case, request_id in trial.requests.items():
                    record = trial.harness.record(request_id)
                    ended_well = record.state is RequestState.DONE and len(record.media) == 1
                    if not ended_well and not record.reason:
                        tally.defect(f"{case}: {record.state}, {len(record.media)} pictures", written.encode())
                    else:
                        tally.count("accepted" if ended_well else "refused", trial.took[request_id])
                if trial.harness.state(trial.other) is not RequestState.DONE:
                    tally.defect("another's request was not done", written.encode())
                if "Traceback" in written or FAL_KEY in written:
                    tally.defect("a traceback, or the key, in the log", written.encode())
                if trial.foreign.received:
                    tally.defect("a foreign host was asked", repr(trial.foreign.received).encode())
            server.stop()

    def answers(self) -> None:
        """Fal's JSON, spoiled, on its way to our types."""
        target = Answers()
        sound: list[Any] = [
            {"request_id": "r", "status_url": "https://queue.example/s", "response_url": "https://queue.example/r",
             "cancel_url": "https://queue.example/c"},
            {"status": "COMPLETED", "metrics": {"inference_time": 3.5}},
            {"images": [{"url": "https://fal.example/a.png"}] * 3, "seed": 7, "prompt": "SECRETWISH"},
            {"image": {"url": "https://fal.example/a.png"}},
            {"detail": [{"type": "x", "msg": "SECRETWISH", "input": "SECRETWISH"}]},
        ]  # fmt: skip
        texts = st.sampled_from([json.dumps(each).encode() for each in sound])
        bodies = st.one_of(
            st.builds(answers.mutated, texts, st.integers(0, 2**48).map(random.Random)),
            updates.values.map(lambda value: json.dumps(value).encode()),
            st.builds(lambda base, odd: json.dumps(base | odd).encode(), st.sampled_from(sound),
                      st.dictionaries(st.sampled_from(["status", "images", "image", "metrics", "request_id", "detail",
                                                       "status_url", "error_type"]), updates.values, max_size=3)),
            st.binary(max_size=100),
        )  # fmt: skip
        headers = st.dictionaries(
            st.sampled_from(
                ["Content-Type", "Retry-After", "X-Fal-Error-Type", "Content-Encoding", "Content-Length"]
            ),
            st.text(max_size=20) | st.sampled_from(["identity", "gzip", "application/json; charset=x", "9" * 400]),
            max_size=2,
        )
        call = st.sampled_from(["submit", "status", "result", "cancel"])
        status = st.sampled_from([200, 200, 200, 202, 204, 302, 400, 401, 403, 404, 410, 418, 422, 429, 500, 503])
        one = st.tuples(call, status, bodies, headers)
        with self._class("fal's JSON to our types (fuzzer)") as tally:
            fuzz(tally, one, lambda given: target.take(*given), lambda given: repr(given).encode(), self._seconds,
                 first_seed=self._seed)  # fmt: skip

    def prompts(self) -> None:
        """Files with prompts."""
        line = st.text(max_size=60) | updates.words
        text = st.lists(line, max_size=24).flatmap(
            lambda lines: st.sampled_from(["\n", "\r\n", "\x85", "\u2028", "\0"]).map(lambda end: end.join(lines))
        )
        encoding = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251", "utf-32"])
        files = st.builds(lambda text, name: text.encode(name, "replace"), text, encoding) | st.binary(max_size=300)
        with self._class("prompt lists to prompts (fuzzer)") as tally:
            fuzz(tally, files, prompts_in, bytes, self._seconds, first_seed=self._seed)


def _written(bot: BotUnderAttack, data: bytes) -> Outcome:
    outcome = bot.writes(data)
    bot.check_log()
    return outcome


def main() -> int:
    """Run; return the exit status."""
    parser = argparse.ArgumentParser(description="Every attack there is, and a fuzzer")
    parser.add_argument("--minutes", type=float, default=10.0, help="for the fuzzer, all targets together (10)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the fuzzer's first (the time)")
    parser.add_argument("--only", choices=PARTS, nargs="*", default=PARTS, help="parts of it (all)")
    options = parser.parse_args()
    shutil.rmtree(OUTPUT, ignore_errors=True)
    run = Run(options.minutes * 60, options.seed)
    print(f"The fuzzer's first seed: {options.seed}")
    for part in options.only:
        try:
            getattr(run, part)()
        except corpus.NoCorpusError as error:
            print(error)
    rows = [tally.row() for tally in run.tallies if tally.tried]
    print("\n".join(["", f"{report.machine()}.", "", HEADER, *rows]))
    return int(any(tally.defects for tally in run.tallies))


if __name__ == "__main__":
    sys.exit(main())
