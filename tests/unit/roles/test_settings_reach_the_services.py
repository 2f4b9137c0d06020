"""Every setting of the application can be set by an operator: a unit or its environment names it."""

from pathlib import Path

import pytest

from app.bot.settings import BotSettings
from app.core.settings import ENV_PREFIX, CoreSettings
from app.worker.settings import WorkerSettings

ROLES = Path(__file__).resolve().parents[3] / "roles"


@pytest.mark.parametrize(
    ("settings", "role", "files"),
    [
        (WorkerSettings, "worker", ("worker.env.j2", "imageworker@.service.j2")),
        (BotSettings, "bot", ("bot.env.j2", "imagebot@.service.j2")),
    ],
)
def test_every_setting_is_handed_over(settings: type[CoreSettings], role: str, files: tuple[str, ...]) -> None:
    handed_over = "\n".join((ROLES / role / "templates" / file).read_text() for file in files)
    missing = [
        name
        for name in settings.model_fields
        if f"{ENV_PREFIX}{name.upper()}=" not in handed_over and f"LoadCredential=imagebot_{name}:" not in handed_over
    ]
    assert not missing
