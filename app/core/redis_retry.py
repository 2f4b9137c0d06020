"""Repeating calls to Redis until they are answered."""

import functools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from redis.exceptions import RedisError

from app.core.backoff import Backoff
from app.core.redis_clients import check_cancelled, passes

P = ParamSpec("P")
T = TypeVar("T")


class _Store(Protocol):
    @property
    def retries(self) -> bool: ...


S = TypeVar("S", bound=_Store)


async def retry(
    call: Callable[[], Awaitable[T]],
    on_wait: Callable[[], None] = lambda: None,
    backoff: Backoff | None = None,
) -> T:
    """Repeat a call to Redis until it is answered; call ``on_wait`` before each wait. Says once that it waits.

    A call may have taken effect although its answer was lost, so it must be one that can be repeated.

    Raises:
        RedisError: one that does not pass.
    """
    backoff = backoff or Backoff("Redis", first=0.1, most=2.0, status=False)
    while True:
        try:
            answer = await call()
            check_cancelled()
        except RedisError as error:
            check_cancelled()
            if not passes(error):
                raise
            on_wait()
            await backoff.wait(error)
        else:
            backoff.reset()
            return answer


def retried(
    method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, T]]:
    """Have a store repeat a method until Redis answers, if ``retries`` says so of the store."""

    @functools.wraps(method)
    async def call(store: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not store.retries:
            return await method(store, *args, **kwargs)
        return await retry(lambda: method(store, *args, **kwargs))

    return call
