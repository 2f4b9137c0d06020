"""The worker's settings."""

from typing import Annotated

from pydantic import Field, HttpUrl, SecretStr

from app.core.polling_config import POLL_INTERVAL_INITIAL, POLL_INTERVAL_MAX
from app.core.settings import FROM_JSON, CoreSettings


class WorkerSettings(CoreSettings):
    """What an imageworker needs; see ``CoreSettings`` for how it is read. Times are in seconds."""

    worker_name: str = Field(default="imageworker@0", min_length=1)
    worker_concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    """Jobs that one worker runs at once."""
    shutdown_grace: Annotated[float, Field(ge=0)] = 3.0
    """How long a stopping worker waits for jobs that are about to end."""
    low_priority_share: Annotated[int, Field(ge=0)] = 1
    """Jobs of the low-priority queue that may always run, over all workers."""

    fal_key: SecretStr = Field(min_length=1)
    fal_queue_url: HttpUrl = HttpUrl("https://queue.fal.run")
    fal_api_url: HttpUrl = HttpUrl("https://api.fal.ai/v1")
    """Where the account's requests are listed."""
    fal_storage_url: HttpUrl = HttpUrl("https://rest.fal.ai")
    fal_cdn_url: HttpUrl = HttpUrl("https://v3.fal.media")
    fal_media_hosts: Annotated[tuple[str, ...], *FROM_JSON] = ("fal.media", "*.fal.media")
    """Hosts that results may be fetched from."""
    fal_retention_days: Annotated[int, Field(ge=0, le=365)] = 7
    """How long fal keeps what is uploaded and what it draws; 0: as long as it keeps it unasked."""
    fal_requests_per_second: Annotated[float, Field(gt=0)] = 50.0
    """Cap on requests to the API of fal, over all workers; pictures come from elsewhere and do not count."""
    fal_submit_repeats: Annotated[int, Field(ge=0, le=5)] = 0
    """How often a submit may be sent again of which fal can't tell what became; each may be a second bill."""
    fal_retries: Annotated[int, Field(ge=0)] = 4
    """How often a submit that surely had no effect is repeated, with backoff, before all submits pause."""
    request_deadline: Annotated[float, Field(gt=0)] = 1800.0
    """How long after its submit a request is waited for."""
    polling_aware: bool = True
    """Take the first poll when past latency makes a result likely; false: the plain schedule."""
    poll_interval_initial: Annotated[float, Field(gt=0)] = POLL_INTERVAL_INITIAL
    """The least time between two polls of a request."""
    poll_interval_max: Annotated[float, Field(gt=0)] = POLL_INTERVAL_MAX
    """The most time between two polls of a request, after the first."""
