"""Run one imageworker: ``python -m app.worker``."""

import logging
import sys
from random import SystemRandom

from app.core import logs
from app.core.epoch import Epoch, EpochClock, state_file
from app.core.errors import ConfigurationError, RequestFailedError
from app.core.media import MediaStore
from app.core.pause import Pauses
from app.core.polling_config import PollingConfig
from app.core.queues import JOB_FUNCTION, QUEUES
from app.core.redis_clients import queue_redis, rq_redis
from app.core.requests import RequestStore
from app.core.settings import EXIT_CONFIG
from app.worker import after_death, models
from app.worker.collecting import Collector
from app.worker.concurrent_worker import ConcurrentWorker
from app.worker.fal_listing import FalListing
from app.worker.fal_queue import FalQueue
from app.worker.fal_uploads import Uploader
from app.worker.image_worker import ImageWorker
from app.worker.latency import LatencyLog
from app.worker.request_cap import RequestCap
from app.worker.retry_policy import RetryPolicy
from app.worker.settings import WorkerSettings
from app.worker.submits import Submitter
from app.worker.sweeper import Sweeper
from app.worker.verifier import Verifier
from app.worker.write_back import WriteBack


def build(settings: WorkerSettings) -> ConcurrentWorker:
    """Put a worker together.

    Raises:
        ConfigurationError: an endpoint's shape is unknown, or there is no media store.
    """
    endpoints = models.choose_endpoints(settings.models)
    try:
        media = MediaStore(settings.media_url)
    except Exception as error:  # each of obstore's stores has errors of its own
        raise ConfigurationError(f"IMAGEBOT_MEDIA_URL: no media store there: {str(error).splitlines()[0]}") from error
    key = settings.fal_key.get_secret_value()
    random = SystemRandom()
    redis = queue_redis(settings)
    epoch = Epoch(state_file(f"{settings.worker_name}.json"))
    store = RequestStore(redis, epoch, retries=True)
    keep = settings.fal_retention_days * 24 * 3600
    fal = FalQueue(key, str(settings.fal_queue_url), settings.fal_media_hosts, keep_seconds=keep)
    retry_policy = RetryPolicy(RequestCap(redis, settings.fal_requests_per_second), settings.fal_retries, random)
    submitter = Submitter(
        redis=redis,
        store=store,
        media=media,
        fal=fal,
        listing=FalListing(key, str(settings.fal_api_url), str(settings.fal_queue_url)),
        upload=Uploader(key, str(settings.fal_storage_url), str(settings.fal_cdn_url), keep_seconds=keep),
        retry_policy=retry_policy,
        pauses=Pauses(redis, retries=True),
        endpoints=endpoints,
        request_deadline=settings.request_deadline,
        submit_repeats=settings.fal_submit_repeats,
    )
    collector = Collector(
        redis=redis,
        store=store,
        media=media,
        fal=fal,
        verify=Verifier(),
        retry_policy=retry_policy,
        latency=LatencyLog(redis, aware=settings.polling_aware),
        polling=PollingConfig(settings.poll_interval_initial, settings.poll_interval_max),
        request_deadline=settings.request_deadline,
        random=random,
    )
    connection = rq_redis(settings)
    write_back = WriteBack(EpochClock(redis, epoch), connection)
    image_worker = ImageWorker(store, fal, retry_policy, submitter, collector, write_back)
    return ConcurrentWorker(
        QUEUES,
        settings.worker_name,
        connection,
        queue_redis(settings, decode_responses=False),
        {JOB_FUNCTION: image_worker.make_image},
        concurrency=settings.worker_concurrency,
        cap=settings.fal_concurrency,
        low_share=settings.low_priority_share,
        shutdown_grace=settings.shutdown_grace,
        final=(RequestFailedError,),
        crashes_at_work_only=True,
        timed=False,
        on_failure=image_worker.fail,
        chores=(Sweeper(redis, connection, RequestStore(redis, epoch)).run, write_back.run),
        epoch=epoch,
    )


def main() -> int:
    """Run until told to stop; return the exit status."""
    logs.configure("INFO")
    try:
        settings = WorkerSettings.load()
        secrets = (settings.fal_key.get_secret_value(), settings.redis_password.get_secret_value())
        logs.configure(settings.log_level, secrets)
        worker = build(settings)
        after_death.leave_password(settings.redis_password.get_secret_value())
        worker.work()
    except ConfigurationError as error:
        logging.getLogger("app.worker").error("settings: %s", error)
        return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
