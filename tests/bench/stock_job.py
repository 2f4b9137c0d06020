"""The job as it was before: one picture holds one process, and asks once a second. Plain on purpose."""

import time
from pathlib import Path

import httpx


def make_picture(prompt: str, endpoint: str, fal_url: str, key: str, path: str) -> None:
    """Submit, poll every second, fetch the picture and write it to ``path``."""
    with httpx.Client(headers={"Authorization": f"Key {key}"}, timeout=30) as fal:
        submitted = fal.post(f"{fal_url}/{endpoint}", json={"prompt": prompt}).raise_for_status().json()
        status = ""
        while status != "COMPLETED":
            time.sleep(1)
            status = fal.get(submitted["status_url"]).raise_for_status().json()["status"]
        result = fal.get(submitted["response_url"]).raise_for_status().json()
        Path(path).write_bytes(fal.get(result["images"][0]["url"]).raise_for_status().content)
