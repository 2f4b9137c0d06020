"""Settings: where they come from, and what a bad one says."""

from pathlib import Path

import pytest

from app.core.errors import ConfigurationError
from app.core.settings import CoreSettings
from app.worker.settings import WorkerSettings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    for name in ("FAL_KEY", "REDIS_PASSWORD", "QUEUE_REDIS_URL", "WORKER_NAME"):
        monkeypatch.delenv(f"IMAGEBOT_{name}", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def test_secrets_come_from_systemds_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imagebot_fal_key").write_text("id:secret\n")
    (tmp_path / "imagebot_redis_password").write_text("hunter2")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("IMAGEBOT_REDIS_USERNAME", "worker")
    settings = WorkerSettings.load()
    assert settings.fal_key.get_secret_value() == "id:secret"
    assert settings.redis_options().items() >= {"username": "worker", "password": "hunter2"}.items()
    assert "secret" not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_without_credentials_redis_gets_neither_name_nor_password() -> None:
    assert CoreSettings.load().redis_options().items() >= {"username": None, "password": None}.items()


def test_redis_py_looks_its_version_up_once_and_not_for_each_connection() -> None:
    assert CoreSettings.load().redis_options()["driver_info"] is CoreSettings.load().redis_options()["driver_info"]


def test_every_bad_setting_is_named_at_once_and_no_value_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "QUEUE_REDIS_URL": "http://user:hunter2@redis.example",
        "MEDIA_URL": "ftp://hunter2",
        "LOG_LEVEL": "hunter2",
        "WORKER_CONCURRENCY": "hunter2",
        "FAL_QUEUE_URL": "hunter2",
        "FAL_SUBMIT_REPEATS": "-1",
        "MODELS": '{"hunter2": "fal-ai/flux/schnell"}',
    }
    for name, value in bad.items():
        monkeypatch.setenv(f"IMAGEBOT_{name}", value)
    with pytest.raises(ConfigurationError) as caught:
        WorkerSettings.load()
    message = str(caught.value)
    assert all(f"IMAGEBOT_{name}" in message for name in (*bad, "FAL_KEY"))
    assert "hunter2@" not in message
    assert "'hunter2'" not in message


def test_what_is_no_json_where_json_is_wanted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEBOT_FAL_KEY", "id:secret")
    monkeypatch.setenv("IMAGEBOT_MODELS", "create=hunter2")
    with pytest.raises(ConfigurationError, match="IMAGEBOT_MODELS") as caught:
        WorkerSettings.load()
    assert "hunter2" not in str(caught.value)


def test_a_credentials_directory_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/does/not/exist")
    assert CoreSettings.load().redis_password.get_secret_value() == ""
