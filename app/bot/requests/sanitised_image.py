"""A stranger's picture brought into the one form in which the bot keeps pictures.

That form: a JPEG or PNG of one upright frame, 8 bits a channel, RGB in the sRGB colour space, no side longer than
``KEPT_SIDE``, and not a byte of what the file said about the person, the camera or the place.
"""

import io
import logging
import warnings
from dataclasses import dataclass
from typing import Final, cast

from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from app.bot.refusals import RefusedError
from app.core import picture_structure

SIDE_MIN: Final = 16
SIDE_MAX: Final = 20_000
"""Pixels of one side."""
PIXELS_MAX: Final = 50_000_000
"""Width times height: the sensors of today's telephones. Decoded, that is 200 MB."""
PIXELS_MAX_COSTLY: Final = 25_000_000
"""The same for what takes several copies to decode: anything but RGB and grey JPEG, and RGB PNG."""
RATIO_MAX: Final = 20
"""How many times longer than the other a side may be: scaled down, a longer stripe leaves nothing to be seen."""
KEPT_SIDE: Final = 4096
"""Pixels that the longer side is scaled down to; no model takes more."""

_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_CHEAP: Final = frozenset({
    ("JPEG", "RGB"), ("JPEG", "L"), ("MPO", "RGB"), ("MPO", "L"), ("PNG", "RGB"), ("PNG", "L"),
})  # fmt: skip
_JPEG_QUALITY: Final = 95
_SRGB: Final = ImageCms.createProfile("sRGB")
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by EXIF's orientation."""

logger = logging.getLogger(__name__)

# Pillow grumbles at what is checked or forgiven here: large sides, a damaged EXIF.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class SanitisedImage:
    """The bytes of a picture in sanitised form, and the suffix of its format (``jpg`` or ``png``)."""

    data: bytes
    suffix: str


def sanitise(data: bytes) -> SanitisedImage:
    """Decode a picture and bring it into sanitised form; the same bytes give the same bytes.

    Raises:
        RefusedError: it is no picture of a known format, broken, or too large or small. Nothing is decoded to see
            that its sides are wrong.
    """
    if not picture_structure.is_reasonable(data):
        raise RefusedError("photo-too-much")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_size(image)
            image.draft(None, (KEPT_SIDE, KEPT_SIDE))  # a JPEG can be decoded at a half or a quarter of its size
            image.load()
            return _encode(_sanitised(image), "PNG" if image.format == "PNG" else "JPEG")
    except RefusedError:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(PIXELS_MAX) from None
    except MemoryError:
        raise RefusedError("photo-too-much") from None
    except UnidentifiedImageError:
        raise RefusedError("photo-not-a-picture") from None
    except Exception as error:  # Pillow names a broken file in a dozen ways, some of them by accident
        logger.info("a picture can't be decoded: %s: %s", type(error).__name__, error)
        raise RefusedError("photo-broken") from None


def _encode(image: Image.Image, kind: str) -> SanitisedImage:
    buffer = io.BytesIO()
    if kind == "PNG":
        image.save(buffer, kind, compress_level=3)
        return SanitisedImage(buffer.getvalue(), "png")
    image.save(buffer, kind, quality=_JPEG_QUALITY)
    return SanitisedImage(buffer.getvalue(), "jpg")


def _too_many_pixels(most: int) -> RefusedError:
    return RefusedError("photo-too-many-pixels", megapixels=most // 1_000_000)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if max(width, height) > SIDE_MAX:
        raise RefusedError("photo-too-long", width=width, height=height, most=SIDE_MAX)
    cheap = (image.format, image.mode) in _CHEAP
    if width * height > (most := PIXELS_MAX if cheap else PIXELS_MAX_COSTLY):
        raise _too_many_pixels(most)
    if min(width, height) < SIDE_MIN:
        raise RefusedError("photo-too-small", width=width, height=height, least=SIDE_MIN)
    if max(width, height) > RATIO_MAX * min(width, height):
        raise RefusedError("photo-too-narrow", width=width, height=height, most=RATIO_MAX)


def _sanitised(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(_orientation(image))
    profile = image.info.get("icc_profile")
    normal = _to_eight_bits(image)
    if normal is not image:
        image.close()  # two copies of a large picture are enough
    normal.thumbnail((KEPT_SIDE, KEPT_SIDE), Image.Resampling.LANCZOS)
    normal = _to_srgb(normal, profile)
    if turn is not None:
        normal = normal.transpose(turn)
    normal.info.clear()  # comments, profiles, resolutions: what a format would write again
    return normal


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # as many kinds as there are ways to spoil it; the picture itself is sound
        return 1


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Return the picture itself if it is RGB or CMYK, else as RGB; what is transparent becomes white."""
    if image.mode.startswith("I"):  # 16 bit grey; Pillow's own conversion cuts off instead of scaling
        return image.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.has_transparency_data:
        visible = image if image.mode == "RGBA" else image.convert("RGBA")
        flat = Image.new("RGB", visible.size, "white")
        flat.paste(visible, mask=visible.getchannel("A"))
        return flat
    return image if image.mode in ("RGB", "CMYK") else image.convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            logger.debug("a colour profile does not fit its picture")
        else:
            return cast(Image.Image, converted)
    return image if image.mode == "RGB" else image.convert("RGB")
