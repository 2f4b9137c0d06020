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


@dataclass(frozen=True, slots=True)
class Model:
    """An endpoint: the operations it can do, and the payload for a request and the URLs of its inputs."""

    operations: frozenset[Operation]
    payload: Callable[[ImageRequest, list[str]], Payload]


def _chosen(request: ImageRequest, *names: str) -> Payload:
    """The request's parameters of these names, where it has them."""
    return {name: request.parameters[name] for name in names if name in request.parameters}


def _instruction(request: ImageRequest) -> str:
    return VARY if request.parameters.get(VARIATION) else request.prompt


def _from_text(*names: str) -> Callable[[ImageRequest, list[str]], Payload]:
    return lambda request, _: {"prompt": request.prompt, **_chosen(request, *names)}


def _from_pictures(*names: str) -> Callable[[ImageRequest, list[str]], Payload]:
    return lambda request, urls: {"prompt": _instruction(request), "image_urls": urls, **_chosen(request, *names)}


def _from_picture(*names: str, prompted: bool = False) -> Callable[[ImageRequest, list[str]], Payload]:
    def payload(request: ImageRequest, urls: list[str]) -> Payload:
        prompt = {"prompt": _instruction(request)} if prompted else {}
        return {"image_url": urls[0], **prompt, **_chosen(request, *names)}

    return payload


_CREATE: Final = frozenset({Operation.CREATE})
_EDIT_MERGE: Final = frozenset({Operation.EDIT, Operation.MERGE})
_EDIT: Final = frozenset({Operation.EDIT})
_RETOUCH: Final = frozenset({Operation.RETOUCH})
_UPSCALE: Final = frozenset({Operation.UPSCALE})

MODELS: Final[Mapping[str, Model]] = {
    "fal-ai/bytedance/seedream/v4.5/text-to-image": Model(_CREATE, _from_text("image_size", "num_images", "seed")),
    "fal-ai/nano-banana": Model(_CREATE, _from_text("aspect_ratio", "num_images")),
    "fal-ai/flux/schnell": Model(_CREATE, _from_text("image_size", "num_images", "seed")),
    "fal-ai/bytedance/seedream/v4.5/edit": Model(_EDIT_MERGE, _from_pictures("image_size", "seed")),
    "fal-ai/nano-banana/edit": Model(_EDIT_MERGE, _from_pictures("aspect_ratio")),
    "fal-ai/flux-pro/kontext": Model(_EDIT, _from_picture("aspect_ratio", "seed", prompted=True)),
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
