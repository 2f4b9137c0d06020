"""Pictures that are small to send and costly to open, and files that only say that they are pictures.

Each is made in memory when it is asked for. What a file tells of its person is ``PRIVATE``: none of it may be kept.
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from PIL import ExifTags, Image, ImageCms, PngImagePlugin

Make = Callable[[], bytes]

PRIVATE: Final = b"SecretCamera-of-Vera"
"""What stands in EXIF, comments, profiles and behind the end of files."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def sound(kind: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any) -> bytes:
    """A picture with some content."""
    base = Image.radial_gradient("L").resize(size)
    return _saved(base.convert(mode), kind, **options)


# -- JPEG ------------------------------------------------------------------------------------------------------------


def many_scans(side: int = 7000, repeats: int = 4000) -> bytes:
    """A progressive JPEG whose last scan comes again and again: each costs a decoder a walk over all blocks."""
    data = _saved(Image.new("RGB", (side, side), "green"), "JPEG", progressive=True, quality=10)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * repeats + data[-2:]


def many_segments(count: int = 1_000_000) -> bytes:
    """A JPEG with a million empty comments."""
    data = _saved(Image.new("RGB", (64, 64), "green"), "JPEG")
    return data[:2] + b"\xff\xfe\x00\x02" * count + data[2:]


def many_fill_bytes(count: int = 4_000_000) -> bytes:
    """A JPEG with a marker that takes four million bytes to begin."""
    data = sound()
    return data[:2] + b"\xff" * count + data[2:]


def many_restarts(count: int = 2_000_000) -> bytes:
    """A JPEG with two million restart markers in its scan."""
    return sound()[:-2] + b"\xff\xd0" * count + b"\xff\xd9"


def segment_without_end() -> bytes:
    """A JPEG whose first segment says that it is longer than the file."""
    return b"\xff\xd8\xff\xe1\xff\xff" + b"Exif\0\0" + sound()[2:]


def resized_jpeg(width: int, height: int) -> bytes:
    """A JPEG that says that it has these sides."""
    data = bytearray(sound())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def large_cmyk(side: int = 7070) -> bytes:
    """A progressive JPEG of four channels, of which a decoder keeps all coefficients."""
    return _saved(Image.new("CMYK", (side, side)), "JPEG", progressive=True)


def with_segment(marker: int, body: bytes) -> bytes:
    """A JPEG with one more segment at its beginning."""
    data = sound()
    return data[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body + data[2:]


def _exif(orientation: int = 6) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = PRIVATE.decode()
    exif[ExifTags.IFD.GPSInfo] = {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (55.0, 45.0, 7.0)}
    return exif


def endless_exif() -> bytes:
    """A JPEG with an EXIF directory whose next directory is itself, and 65,535 entries that lie outside."""
    tiff = b"MM\0*\0\0\0\x08" + b"\xff\xff" + struct.pack(">HHII", 0x0112, 3, 0xFFFFFFFF, 0xFFFFFFF0) * 2000
    return with_segment(0xE1, b"Exif\0\0" + tiff + struct.pack(">I", 8))


def many_pictures_in_one(count: int = 40) -> bytes:
    """An MPO: a JPEG with further pictures behind it."""
    frame = Image.new("RGB", (64, 48), "orange")
    return _saved(frame, "MPO", save_all=True, append_images=[frame] * count)


def mpo_without_pictures() -> bytes:
    """An MPO whose index names pictures that are not there."""
    data = bytearray(many_pictures_in_one(2))
    at = data.index(b"MPF\0")
    data[at + 60 : at + 100] = b"\xff" * 40
    return bytes(data)


def icc(profile: bytes) -> bytes:
    """A JPEG with this colour profile."""
    return sound(icc_profile=profile)


def _real_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def spoiled_profile() -> bytes:
    """A profile of the right signature whose tags point anywhere."""
    data = bytearray(_real_profile())
    data[132:300] = b"\xff\x7f\x00\xff" * 42
    return icc(bytes(data))


# -- PNG -------------------------------------------------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *between: bytes, pixels: bytes | None = None, colour: int = 2) -> bytes:
    """A PNG that says that it has these sides; ``between`` header and pixels come these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000)) if pixels is None else pixels)
    return _PNG + header + b"".join(between) + body + chunk(b"IEND", b"")


def _rows(width: int, height: int) -> bytes:
    return zlib.compress(bytes((1 + 3 * width) * height))


def bomb(size: int = 256 * 1024 * 1024) -> bytes:
    """Zeros, packed a thousand to one."""
    packer = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(size >> 20)) + packer.flush()


def large_png(mode: str, side: int = 7070) -> bytes:
    """A PNG of one colour."""
    return _saved(Image.new(mode, (side, side)), "PNG")


def stripe() -> bytes:
    """20,000 by 16 pixels: 4096 by 3 when it is scaled down."""
    return _saved(Image.new("RGB", (20_000, 16), "green"), "PNG")


def _told() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", PRIVATE.decode())
    info.add_itxt("XML:com.adobe.xmp", f"<x>{PRIVATE.decode()}</x>", zip=True)
    return info


# -- WebP, GIF and what moves ----------------------------------------------------------------------------------------


def large_webp(side: int = 7070) -> bytes:
    """A lossless WebP of a few bytes, 50 megapixels with transparency: 832 MB when Pillow opens it."""
    return _saved(Image.new("RGBA", (side, side), (0, 0, 0, 0)), "WEBP", lossless=True)


def moving(kind: str, frames: int = 300, size: tuple[int, int] = (64, 48)) -> bytes:
    """An animation."""
    shown = [Image.new("RGB", size, (number % 256, 80, 80)) for number in range(frames)]
    return _saved(shown[0], kind, save_all=True, append_images=shown[1:], duration=10)


def riff_of_any_length() -> bytes:
    """A WebP whose parts say that they are four gigabytes long."""
    data = bytearray(sound("WEBP", lossless=True))
    data[4:8] = data[16:20] = b"\xff\xff\xff\xff"
    return bytes(data)


# -- other files -----------------------------------------------------------------------------------------------------


def archive() -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../etc/cron.d/x", bytes(10_000_000))
    return buffer.getvalue()


_SVG: Final = b'<svg xmlns="http://www.w3.org/2000/svg"><script>fetch("http://127.0.0.1/")</script></svg>'
_HTML: Final = b"<!doctype html><script>alert(1)</script>"
_PDF: Final = b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF"
_POSTSCRIPT: Final = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n{ } loop\n"


def cut(data: bytes, share: float) -> bytes:
    """The beginning of a file."""
    return data[: int(len(data) * share)]


ATTACKS: Final[Mapping[str, Make]] = {
    "a JPEG with 4,000 scans": many_scans,
    "a JPEG with a million comments": many_segments,
    "a WebP of 50 megapixels with transparency": large_webp,
    "a PNG of 50 megapixels with transparency": lambda: large_png("RGBA"),
    "a grey PNG of 50 megapixels with transparency": lambda: large_png("LA"),
    "a PNG of 50 megapixels, 16 bits": lambda: large_png("I;16"),
    "a progressive CMYK JPEG of 50 megapixels": large_cmyk,
    "a stripe": stripe,
    "a JPEG with four million fill bytes": many_fill_bytes,
    "a PNG of 200,000 empty chunks": lambda: png(64, 48, chunk(b"teSt", b"") * 200_000, pixels=_rows(64, 48)),
    "nothing": lambda: b"",
    "noise that says it is a JPEG": lambda: b"\xff\xd8\xff" + bytes(range(256)) * 1000,
}
"""What a picture from a person never may be: the costly ones first."""

NO_PICTURES: Final[Mapping[str, Make]] = {
    "one zero byte": lambda: b"\0",
    "a megabyte of zeros": lambda: bytes(1_000_000),
    "a zip": archive,
    "an SVG with a script": lambda: _SVG,
    "HTML": lambda: _HTML,
    "a PDF": lambda: _PDF,
    "PostScript that never ends": lambda: _POSTSCRIPT,
    "a GIF": lambda: sound("GIF", mode="P"),
    "a moving GIF": lambda: moving("GIF"),
    "a TIFF": lambda: sound("TIFF"),
    "a BMP": lambda: sound("BMP"),
    "an icon": lambda: sound("ICO", size=(64, 64)),
    "half a JPEG": lambda: cut(sound(), 0.7),
    "half a progressive JPEG": lambda: cut(sound(progressive=True), 0.7),
    "half a PNG": lambda: cut(sound("PNG"), 0.5),
    "half a WebP": lambda: cut(sound("WEBP"), 0.5),
    "half a lossless WebP": lambda: cut(sound("WEBP", lossless=True), 0.5),
    "the signature of a PNG": lambda: _PNG,
    "the header of a WebP": lambda: b"RIFF\xff\xff\xff\xffWEBPVP8L",
    "a JPEG of no height": lambda: resized_jpeg(64, 0),
    "a JPEG that says 65,500 by 65,500": lambda: resized_jpeg(65_500, 65_500),
    "a PNG that says 2,147,483,647 by 2,147,483,647": lambda: png(2**31 - 1, 2**31 - 1),
    "a PNG that says 0 by 0": lambda: png(0, 0),
    "a PNG that says 7,000 by 7,000 and holds 1,000 bytes": lambda: png(7000, 7000),
    "a PNG of one pixel": lambda: png(1, 1, pixels=_rows(1, 1)),
    "a PNG with a bomb for a text": lambda: png(64, 48, chunk(b"zTXt", b"x\0\0" + bomb()), pixels=_rows(64, 48)),
    "a PNG with bombs for texts": lambda: png(64, 48, *[chunk(b"zTXt", b"x\0\0" + bomb(1 << 20))] * 500),
    "a PNG with a wrong sum": lambda: sound("PNG").replace(b"IDAT", b"IDAT\0", 1),
    "a segment longer than its JPEG": segment_without_end,
    "a WebP of parts of any length": riff_of_any_length,
}
"""Files that are no picture which the bot can use."""

ODD_PICTURES: Final[Mapping[str, Make]] = {
    "a JPEG with two million restarts": many_restarts,
    "a moving PNG of 300 frames": lambda: moving("PNG"),
    "a moving WebP of 300 frames": lambda: moving("WEBP"),
    "an MPO of 41 pictures": many_pictures_in_one,
    "an MPO without its pictures": mpo_without_pictures,
    "a PNG whose pixels go on for 256 MB": lambda: png(64, 48, pixels=bomb()),
    "a PNG with a bomb for a profile": lambda: png(64, 48, chunk(b"iCCP", b"x\0\0" + bomb()), pixels=_rows(64, 48)),
    "an EXIF that never ends": endless_exif,
    "an EXIF of noise": lambda: with_segment(0xE1, b"Exif\0\0" + random.Random(1).randbytes(60_000)),
    "an orientation that is none": lambda: sound(exif=_exif(65_535)),
    "a person's EXIF in a JPEG": lambda: sound(exif=_exif()),
    "a person's EXIF in a WebP": lambda: sound("WEBP", exif=_exif()),
    "a person's EXIF in a PNG": lambda: sound("PNG", exif=_exif(), pnginfo=_told()),
    "a person's comment": lambda: with_segment(0xFE, PRIVATE * 100),
    "a person's IPTC and XMP": lambda: with_segment(0xED, b"Photoshop 3.0\0" + PRIVATE * 50),
    "a profile of noise": lambda: icc(random.Random(2).randbytes(3000)),
    "a profile that tells of the person": lambda: icc(_real_profile() + PRIVATE),
    "a profile with spoiled tags": spoiled_profile,
    "a profile of another colour space": lambda: sound("PNG", mode="L", icc_profile=_real_profile()),
    "a JPEG with a zip behind it": lambda: sound() + PRIVATE + archive(),
    "a JPEG with a script in a comment": lambda: with_segment(0xFE, _HTML),
    "a PNG with HTML behind it": lambda: sound("PNG") + _HTML + PRIVATE,
    "a PDF in a JPEG": lambda: with_segment(0xFE, _PDF) + _PDF,
    "a CMYK JPEG": lambda: sound(mode="CMYK"),
    "a PNG of one bit": lambda: sound("PNG", mode="1"),
    "a PNG with a palette that lacks colours": lambda: png(64, 48, chunk(b"PLTE", bytes(3)), pixels=_rows(64, 48),
                                                           colour=3),
    "a PNG with too much transparency": lambda: png(64, 48, chunk(b"tRNS", bytes(range(256)) * 40),
                                                    pixels=_rows(64, 48)),
    "a JPEG with the name of Adobe alone": lambda: with_segment(0xEE, b"Adobe"),
    "a JPEG that says it is narrower": lambda: resized_jpeg(33, 48),
}  # fmt: skip
"""Pictures that may be taken or refused, as long as nothing else happens and nothing ``PRIVATE`` is kept."""

CASES: Final[Mapping[str, Make]] = {**ATTACKS, **NO_PICTURES, **ODD_PICTURES}


def small_cases() -> Iterator[tuple[str, bytes]]:
    """Give what costs little to make: seeds for ``mutated``."""
    for name, make in CASES.items():
        if name not in ATTACKS and len(data := make()) < 200_000:
            yield name, data


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Spoil a file in a few places, as files are spoiled that look for a hole: bytes, lengths, pieces, its end."""
    spoiled = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16, 64))):
        at = chance.randrange(len(spoiled) + 1)
        length = chance.choice((1, 2, 4, 16, 256))
        match chance.randrange(6):
            case 0:
                spoiled[at : at + 1] = chance.randbytes(1)
            case 1:
                spoiled[at : at + length] = chance.choice((b"\0", b"\xff", b"\x7f", b"\x80")) * length
            case 2:
                del spoiled[at : at + length]
            case 3:
                spoiled[at:at] = spoiled[at : at + length] * chance.choice((1, 8, 300))
            case 4:
                source = chance.randrange(len(spoiled) + 1)
                spoiled[at : at + length] = spoiled[source : source + length]
            case 5 if chance.random() < 0.2:
                del spoiled[at:]
    return bytes(spoiled)
