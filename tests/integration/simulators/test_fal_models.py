"""The models: shapes of answers, and bad input refused when the result is fetched."""

import base64
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from PIL import Image

from tests.simulators.fal.models import MODELS
from tests.simulators.fal.pictures import bomb

from .conftest import CREATE, Fal, picture


def inline(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


SEEDREAM = "fal-ai/bytedance/seedream/v4.5/text-to-image"


def opened(fal: Fal, url: str) -> Image.Image:
    answer = fal.anyone.get(url).raise_for_status()
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert answer.headers["Content-Type"] == f"image/{str(image.format).lower()}"
    return image


@pytest.mark.parametrize("endpoint", MODELS)
def test_each_endpoint_answers_in_its_own_shape_with_real_pictures(fal: Fal, endpoint: str) -> None:
    model = MODELS[endpoint]
    given: dict[str, Any] = {"image_url": inline(picture()), "image_urls": [inline(picture())] * 2}
    answer = fal.run(endpoint=endpoint, **{name: given[name] for name in model.required if name in given})
    assert answer.status_code == 200
    body = answer.json()
    assert ("seed" in body, "image" in body, "images" in body) == (model.seed, model.single, not model.single)
    image = body["image"] if model.single else body["images"][0]
    size = opened(fal, image["url"]).size
    assert image["file_size"] == len(fal.anyone.get(image["url"]).content)
    assert ((image["width"], image["height"]) == size) if model.sized else "width" not in image


def test_size_number_and_format_are_respected(fal: Fal) -> None:
    size = {"width": 640, "height": 320}
    flux = "fal-ai/flux/schnell"
    body = fal.run(endpoint=flux, image_size=size, num_images=3, output_format="jpeg", seed=7).json()
    assert [opened(fal, image["url"]).size for image in body["images"]] == [(640, 320)] * 3
    assert body["seed"] == 7
    assert opened(fal, fal.run(endpoint=flux, image_size="portrait_16_9").json()["images"][0]["url"]).size == (
        576,
        1024,
    )
    wide = fal.run(endpoint="fal-ai/nano-banana", aspect_ratio="16:9").json()["images"][0]
    assert opened(fal, wide["url"]).size == (1024, 575)


def test_an_upscaler_multiplies(fal: Fal) -> None:
    url = inline(picture(50, 20))
    body = fal.run(endpoint="fal-ai/clarity-upscaler", image_url=url, upscale_factor=4).json()
    assert opened(fal, body["image"]["url"]).size == (200, 80)


def test_a_picture_has_the_bytes_asked_for_and_every_job_its_own(fal: Fal) -> None:
    fal.simulator.post("/control/settings", picture_bytes=300_000)
    first, second = (fal.run().json()["images"][0] for _ in range(2))
    sizes = {first["file_size"], second["file_size"]}
    assert all(300_000 <= size < 300_200 for size in sizes)
    assert fal.anyone.get(first["url"]).content != fal.anyone.get(second["url"]).content


@pytest.mark.parametrize(
    ("endpoint", "payload", "where", "kind"),
    [
        (CREATE, {"prompt": None}, "prompt", "missing"),
        (CREATE, {"prompt": "  "}, "prompt", "string_too_short"),
        (CREATE, {"prompt": 7}, "prompt", "string_type"),
        (CREATE, {"image_size": "huge"}, "image_size", "enum"),
        (CREATE, {"image_size": {"width": 90_000, "height": 10}}, "width", "less_than_equal"),
        (CREATE, {"image_size": ["wide"]}, "image_size", "enum"),
        (SEEDREAM, {"image_size": "square_hd"}, "image_size", "image_too_small"),
        (SEEDREAM, {"image_size": {"width": 2559, "height": 1440}}, "image_size", "image_too_small"),
        (CREATE, {"output_format": "tiff"}, "output_format", "literal_error"),
        (CREATE, {"num_images": 11}, "num_images", "less_than_equal"),
        ("fal-ai/nano-banana/edit", {}, "image_urls", "missing"),
        ("fal-ai/nano-banana/edit", {"image_urls": []}, "image_urls", "too_short"),
        ("fal-ai/nano-banana/edit", {"image_urls": ["data:,x"] * 11}, "image_urls", "too_long"),
        ("fal-ai/retoucher", {}, "image_url", "missing"),
        ("fal-ai/retoucher", {"image_url": "http://127.0.0.1:1/x"}, "image_url", "file_download_error"),
        ("fal-ai/retoucher", {"image_url": inline(b"no picture")}, "image_url", "image_load_error"),
        ("fal-ai/retoucher", {"image_url": inline(bomb())}, "image_url", "image_load_error"),
    ],
)
def test_bad_input_is_taken_at_submit_and_refused_at_the_result(
    fal: Fal, endpoint: str, payload: dict[str, Any], where: str, kind: str
) -> None:
    answer = fal.result(fal.submit(endpoint=endpoint, **payload))
    assert answer.status_code == 422
    detail = answer.json()["detail"][0]
    assert (detail["loc"], detail["type"]) == (["body", where], kind)
    assert {"msg", "url", "input"} <= detail.keys()
    assert fal.counts()["billed"] == 0


anything = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | strategies.text(max_size=9),
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(), inner),
    max_leaves=4,
)
inputs = ["prompt", "image_url", "image_urls", "image_size", "num_images", "aspect_ratio", "scale", "seed"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    endpoint=strategies.sampled_from(sorted(MODELS)),
    payload=strategies.dictionaries(strategies.sampled_from(inputs), anything),
)
def test_any_input_at_all_ends_in_an_answer(fal: Fal, endpoint: str, payload: dict[str, Any]) -> None:
    fal.simulator.post("/control/settings", median_s=0.001, p95_s=0.001)
    job = fal.http.post(f"{fal.url}/{endpoint}", json=payload).json()
    assert fal.result(job).status_code in (200, 422)


def test_an_input_may_be_an_upload(fal: Fal) -> None:
    token = fal.http.post(f"{fal.url}/storage/auth/token?storage_type=fal-cdn-v3", json={}).json()
    headers = {"Authorization": f"{token['token_type']} {token['token']}", "Content-Type": "image/png"}
    upload = f"{token['base_url']}/files/upload"
    assert fal.anyone.post(upload, content=b"x", headers={"Authorization": "Bearer no"}).status_code == 401
    url = fal.anyone.post(upload, content=picture(), headers=headers).json()["access_url"]
    assert fal.run(endpoint="fal-ai/flux-pro/kontext", image_url=url).status_code == 200
    assert fal.counts()["uploads"] == 2
