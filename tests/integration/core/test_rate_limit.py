"""How many requests one person may send within any minute."""

from app.core.rate_limit import RateLimiter
from tests.support.redis_server import RedisServer


async def test_ten_requests_in_any_60_seconds_are_allowed_unless_told_otherwise(redis_process: RedisServer) -> None:
    limiter = RateLimiter(redis_process.url, name="usual:")
    assert [await limiter.hit(7) for _ in range(10)] == [0] * 10
    assert 30 < await limiter.hit(7) <= 60  # until the first of them is out of the window
    assert await limiter.hit(8) == 0


async def test_a_list_counts_by_its_length(redis_process: RedisServer) -> None:
    limiter = RateLimiter(redis_process.url, name="lists:")
    assert await limiter.hit(7, 6) == 0
    assert await limiter.hit(7, 6) > 0
    assert [await limiter.hit(7) for _ in range(4)] == [0] * 4
    assert await limiter.hit(7) > 0
    assert await limiter.hit(8, 20) == 0  # more than ten at once, when there were none before
    assert await limiter.hit(8) > 0


async def test_who_is_refused_is_told_how_much_of_the_window_is_left(redis_process: RedisServer) -> None:
    limiter = RateLimiter(redis_process.url, requests=1, window=3600, name="long:")
    assert await limiter.hit(7) == 0
    assert 1800 < await limiter.hit(7) <= 3600
