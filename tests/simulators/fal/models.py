"""The models: which inputs each endpoint takes, how it refuses a bad one, and the shape of its answer."""

from dataclasses import dataclass, field
from typing import Any

JSON = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """One endpoint: its required inputs and the shape of what it gives."""

    required: tuple[str, ...]
    single: bool = False
    """Answers `image` and not `images[]`."""
    max_pictures_in: int = 10
    extra: JSON = field(default_factory=dict)
    """Further fields of the answer."""
    seed: bool = True
    sized: bool = True
    """The answer tells width and height."""
    size: tuple[int, int] = (1024, 1024)
    pixels_least: int = 0
    """Pixels of a picture at least, unless both sides have ``_SIDE_LEAST``."""
    factor: str | None = None
    """The input that says how much larger the picture gets, for upscalers."""


_EDIT = ("prompt", "image_urls")
_SIDE_LEAST = 1920
_SEEDREAM_LEAST = 2560 * 1440
MODELS: dict[str, Model] = {
    "fal-ai/bytedance/seedream/v4.5/text-to-image": Model(
        ("prompt",), size=(2048, 2048), pixels_least=_SEEDREAM_LEAST
    ),
    "fal-ai/bytedance/seedream/v4.5/edit": Model(_EDIT, seed=False, size=(2048, 2048), pixels_least=_SEEDREAM_LEAST),
    "fal-ai/nano-banana": Model(("prompt",), extra={"description": ""}, seed=False, sized=False),
    "fal-ai/nano-banana/edit": Model(_EDIT, extra={"description": ""}, seed=False, sized=False),
    "fal-ai/flux/schnell": Model(("prompt",), extra={"has_nsfw_concepts": [False]}, size=(1024, 768)),
    "fal-ai/flux-pro/kontext": Model(("prompt", "image_url")),
    "fal-ai/retoucher": Model(("image_url",), single=True),
    "fal-ai/codeformer": Model(("image_url",), single=True, factor="upscale_factor"),
    "fal-ai/recraft/upscale/crisp": Model(("image_url",), single=True, seed=False, sized=False, factor=""),
    "fal-ai/clarity-upscaler": Model(("image_url",), single=True, factor="upscale_factor"),
    "fal-ai/esrgan": Model(("image_url",), single=True, seed=False, factor="scale"),
}
"""`factor=""` means a fixed factor of 2."""

_SIZES = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
    "auto_2K": (2048, 2048),
    "auto_4K": (4096, 4096),
}
_RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "auto")


class InputError(Exception):
    """The model's refusal of its input: the body of a 422."""

    def __init__(self, field_name: str, message: str, kind: str, given: Any = None, **context: Any) -> None:
        super().__init__(message)
        self.detail: JSON = {"loc": ["body", field_name], "msg": message, "type": kind}
        self.detail["url"] = f"https://docs.fal.ai/errors#{kind}"
        if context:
            self.detail["ctx"] = context
        self.detail["input"] = given


def app_of(endpoint: str) -> str:
    """Give owner/app of an endpoint id, which is all that the queue's URLs carry."""
    return "/".join(endpoint.split("/")[:2])


def known_app(endpoint: str) -> bool:
    """Tell whether an application of that owner/app exists (its path may still be unknown)."""
    return any(app_of(endpoint) == app_of(known) for known in MODELS)


def _number(payload: JSON, name: str, default: float, low: float, high: float) -> float:
    value = payload.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(name, "Input should be a valid number", "float_type", value)
    if value < low:
        message = f"Input should be greater than or equal to {low:g}"
        raise InputError(name, message, "greater_than_equal", value, ge=low)
    if value > high:
        message = f"Input should be less than or equal to {high:g}"
        raise InputError(name, message, "less_than_equal", value, le=high)
    return value


def picture_count(payload: JSON) -> int:
    """Give how many pictures are asked for, 1 to 6."""
    return int(_number(payload, "num_images", 1, 1, 6))


def output_format(payload: JSON, usual: str) -> str:
    """Give `png` or `jpeg`; the simulator draws no other."""
    wanted = payload.get("output_format") or usual
    if wanted not in ("png", "jpeg"):
        raise InputError("output_format", "Input should be 'jpeg' or 'png'", "literal_error", wanted)
    return str(wanted)


def input_urls(model: Model, payload: JSON) -> list[str]:
    """Check the required inputs and give the addresses of the pictures among them."""
    urls: list[str] = []
    for name in model.required:
        value = payload.get(name)
        if value is None:
            raise InputError(name, "Field required", "missing", payload)
        if name == "image_urls":
            if not isinstance(value, list) or not all(isinstance(url, str) for url in value):
                raise InputError(name, "Input should be a valid list", "list_type", value)
            if not value:
                raise InputError(name, "List should have at least 1 item", "too_short", value, min_length=1)
            if len(value) > model.max_pictures_in:
                most = model.max_pictures_in
                message = f"List should have at most {most} items"
                raise InputError(name, message, "too_long", value, max_length=most)
            urls += value
        elif not isinstance(value, str):
            raise InputError(name, "Input should be a valid string", "string_type", value)
        elif name == "image_url":
            urls.append(value)
        elif not value.strip():
            message = "String should have at least 1 character"
            raise InputError(name, message, "string_too_short", value, min_length=1)
    return urls


def _checked(model: Model, width: int, height: int, given: Any) -> tuple[int, int]:
    if width * height < model.pixels_least and min(width, height) < _SIDE_LEAST:
        message = f"Image size must have {model.pixels_least} pixels or sides of {_SIDE_LEAST} at least"
        raise InputError("image_size", message, "image_too_small", given)
    return width, height


def output_size(model: Model, payload: JSON, inputs: list[tuple[int, int]]) -> tuple[int, int]:
    """Give width and height in pixels of the pictures a job makes."""
    if model.factor is not None:
        factor = _number(payload, model.factor, 2, 1, 8) if model.factor else 2
        return int(inputs[0][0] * factor), int(inputs[0][1] * factor)
    if model.single:
        return inputs[0]
    size = payload.get("image_size")
    if isinstance(size, dict):
        width, height = int(_number(size, "width", 1024, 64, 4096)), int(_number(size, "height", 1024, 64, 4096))
        return _checked(model, width, height, size)
    if size is not None:
        if not isinstance(size, str) or size not in _SIZES:
            raise InputError("image_size", "Input should be a valid image size", "enum", size)
        return _checked(model, *_SIZES[size], size)
    ratio = payload.get("aspect_ratio")
    if ratio is None or ratio == "auto":
        return model.size
    if ratio not in _RATIOS:
        message = f"unexpected value; permitted: {', '.join(_RATIOS)}"
        raise InputError("aspect_ratio", message, "literal_error", ratio)
    across, down = (int(part) for part in ratio.split(":"))
    width = int((model.size[0] * model.size[1] * across / down) ** 0.5)
    return width, width * down // across
