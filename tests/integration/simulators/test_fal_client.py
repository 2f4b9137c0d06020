"""An independent check: the real fal-client works against the simulator."""

import asyncio

import fal_client
import fal_client.client
import httpx
import pytest

from .conftest import KEY, Fal, picture

SEEDREAM = "fal-ai/bytedance/seedream/v4.5/text-to-image"


@pytest.fixture
def client(fal: Fal, monkeypatch: pytest.MonkeyPatch) -> fal_client.AsyncClient:
    monkeypatch.setattr(fal_client.client, "QUEUE_URL_FORMAT", fal.url + "/")
    monkeypatch.setattr(fal_client.client, "REST_URL", fal.url)
    monkeypatch.setattr(fal_client.client, "CDN_URL", fal.url)
    return fal_client.AsyncClient(key=KEY)


async def fetch(fal: Fal, url: str) -> httpx.Response:
    return await asyncio.to_thread(fal.anyone.get, url)


async def test_submit_status_result(client: fal_client.AsyncClient, fal: Fal) -> None:
    fal.simulator.post("/control/settings", concurrency_limit=1)
    handle = await client.submit(SEEDREAM, {"prompt": "a cat [sim:latency=1]"})
    behind = await client.submit(SEEDREAM, {"prompt": "a dog [sim:latency=0]"})
    assert isinstance(await handle.status(with_logs=True), fal_client.InProgress)
    assert await behind.status() == fal_client.Queued(position=0)
    result = await handle.get(interval=0.05)
    assert (await fetch(fal, result["images"][0]["url"])).headers["Content-Type"] == "image/png"
    assert isinstance(await client.status(SEEDREAM, handle.request_id), fal_client.Completed)
    assert await client.result(SEEDREAM, handle.request_id) == result


async def test_subscribe_sees_every_status(client: fal_client.AsyncClient) -> None:
    seen: list[str] = []
    result = await client.subscribe(
        "fal-ai/nano-banana",
        {"prompt": "a cat [sim:latency=1]"},
        with_logs=True,
        on_queue_update=lambda status: seen.append(type(status).__name__),
    )
    assert result["images"]
    assert (seen[0], seen[-1]) == ("InProgress", "Completed")


async def test_cancel(client: fal_client.AsyncClient) -> None:
    handle = await client.submit(SEEDREAM, {"prompt": "a cat [sim:never]"})
    await handle.cancel()
    with pytest.raises(fal_client.client.FalClientHTTPError) as raised:
        await handle.get()
    assert (raised.value.status_code, raised.value.error_type) == (499, "client_cancelled")


async def test_upload_and_use(client: fal_client.AsyncClient, fal: Fal) -> None:
    url = await client.upload(picture(64, 32), "image/png", file_name="in.png")
    assert (await fetch(fal, url)).content == picture(64, 32)
    result = await client.subscribe("fal-ai/esrgan", {"image_url": url, "scale": 4, "prompt": "[sim:latency=0]"})
    assert (result["image"]["width"], result["image"]["height"]) == (256, 128)


async def test_errors_carry_detail_and_type(client: fal_client.AsyncClient) -> None:
    with pytest.raises(fal_client.client.FalClientHTTPError) as raised:
        await client.subscribe(SEEDREAM, {"prompt": "x [sim:policy] [sim:latency=0]"})
    assert raised.value.status_code == 422
    assert raised.value.response.json()["detail"][0]["type"] == "content_policy_violation"
    with pytest.raises(fal_client.client.FalClientHTTPError) as raised:
        await client.subscribe(SEEDREAM, {"prompt": "x [sim:runner502] [sim:latency=0]"})
    assert (raised.value.status_code, raised.value.error_type) == (502, "runner_incomplete_response")


async def test_a_lost_answer_makes_it_submit_and_pay_twice(client: fal_client.AsyncClient, fal: Fal) -> None:
    fal.simulator.post("/control/faults", kind="drop_answer", call="submit")
    handle = await client.submit(SEEDREAM, {"prompt": "a cat [sim:latency=0]"})
    await handle.get()
    assert [job["payload"]["prompt"] for job in fal.simulator.get("/control/jobs")] == [
        "a cat [sim:latency=0]",
        "a cat [sim:latency=0]",
    ]
    assert fal.counts()["jobs"] == 2
