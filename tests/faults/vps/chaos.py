"""One run of a plan against a provisioned VPS, and what is counted after it."""

import asyncio
import itertools
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from tests.faults.vps.gaps import longest
from tests.faults.vps.host import Host
from tests.faults.vps.people import Crowd
from tests.faults.vps.plan import Plan
from tests.faults.vps.seen import JSON, Sighting
from tests.lab.lab import Lab
from tests.lab.outside import Outside

LEAD: Final = 5.0
"""Seconds from the start of the agent to the first prompt."""
AFTERWARDS: Final = 15.0
"""Seconds after the last answer in which a second one would still be seen."""
TOLD_EVERY: Final = 15.0
GAP_MOST: Final = 5.0
TWICE_MOST: Final = 1 / 1000


class VpsChaosTest:
    """Must be run on the lab's network; ``say`` takes a line of progress."""

    def __init__(self, lab: Lab, plan: Plan, output: Path, say: Callable[[str], None] = print) -> None:
        self._plan = plan
        self._output = output
        self._say = say
        self._log: list[JSON] = []
        self._host = Host(lab, self._told)
        outside = Outside(lab)
        self._telegram, self._fal = (_here(url) for url in (outside.telegram_url, outside.fal_url))

    async def run(self) -> JSON:
        """Let it pass, wait until all have been answered, and return the counts."""
        self._began = time.time() + LEAD
        await asyncio.to_thread(self._host.start_agent, self._plan, self._began)
        crowd = Crowd(self._telegram, self._plan)
        telling = asyncio.create_task(self._tell(crowd))
        try:
            await asyncio.gather(crowd.write(self._began), self._host.suffer(self._plan, self._began))
            await asyncio.sleep(AFTERWARDS)
            return await self._counts(crowd)
        finally:
            telling.cancel()
            await asyncio.to_thread(self._host.save_journals, self._output)
            await crowd.close()

    def _told(self, event: str) -> None:
        self._log.append({"at": time.time(), "event": event})
        self._say(f"{time.time() - self._began:5.0f} s  {event}")

    async def _tell(self, crowd: Crowd) -> None:
        while True:
            await asyncio.sleep(TOLD_EVERY)
            at = time.time() - self._began
            self._say(f"{at:5.0f} s  {crowd.prompts} prompts written, {len(crowd.waiting)} people wait")

    async def _counts(self, crowd: Crowd) -> JSON:
        sightings, strays, chats = await crowd.seen()
        jobs = await self._jobs()
        status = await asyncio.to_thread(self._host.status)
        not_running = await asyncio.to_thread(self._host.not_running)
        self._log += await asyncio.to_thread(self._host.stop_agent)
        self._log.sort(key=lambda entry: float(entry["at"]))
        (self._output / "log.json").write_text(json.dumps(self._log, indent=0))
        (self._output / "chats.json").write_text(json.dumps(chats))
        (self._output / "fal.json").write_text(json.dumps(jobs))
        lost = [one for one in sightings if not one.answers]
        twice = [one for one in sightings if one.answers > 1]
        wrong = [one for one in sightings if not await self._is_right(one, jobs, chats, crowd)]
        billed = {one.prompt: sum(job["billed"] for job in jobs.get(one.prompt, [])) for one in sightings}
        gaps = longest(self._log)
        sentences: dict[str, int] = defaultdict(int)
        for text in itertools.chain.from_iterable(one.sentences for one in sightings):
            sentences[text.splitlines()[-1]] += 1
        stories = [self._story(one, jobs, chats) for one in {id(one): one for one in lost + twice + wrong}.values()]
        (self._output / "stories.txt").write_text("\n\n".join(stories) + "\n")
        return {
            "prompts": len(sightings),
            "people": len(chats),
            "pictures": sum(bool(one.pictures) for one in sightings),
            "sentences": dict(sentences),
            "lost": len(lost),
            "seen_twice": len(twice),
            "wrong_picture": len(wrong),
            "billed_twice": sum(count > 1 for count in billed.values()),
            "billed_unseen": sum(bool(billed[one.prompt]) and not one.pictures for one in sightings),
            "stray_texts": strays,
            "answered_meanwhile": sum(at < self._last_kill() for at in crowd.answered.values()),
            "messages": sum(map(len, crowd.orders.values())),
            "wait_p50_s": statistics.median([at - order.at for order, at in crowd.answered.items()] or [0.0]),
            "wait_max_s": max((at - order.at for order, at in crowd.answered.items()), default=0.0),
            "longest_gap_s": gaps.living,
            "longest_gap_redis_away_s": gaps.redis_away,
            "taken_up": gaps.count,
            "kills": self._kills(),
            "not_running": not_running,
            "left": {name: status[name] for name in ("queued", "leased", "states")},
            "counters": status["counters"],
            "stories": stories,
        }

    def _last_kill(self) -> float:
        return self._began + max(fault.at for fault in self._plan.faults if fault.kind == "kill")

    def _kills(self) -> dict[str, int]:
        kills: dict[str, int] = defaultdict(int)
        for entry in self._log:
            if entry["event"] in ("kill", "spared"):
                unit = str(entry["unit"])
                kind = unit if "redis" in unit else unit.partition("@")[0]
                kills[kind if entry["event"] == "kill" else f"{kind} spared"] += 1
        return dict(kills)

    async def _jobs(self) -> dict[str, list[JSON]]:
        """Return what the simulated fal was asked, by prompt."""
        jobs: dict[str, list[JSON]] = defaultdict(list)
        async with httpx.AsyncClient(base_url=self._fal, timeout=60) as http:
            for job in (await http.get("/control/jobs")).raise_for_status().json():
                jobs[str(job["payload"].get("prompt"))].append(job)
        return jobs

    async def _is_right(
        self, one: Sighting, jobs: dict[str, list[JSON]], chats: dict[int, list[JSON]], crowd: Crowd
    ) -> bool:
        """Tell whether each picture shown for a prompt is one that fal drew for it: the job's id is in its bytes."""
        ids = [job["request_id"].encode() for job in jobs.get(one.prompt, [])]
        for message in chats[one.order.person]:
            if message["message_id"] in one.pictures:
                name = message["photo"] or message["document"]["file_id"]
                data = await crowd.picture(one.order.person, name)
                if not any(request_id in data[:1000] for request_id in ids):
                    return False
        return True

    def _story(self, one: Sighting, jobs: dict[str, list[JSON]], chats: dict[int, list[JSON]]) -> str:
        """Tell all that is known of a prompt, and what was killed meanwhile; times from the first prompt."""
        said = [
            f"  {message['date'] - self._began:7.1f}  message {message['message_id']}"
            f"{' (deleted)' if message['deleted'] else ''}, reply to {message['reply_to']}: "
            + " -> ".join(_shown(form) for form in [*message["versions"], message])
            for message in chats[one.order.person]
            if message["message_id"] > one.order.message_id and message["from_bot"]
        ]
        drawn = [
            f"  {job['submitted_at'] - self._began:7.1f}  fal {job['request_id']}: {job['status']}, "
            f"{job['polls']} polls, billed {job['billed']}, calls {job['calls']}"
            for job in jobs.get(one.prompt, [])
        ]
        times = [message["date"] for message in chats[one.order.person]]
        until = max(times, default=time.time()) + 5 if one.answers else one.order.at + 60
        faults = [
            f"  {entry['at'] - self._began:7.1f}  {entry['event']} {entry.get('unit', '')}"
            for entry in self._log
            if one.order.at - 5 < entry["at"] < until and entry["event"] not in ("taken-up", "agent")
        ]
        head = f"{one.prompt} ({one.order.kind}, person {one.order.person}, message {one.order.message_id}): "
        head += f"written at {one.order.at - self._began:.1f}, {len(one.pictures)} pictures, {one.sentences}"
        return "\n".join([head, *said, *drawn, *faults])


def missed(counts: JSON) -> list[str]:
    """Return the goals that these counts miss."""
    goals = {
        "a prompt was lost": counts["lost"] == 0,
        "a prompt was billed twice": counts["billed_twice"] == 0,
        "a picture went to the wrong prompt": counts["wrong_picture"] == 0,
        "more than 1 in 1,000 was seen twice": counts["seen_twice"] <= TWICE_MOST * counts["prompts"],
        f"a job was in nobody's hands for over {GAP_MOST:g} s": counts["longest_gap_s"] <= GAP_MOST,
        "a unit does not run": not counts["not_running"],
        "the sweeper had to heal something": not any(name.startswith("healed") for name in counts["counters"]),
        "something is left in Redis": not counts["left"]["queued"] + counts["left"]["leased"],
    }
    return [name for name, reached in goals.items() if not reached]


def _here(url: str) -> str:
    return f"http://127.0.0.1:{urlsplit(url).port}"


def _shown(form: JSON) -> str:
    return "picture" if form["photo"] or form["document"] else repr(form["text"])
