"""Settings: environment variables ``IMAGEBOT_*`` and systemd credentials.

Secrets come from the files of ``$CREDENTIALS_DIRECTORY`` (``LoadCredential=``), so that no environment,
argument list or unit file holds one.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, RedisDsn, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from redis import DriverInfo

from app.core.errors import ConfigurationError
from app.core.operations import Operation

ENV_PREFIX = "IMAGEBOT_"

EXIT_CONFIG = 78
"""Exit status for a bad setting (``EX_CONFIG`` of sysexits.h): units do not restart on it."""

_DRIVER = DriverInfo()  # redis-py would look its own version up, in files, for each connection


def _from_json(value: Any) -> Any:
    """Decode what an environment variable holds. (pydantic-settings' own decoding names no bad variable.)"""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("this is no JSON") from None


FROM_JSON = (NoDecode, BeforeValidator(_from_json))
"""To annotate a setting with that is written as JSON."""


class CoreSettings(BaseSettings):
    """What the bot and the workers both need."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", hide_input_in_errors=True)

    queue_redis_url: RedisDsn = RedisDsn("redis://127.0.0.1:6379/0")
    cache_redis_url: RedisDsn = RedisDsn("redis://127.0.0.1:6380/0")
    redis_username: str = ""
    redis_password: SecretStr = SecretStr("")
    media_url: str = Field(default="file:///srv/imagebot/media", pattern=r"^(file:///|s3://|memory:///)")
    models: Annotated[dict[Operation, str], *FROM_JSON] = Field(default_factory=dict)
    """Endpoint at fal for an operation, where it is not the default of ``app/core/endpoints.py``."""
    fal_concurrency: Annotated[int, Field(ge=1)] = 40
    """The account's limit of requests in progress, over all workers; what exceeds it waits in our queues."""
    log_level: str = Field(default="INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")

    def redis_options(self) -> dict[str, Any]:
        """Return the credentials, and what redis-py tells of itself, as options for ``redis.Redis.from_url``."""
        return {
            "driver_info": _DRIVER,
            "username": self.redis_username or None,
            "password": self.redis_password.get_secret_value() or None,
        }

    @classmethod
    def load(cls) -> Self:
        """Read the settings of this process.

        Raises:
            ConfigurationError: naming every missing or wrong setting, never its value.
        """
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        secrets = directory if directory and Path(directory).is_dir() else None
        try:
            return cls(_secrets_dir=secrets)
        except ValidationError as error:
            problems = "; ".join(
                f"{ENV_PREFIX}{'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            )
            raise ConfigurationError(problems) from None
