"""Which endpoint at fal draws what, what it wants to be sent, and where its answer holds the pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.core.endpoints import DEFAULT_ENDPOINTS
from app.core.errors import ConfigurationError, FailureReason, RequestFailedError
from app.core.operations import VARIATION, Operation
from app.core.requests import ImageRequest
from app.worker.fal_shapes import Result

Payload = dict[str, Any]

VARY: Final = (
    "Make a variation of this picture: keep its subject, style and composition, "
    "and change details, pose, light and background moderately."
)
"""What a model that edits is told for a variation."""


Sizes = Mapping[str, Payload]
"""What an endpoint is sent for a ratio of width to height."""

_RATIOS: Final[Sizes] = {ratio: {"aspect_ratio": ratio} for ratio in ("1:1", "3:4", "4:3", "9:16", "16:9")}
_PRESETS: Final[Sizes] = {
    "1:1": {"image_size": "square_hd"},
    "3:4": {"image_size": "portrait_4_3"},
    "4:3": {"image_size": "landscape_4_3"},
    "9:16": {"image_size": "portrait_16_9"},
    "16:9": {"image_size": "landscape_16_9"},
}
_LARGE: Final[Sizes] = {
    ratio: {"image_size": {"width": width, "height": height}}
    for ratio, width, height in (
        ("1:1", 2048, 2048),
        ("3:4", 1728, 2304),
        ("4:3", 2304, 1728),
        ("9:16", 1440, 2560),
        ("16:9", 2560, 1440),
    )
}
"""Seedream 4.5 takes 1,920 to 4,096 pixels a side, or 2560x1440 to 4096x4096 in all; the presets have fewer."""
_UNSIZED: Final[Sizes] = {}


@dataclass(frozen=True, slots=True)
class Model:
    """An endpoint: the operations it can do, and the payload for a request and the URLs of its inputs."""

    operations: frozenset[Operation]
    payload: Callable[[ImageRequest, list[str]], Payload]


def _chosen(request: ImageRequest, *names: str) -> Payload:
    """The request's parameters of these names, where it has them."""
    return {name: request.parameters[name] for name in names if name in request.parameters}


def _sized(request: ImageRequest, sizes: Sizes) -> Payload:
    return sizes.get(str(request.parameters.get("aspect_ratio")), {})


def _instruction(request: ImageRequest) -> str:
    return VARY if request.parameters.get(VARIATION) else request.prompt


def _from_text(sizes: Sizes, *names: str) -> Callable[[ImageRequest, list[str]], Payload]:
    return lambda request, _: {"prompt": request.prompt, **_sized(request, sizes), **_chosen(request, *names)}


def _from_pictures(sizes: Sizes, *names: str) -> Callable[[ImageRequest, list[str]], Payload]:
    def payload(request: ImageRequest, urls: list[str]) -> Payload:
        asked = {"prompt": _instruction(request), "image_urls": urls}
        return {**asked, **_sized(request, sizes), **_chosen(request, *names)}

    return payload


def _from_picture(
    *names: str, sizes: Sizes = _UNSIZED, prompted: bool = False
) -> Callable[[ImageRequest, list[str]], Payload]:
    def payload(request: ImageRequest, urls: list[str]) -> Payload:
        prompt = {"prompt": _instruction(request)} if prompted else {}
        return {"image_url": urls[0], **prompt, **_sized(request, sizes), **_chosen(request, *names)}

    return payload


_CREATE: Final = frozenset({Operation.CREATE})
_EDIT_MERGE: Final = frozenset({Operation.EDIT, Operation.MERGE})
_EDIT: Final = frozenset({Operation.EDIT})
_RETOUCH: Final = frozenset({Operation.RETOUCH})
_UPSCALE: Final = frozenset({Operation.UPSCALE})

MODELS: Final[Mapping[str, Model]] = {
    "fal-ai/bytedance/seedream/v4.5/text-to-image": Model(_CREATE, _from_text(_LARGE, "num_images", "seed")),
    "fal-ai/nano-banana": Model(_CREATE, _from_text(_RATIOS, "num_images")),
    "fal-ai/flux/schnell": Model(_CREATE, _from_text(_PRESETS, "num_images", "seed")),
    "fal-ai/bytedance/seedream/v4.5/edit": Model(_EDIT_MERGE, _from_pictures(_LARGE, "seed")),
    "fal-ai/nano-banana/edit": Model(_EDIT_MERGE, _from_pictures(_RATIOS)),
    "fal-ai/flux-pro/kontext": Model(_EDIT, _from_picture("seed", sizes=_RATIOS, prompted=True)),
    "fal-ai/retoucher": Model(_RETOUCH, _from_picture("seed")),
    "fal-ai/codeformer": Model(_RETOUCH, _from_picture("fidelity", "seed")),
    "fal-ai/recraft/upscale/crisp": Model(_UPSCALE, _from_picture()),
    "fal-ai/clarity-upscaler": Model(_UPSCALE, _from_picture("upscale_factor", "seed")),
    "fal-ai/esrgan": Model(_UPSCALE, _from_picture("scale")),
}
"""Every endpoint whose shape is known here. (Shapes: fal's model pages.)"""


def choose_endpoints(chosen: Mapping[Operation, str]) -> dict[Operation, str]:
    """Return the endpoint for each operation.

    Raises:
        ConfigurationError: an endpoint whose shape is unknown, or that can't do the operation.
    """
    endpoints = {**DEFAULT_ENDPOINTS, **chosen}
    problems = []
    for operation, endpoint in endpoints.items():
        fitting = [name for name, model in MODELS.items() if operation in model.operations]
        if endpoint not in fitting:
            problems.append(f"IMAGEBOT_MODELS: {operation}: {endpoint!r} is not one of {', '.join(fitting)}")
    if problems:
        raise ConfigurationError("; ".join(problems))
    return endpoints


def result_urls(result: Result, request: ImageRequest) -> list[str]:
    """Return the URLs of the pictures in a model's answer (``images[]`` or ``image``), as many as were asked for.

    Raises:
        RequestFailedError: the answer holds none.
    """
    files = result.images or ([result.image] if result.image else [])
    if not files:
        raise RequestFailedError(FailureReason.INTERNAL, "the model's answer holds no picture")
    return [file.url for file in files[: int(request.parameters.get("num_images", 1))]]
