"""What becomes of a stranger's picture, and which ones are refused."""

import contextlib
import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from app.bot.refusals import RefusedError
from app.bot.requests.sanitised_image import KEPT_SIDE, SanitisedImage, sanitise

GREEN, WHITE = (30, 160, 60), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def drawn(kind: str = "JPEG", size: tuple[int, int] = (64, 48)) -> bytes:
    return encoded(Image.new("RGB", size, GREEN), kind)


def opened(picture: SanitisedImage) -> Image.Image:
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    return image


def refusal(data: bytes) -> str:
    with pytest.raises(RefusedError) as caught:
        sanitise(data)
    return caught.value.key


def is_close(colour: Any, wanted: tuple[int, int, int], tolerance: int = 4) -> bool:
    return all(abs(channel - other) <= tolerance for channel, other in zip(colour, wanted, strict=True))


def png_of(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be so large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rows + chunk(b"IEND", b"")


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "jpg")])
def test_a_picture_keeps_its_size_and_colours(kind: str, suffix: str) -> None:
    picture = sanitise(drawn(kind))
    image = opened(picture)
    assert (picture.suffix, image.mode, image.size) == (suffix, "RGB", (64, 48))
    assert is_close(image.getpixel((5, 5)), GREEN)


def test_the_same_bytes_give_the_same_bytes() -> None:
    assert sanitise(drawn()) == sanitise(drawn())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_of_the_person_is_left(kind: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "SecretCamera"
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (55.0, 45.0, 7.0)}
    secrets = {"exif": exif, "xmp": b"<x:xmpmeta>SecretPlace</x:xmpmeta>"}
    if kind == "JPEG":
        secrets["comment"] = b"SecretComment"
    picture = sanitise(encoded(Image.new("RGB", (64, 48), GREEN), kind, **secrets))
    assert b"Secret" not in picture.data
    assert not opened(picture).getexif()
    assert not {"exif", "xmp", "comment", "icc_profile", "dpi"} & set(opened(picture).info)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_comes_upright(orientation: int) -> None:
    upright = Image.new("RGB", (64, 48), "white")
    upright.paste(GREEN, (0, 0, 16, 12))  # one corner tells where up is
    stored_as = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = upright.transpose(stored_as[orientation]) if orientation in stored_as else upright
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    image = opened(sanitise(encoded(stored, "JPEG", exif=exif, quality=95)))
    assert image.size == (64, 48)
    assert is_close(image.getpixel((4, 4)), GREEN)
    assert is_close(image.getpixel((60, 44)), WHITE)


def test_a_damaged_exif_does_not_cost_the_picture() -> None:
    data = encoded(Image.new("RGB", (64, 48), GREEN), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert opened(sanitise(data)).size == (64, 48)


def test_print_colours_become_screen_colours() -> None:
    red_ink = Image.new("CMYK", (64, 48), (0, 255, 255, 0))
    red, green, blue = opened(sanitise(encoded(red_ink))).getpixel((5, 5))  # type: ignore[misc]  # RGB has three
    assert red > 200 > 100 > max(green, blue)


def test_sixteen_bits_are_scaled_to_eight() -> None:
    grey = Image.new("I;16", (64, 48), 0x8000)
    image = opened(sanitise(encoded(grey, "PNG")))
    assert (image.mode, image.getpixel((5, 5))) == ("RGB", (128, 128, 128))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_becomes_white(kind: str) -> None:
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    image.paste((*GREEN, 255), (0, 0, 32, 48))
    flat = opened(sanitise(encoded(image, kind)))
    assert is_close(flat.getpixel((5, 5)), GREEN)
    assert is_close(flat.getpixel((60, 5)), WHITE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_grey_and_indexed_pictures_become_rgb(mode: str) -> None:
    assert opened(sanitise(encoded(Image.new(mode, (64, 48), 1), "PNG"))).mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_of_a_moving_picture_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in (GREEN, (200, 0, 0), (0, 0, 200))]
    image = opened(sanitise(encoded(frames[0], kind, save_all=True, append_images=frames[1:])))
    assert getattr(image, "n_frames", 1) == 1
    assert is_close(image.getpixel((5, 5)), GREEN)


def test_a_photo_of_many_pictures_is_its_first() -> None:
    """Telephones put a preview or a depth map behind the photo (MPO)."""
    preview = Image.new("RGB", (32, 24), (200, 0, 0))
    data = encoded(Image.new("RGB", (64, 48), GREEN), "MPO", save_all=True, append_images=[preview])
    assert opened(sanitise(data)).size == (64, 48)


def test_a_profile_that_does_not_fit_is_passed_by() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    xyz = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    for profile in (lab, xyz, b"no profile at all"):
        image = opened(sanitise(encoded(Image.new("RGB", (64, 48), GREEN), icc_profile=profile)))
        assert is_close(image.getpixel((5, 5)), GREEN)


def test_colours_of_another_space_are_translated() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"####").replace(b"bXYZ", b"rXYZ").replace(b"####", b"bXYZ")
    image = opened(sanitise(encoded(Image.new("RGB", (64, 48), (255, 0, 0)), "PNG", icc_profile=swapped)))
    assert is_close(image.getpixel((5, 5)), (0, 0, 255))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_what_is_larger_than_any_model_takes_is_scaled_down(kind: str) -> None:
    image = opened(sanitise(drawn(kind, (2 * KEPT_SIDE + 200, 600))))
    assert image.width == KEPT_SIDE
    assert 285 <= image.height <= 295


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "photo-not-a-picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "photo-not-a-picture"),
        (b"<!doctype html>", "photo-not-a-picture"),
        (encoded(Image.new("P", (64, 48)), "GIF"), "photo-not-a-picture"),
        (encoded(Image.new("RGB", (64, 48)), "TIFF"), "photo-not-a-picture"),
        (drawn("JPEG", (640, 480))[:-800], "photo-broken"),
        (drawn("PNG", (640, 480))[:300], "photo-broken"),
        (png_of(40_000, 10), "photo-too-long"),
        (png_of(19_000, 19_000), "photo-too-many-pixels"),
        (png_of(10_000, 5_001), "photo-too-many-pixels"),
        (png_of(8_000, 6_000), "photo-broken"),
        (drawn("PNG", (500, 3)), "photo-too-small"),
    ],
)
def test_what_is_no_picture_or_too_much_of_one_is_refused(data: bytes, key: str) -> None:
    assert refusal(data) == key


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decode)
    assert refusal(png_of(15_000, 15_000)) == "photo-too-many-pixels"
    assert refusal(png_of(40_000, 40_000)) in {"photo-too-long", "photo-too-many-pixels"}


WHOLE = [drawn("JPEG"), drawn("PNG"), drawn("WEBP"), encoded(Image.new("P", (40, 40)), "PNG", transparency=0)]


@settings(max_examples=300, deadline=None)
@given(
    whole=st.sampled_from(WHOLE),
    spoilt=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=8),
    kept=st.floats(0.1, 1),
)
def test_whatever_is_spoilt_a_picture_comes_or_a_sentence(
    whole: bytes, spoilt: list[tuple[int, int]], kept: float
) -> None:
    data = bytearray(whole)
    for position, value in spoilt:
        data[position % len(data)] = value
    with contextlib.suppress(RefusedError):
        assert opened(sanitise(bytes(data[: int(len(data) * kept)]))).mode == "RGB"
