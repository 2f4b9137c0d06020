"""What is attacked in the long form: each target took a thing, or refused it kindly, or has a defect."""

import asyncio
import io
import json
import math
import unicodedata
from collections.abc import Coroutine, Mapping
from typing import Any, Final, TypeVar

import httpx
from PIL import Image

from app.bot.refusals import RefusedError
from app.bot.requests.prompt_lists import LIST_MAX, decode, read_list
from app.bot.requests.sanitised_image import KEPT_SIDE, SIDE_MIN, SanitisedImage
from app.bot.requests.sanitiser import Sanitiser
from app.bot.texts import Texts
from app.core.errors import FailureReason, ImagebotError, RequestFailedError
from app.core.operations import PROMPT_MAX_LENGTH, Operation
from app.core.requests import FalRequest, ImageRequest
from app.worker import models
from app.worker.fal_answers import AccountError, ModelFailedError, SubmitOutcomeUnknownError
from app.worker.fal_queue import FalQueue
from app.worker.retry_policy import DoubtfulError, TransientError
from app.worker.verifier import Verifier
from tests.hostile import pictures
from tests.hostile.tally import DefectError, Outcome

T = TypeVar("T")

_INFO: Final = {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
_QUEUE: Final = "https://queue.example"
_REQUEST: Final = FalRequest("r", f"{_QUEUE}/s", f"{_QUEUE}/r", f"{_QUEUE}/c", "endpoint", 0.0)
_ERRORS: Final = (
    AccountError, DoubtfulError, ModelFailedError, RequestFailedError, SubmitOutcomeUnknownError, TransientError,
)  # fmt: skip
"""What a call to fal may end with."""


def kind_sentence(refusal: RefusedError) -> str:
    """Return what a person reads of a refusal.

    Raises:
        DefectError: it is none.
    """
    said = Texts().translate("en", refusal.key, **refusal.variables)
    if not said or refusal.key in said or "{" in said or len(said) > 400:
        raise DefectError(f"no kind sentence for {refusal.key}: {said}")
    return said


def flaws(picture: SanitisedImage) -> list[str]:
    """Return what a picture in sanitised form has that it must not have."""
    found = ["it tells of the person"] if pictures.PRIVATE in picture.data else []
    with Image.open(io.BytesIO(picture.data)) as image:
        image.load()
        if image.mode != "RGB" or {"JPEG": "jpg", "PNG": "png"}.get(str(image.format)) != picture.suffix:
            found.append(f"{image.format} {image.mode} as {picture.suffix}")
        if max(image.size) > KEPT_SIDE or min(image.size) * 20 < min(SIDE_MIN, max(image.size)):
            found.append(f"{image.size}")
        if image.getexif() or set(image.info) - _INFO or getattr(image, "n_frames", 1) > 1:
            found.append(f"more than pixels: {sorted(map(str, image.info))}")
    return found


class Pictures:
    """The bot's and the worker's decoders, each in its child."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._normalise, self._verify = Sanitiser(), Verifier()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def to_bot(self, data: bytes) -> Outcome:
        """A person sends it."""
        try:
            picture = self._run(self._normalise(data))
        except RefusedError as refusal:
            kind_sentence(refusal)
            return "refused"
        if found := flaws(picture):
            raise DefectError(", ".join(found))
        return "accepted"

    def to_worker(self, data: bytes) -> Outcome:
        """Fal sends it."""
        try:
            self._run(self._verify(data))
        except RequestFailedError as failure:
            if failure.reason is not FailureReason.INTERNAL or not str(failure).isprintable():
                raise DefectError(f"an odd reason: {failure!r}") from None
            return "refused"
        return "accepted"

    def close(self) -> None:
        """End the children."""
        for each in (self._normalise, self._verify):
            self._run(each.aclose())
        self._loop.close()


class Answers:
    """Fal's JSON on its way to our types."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._answer = httpx.Response(200)
        transport = httpx.MockTransport(lambda _: self._answer)
        self._fal = FalQueue("id:secret", _QUEUE, ("fal.example",), transport=transport)
        self._request = ImageRequest(
            id="u1", user_id=7, chat_id=7, locale="en", operation=Operation.CREATE, prompt="a fox", queue="img_queue",
            parameters={"num_images": 2},
        )  # fmt: skip

    def take(self, call: str, status: int, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Fal answers a call so."""
        given = [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers.items()]
        self._answer = httpx.Response(status, headers=given, stream=httpx.ByteStream(body))
        try:
            self._loop.run_until_complete(self._call(call))
        except _ERRORS as error:
            if not str(error).isprintable() or len(str(error)) > 500 or "SECRETWISH" in str(error):
                raise DefectError(f"said of it: {str(error)[:600]!r}") from error
            after = getattr(error, "retry_after", None)
            if after is not None and not after >= 0:
                raise DefectError(f"to come again after {after}") from error
            return "refused"
        except ImagebotError as error:
            raise DefectError(f"an error that nobody expects: {error!r}") from error
        return "accepted"

    async def _call(self, call: str) -> None:
        if call == "submit":
            taken = await self._fal.submit("owner/app", {})
            if not taken.status_url.startswith(f"{_QUEUE}/"):
                raise DefectError(f"the key would go to {taken.status_url}")
        elif call == "status":
            time = (await self._fal.status(_REQUEST)).inference_time
            if time is not None and not (math.isfinite(time) and 0 <= time <= 3600):
                raise DefectError(f"a run of {time} s")
        elif call == "result":
            urls = models.result_urls(await self._fal.result(_REQUEST), self._request)
            if not 0 < len(urls) <= 2 or not all(isinstance(url, str) for url in urls):
                raise DefectError(f"{len(urls)} pictures, and 2 were asked for")
        else:
            await self._fal.cancel(_REQUEST)


def prompts_in(data: bytes) -> Outcome:
    """A person sends a file with prompts."""
    try:
        prompts = read_list(decode(data))
    except RefusedError as refusal:
        kind_sentence(refusal)
        return "refused"
    for prompt in prompts:
        odd = {char for char in prompt if char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs")}
        if odd or not 0 < len(prompt) <= PROMPT_MAX_LENGTH or prompt != prompt.rstrip():
            raise DefectError(f"a prompt of {len(prompt)} characters, {odd}")
        json.dumps(prompt, ensure_ascii=False).encode()
    if not 0 < len(prompts) <= LIST_MAX:
        raise DefectError(f"{len(prompts)} prompts")
    return "accepted"
