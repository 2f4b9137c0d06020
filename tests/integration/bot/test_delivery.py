"""Results come home: a real Redis, and Telegram played."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiogram.exceptions import TelegramBadRequest, TelegramServerError
from aiogram.methods import (
    DeleteMessage,
    EditMessageMedia,
    EditMessageText,
    SendChatAction,
    SendDocument,
    SendMediaGroup,
    SendMessage,
    SendPhoto,
)
from aiogram.types import InlineKeyboardMarkup
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from app.bot.delivery.delivery import ATTEMPTS
from app.bot.delivery.keyboards import album_keyboard, failure_keyboard, result_keyboard
from app.bot.result_cache import Result
from app.bot.tasks import end
from app.bot.texts import Texts, Translator
from app.core import redis_keys
from app.core.errors import FailureReason
from app.core.events import EventType
from app.core.operations import Operation
from tests.integration.bot.delivery_harness import HERE, DeliveryHarness, album, event, request
from tests.integration.bot.harness import picture
from tests.support.redis_server import RedisServer

DONE, FAILED, CANCELLED = event(EventType.DONE), event(EventType.FAILED), event(EventType.CANCELLED)


@pytest.fixture
async def harness(
    queue_server: RedisServer, cache_server: RedisServer, tmp_path: Path
) -> AsyncIterator[DeliveryHarness]:
    queue_server.client.flushall()
    cache_server.client.flushall()
    async with (
        Redis.from_url(queue_server.url, decode_responses=True) as redis,
        Redis.from_url(cache_server.url, decode_responses=True) as cache,
    ):
        with BlockingRedis.from_url(queue_server.url) as rq:
            harness = DeliveryHarness(redis, cache, rq, tmp_path)
            await harness.ask(request())
            yield harness


# -- pictures ---------------------------------------------------------------------------------------------------


async def test_a_picture_is_a_short_text_in_reply_to_its_prompt_that_becomes_it(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    harness.text_gets(70)
    assert await harness.delivery.handle(DONE)
    text, photo = harness.sent()
    assert text.text == "Here it is"
    assert text.reply_parameters.message_id == 3
    assert harness.shown() == [(70, picture())]
    assert photo.reply_markup == result_keyboard(await harness.record("u1"), 0, Translator(Texts(), "en"))
    assert harness.board.told == [("removed", "u1")]


async def test_something_can_be_seen_to_come_while_it_is_uploaded(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    await harness.delivery.handle(DONE)
    action, *_ = harness.bot.requests.all
    assert isinstance(action, SendChatAction)
    assert action.action == "upload_photo"


async def test_trouble_with_that_is_no_trouble(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    harness.refuses(SendChatAction, "Bad Gateway", 502)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == HERE


async def test_the_same_event_again_sends_nothing(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    assert await harness.delivery.handle(DONE)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == HERE


# -- several pictures ----------------------------------------------------------------------------------------------

TWO = (picture(), picture(colour="red"))


async def test_several_pictures_are_an_album_with_one_message_of_buttons(harness: DeliveryHarness) -> None:
    await harness.draw("u1", *TWO)
    harness.album_gets(70, 71)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == album(2)
    blanks, *edits, buttons = harness.sent()
    assert blanks.reply_parameters.message_id == 3
    assert harness.shown() == [(70, TWO[0]), (71, TWO[1])]
    assert [edit.reply_markup for edit in edits] == [None, None]
    assert buttons.text == "Which one shall I go on with?"
    assert buttons.reply_parameters.message_id == 70
    assert buttons.reply_markup == album_keyboard(await harness.record("u1"), None, Translator(Texts(), "en"))


async def test_which_picture_a_message_of_an_album_shows_is_known(harness: DeliveryHarness) -> None:
    await harness.draw("u1", *TWO)
    harness.album_gets(70, 71)
    await harness.delivery.handle(DONE)
    assert await harness.ledger.shown_in(7, 71) == ("u1", 1)
    assert await harness.ledger.shown_in(7, 72) is None
    assert await harness.ledger.shown_in(8, 71) is None


async def test_an_album_that_telegram_has_already_is_sent_at_once(harness: DeliveryHarness) -> None:
    await harness.ask(request("u2"), known=Result(("one.jpg", "two.jpg"), ("photo-1", "photo-2")))
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    sent, buttons = harness.sent()
    assert buttons.text.startswith("Same words, same pictures.")
    assert buttons.reply_markup.inline_keyboard[1][0].text == "🆕 A new one"
    assert [item.media for item in sent.media] == ["photo-1", "photo-2"]
    assert (await harness.record("u2")).file_ids == ("photo-1", "photo-2")


async def test_an_album_with_a_name_that_telegram_has_forgotten_is_uploaded(harness: DeliveryHarness) -> None:
    for name, data in zip(("one.jpg", "two.jpg"), TWO, strict=True):
        await harness.media.put(name, data)
    await harness.ask(request("u2"), known=Result(("one.jpg", "two.jpg"), ("photo-1", "photo-2")))
    harness.refuses(SendMediaGroup, "Bad Request: wrong file identifier/HTTP URL specified")
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    assert harness.kinds() == (SendMediaGroup, *album(2))


async def test_pictures_that_are_no_album_come_one_by_one(harness: DeliveryHarness) -> None:
    await harness.draw("u1", *TWO)
    harness.refuses(SendMediaGroup, "Bad Request: MEDIA_GROUP_INVALID")
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == (SendMediaGroup, *HERE, *HERE)
    record, translate = await harness.record("u1"), Translator(Texts(), "en")
    assert [photo.reply_markup for photo in harness.sent()[2::2]] == [
        result_keyboard(record, n, translate) for n in (0, 1)
    ]


async def test_a_picture_that_fits_no_photo_leaves_its_album(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture(2100, 100), TWO[0])
    harness.album_gets(70, 71)
    harness.text_gets(72)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == (
        SendMediaGroup,
        SendMessage,
        DeleteMessage,
        EditMessageMedia,
        EditMessageMedia,
        SendMessage,
    )
    _, _, gone, document, photo, _ = harness.sent()
    assert (gone.message_id, document.message_id, photo.message_id) == (70, 72, 71)
    assert (document.media.type, photo.media.type) == ("document", "photo")


async def test_who_takes_over_goes_on_in_the_same_album(harness: DeliveryHarness) -> None:
    await harness.draw("u1", *TWO)
    harness.album_gets(70, 71)
    harness.photo_gets("photo-1")
    harness.refuses(EditMessageMedia, "Bad Gateway", 502)
    with pytest.raises(TelegramServerError):
        await harness.delivery.handle(DONE)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == album(3)
    assert [message_id for message_id, _ in harness.shown()] == [70, 71, 71]


async def test_what_another_instance_is_sending_is_left_to_it(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    await harness.ledger.claim("u1", "imagebot@2")
    assert not await harness.delivery.handle(DONE)
    assert harness.sent() == []


async def test_a_photo_that_telegram_can_not_read_goes_as_a_document(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    harness.refuses(EditMessageMedia, "Bad Request: IMAGE_PROCESS_FAILED")
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == (*HERE, EditMessageMedia)
    assert [edit.media.type for edit in harness.sent()[1:]] == ["photo", "document"]


async def test_a_picture_that_does_not_fit_a_photo_goes_as_a_document(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture(2100, 100))
    harness.document_gets("document-1")
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == HERE
    assert harness.sent()[1].media.type == "document"
    assert (await harness.record("u1")).file_ids == ("document-1",)


async def test_a_picture_whose_text_the_person_has_deleted_is_sent_as_a_new_message(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    harness.refuses(EditMessageMedia, "Bad Request: message to edit not found")
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == (*HERE, SendPhoto)
    assert harness.sent()[2].photo.data == picture()


async def test_a_picture_that_stays_missing_is_told_after_a_few_attempts(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    (harness.directory / "u1-0.jpg").unlink()
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(FileNotFoundError):
            await harness.delivery.handle(DONE)
    assert harness.sent() == []
    assert await harness.delivery.handle(DONE)
    assert [said.text for said in harness.sent()] == ["Something broke on my side. Sorry! Please send it again."]


async def test_a_text_that_can_not_become_its_picture_becomes_the_news_of_that(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    harness.text_gets(70)
    for _ in range(2 * ATTEMPTS):
        harness.refuses(EditMessageMedia, "Bad Request: PHOTO_INVALID_DIMENSIONS")
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(TelegramBadRequest):
            await harness.delivery.handle(DONE)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds().count(SendMessage) == 1
    last = harness.sent()[-1]
    assert (type(last), last.message_id) == (EditMessageText, 70)
    assert last.text.startswith("Something broke on my side.")


async def test_nobody_there_ends_the_matter(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    harness.refuses(SendMessage, "Forbidden: bot was blocked by the user", 403)
    assert await harness.delivery.handle(DONE)
    assert await harness.delivery.handle(DONE)
    assert harness.kinds() == (SendMessage,)


async def test_who_comes_back_gets_what_has_not_been_sent_and_only_once(harness: DeliveryHarness) -> None:
    await harness.draw("u1", *TWO)
    harness.album_gets(70, 71)
    harness.photo_gets("photo-1")
    harness.refuses(EditMessageMedia, "Forbidden: bot was blocked by the user", 403)
    assert await harness.delivery.handle(DONE)
    await harness.redis.delete(redis_keys.EVENTS)
    for _ in range(2):  # a person who is back says two things at once
        await harness.ledger.returned(7)
    told: Any = await harness.redis.xrange(redis_keys.EVENTS)
    assert [fields for _, fields in told] == [{"type": "done", "request_id": "u1"}]
    for _ in range(2):
        assert await harness.delivery.handle(DONE)
    assert harness.kinds() == (SendMediaGroup, *(EditMessageMedia,) * 3, SendMessage)
    assert [message_id for message_id, _ in harness.shown()] == [70, 71, 71]


async def test_a_failure_that_nobody_was_there_to_hear_of_is_not_told_later(harness: DeliveryHarness) -> None:
    await harness.requests.fail("u1", FailureReason.POLICY)
    harness.refuses(SendMessage, "Forbidden: bot was blocked by the user", 403)
    assert await harness.delivery.handle(FAILED)
    await harness.ledger.returned(7)
    assert await harness.delivery.handle(FAILED)
    assert harness.kinds() == (SendMessage,)


async def test_a_result_is_known_to_others_although_nobody_is_there_to_get_it(harness: DeliveryHarness) -> None:
    await harness.ask(request("u2", cache_key="k"))
    await harness.draw("u2", picture())
    harness.refuses(SendMessage, "Forbidden: bot was blocked by the user", 403)
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    assert await harness.cache.get("k") == Result(("u2-0.jpg",), ())


async def test_an_event_of_a_forgotten_request_is_settled(harness: DeliveryHarness) -> None:
    assert await harness.delivery.handle(event(EventType.DONE, "u999"))
    assert harness.sent() == []


# -- pictures that Telegram has already --------------------------------------------------------------------------


async def test_a_result_that_was_known_is_sent_by_its_name(harness: DeliveryHarness) -> None:
    await harness.ask(request("u2"), known=Result(("gone.jpg",), ("photo-1",)))
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    [photo] = harness.bot.requests.all
    assert isinstance(photo, SendPhoto)
    assert photo.photo == "photo-1"
    assert photo.caption == "Same words, same picture"
    assert isinstance(photo.reply_markup, InlineKeyboardMarkup)
    assert photo.reply_markup.inline_keyboard[0][0].text == "🆕 A new one"


async def test_a_result_that_was_known_for_a_photo_without_words_does_not_speak_of_words(
    harness: DeliveryHarness,
) -> None:
    await harness.ask(
        request("u2", operation=Operation.UPSCALE, prompt=""), known=Result(("gone.jpg",), ("photo-1",))
    )
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    assert harness.sent()[0].caption is None


async def test_a_result_that_was_drawn_says_nothing_of_that(harness: DeliveryHarness) -> None:
    await harness.draw("u1", picture())
    await harness.delivery.handle(DONE)
    assert harness.sent()[1].media.caption is None


async def test_a_known_document_is_sent_as_one(harness: DeliveryHarness) -> None:
    await harness.ask(request("u2"), known=Result(("gone.jpg",), ("document-1",)))
    harness.refuses(SendPhoto, "Bad Request: can't use file of type Document as Photo")
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    assert harness.kinds() == (SendPhoto, SendDocument)
    assert harness.sent()[1].document == "document-1"


async def test_what_telegram_has_forgotten_is_uploaded_again(harness: DeliveryHarness) -> None:
    await harness.media.put("here.jpg", picture())
    await harness.ask(request("u2"), known=Result(("here.jpg",), ("photo-1",)))
    for method in (SendPhoto, SendDocument):
        harness.refuses(method, "Bad Request: wrong file identifier/HTTP URL specified")
    assert await harness.delivery.handle(event(EventType.DONE, "u2"))
    assert harness.kinds() == (SendPhoto, SendDocument, SendPhoto)
    assert harness.sent()[2].photo.data == picture()


async def test_whoever_asks_for_the_same_later_gets_it_by_its_name(harness: DeliveryHarness) -> None:
    await harness.ask(request("u2", cache_key="fox"))
    await harness.draw("u2", picture())
    harness.photo_gets("photo-2")
    await harness.delivery.handle(event(EventType.DONE, "u2"))
    assert await harness.cache.get("fox") == Result(("u2-0.jpg",), ("photo-2",))


async def test_those_who_joined_a_request_get_its_picture_by_its_name(harness: DeliveryHarness) -> None:
    for request_id in ("u2", "u3"):
        await harness.ask(request(request_id, user_id=int(request_id[1]), cache_key="fox"))
    await harness.draw("u2", picture())
    harness.photo_gets("photo-2")
    await harness.delivery.handle(event(EventType.DONE, "u2"))
    await harness.delivery.handle(event(EventType.DONE, "u3"))
    assert harness.sent()[2].photo == "photo-2"


# -- other news --------------------------------------------------------------------------------------------------


async def test_the_start_is_news_for_the_status_board(harness: DeliveryHarness) -> None:
    assert await harness.delivery.handle(event(EventType.STARTED))
    assert harness.board.told == [("changed", "u1")]


async def test_who_inherits_a_cancelled_request_is_queued(harness: DeliveryHarness) -> None:
    for request_id in ("u2", "u3"):
        await harness.ask(request(request_id, cache_key="fox"))
    await harness.requests.cancel("u2")
    assert await harness.delivery.handle(event(EventType.QUEUED, "u3"))
    assert await harness.delivery.handle(event(EventType.QUEUED, "u3"))
    assert await harness.redis.lrange("rq:queue:img_queue", 0, -1) == ["u3"]
    assert harness.board.told == [("changed", "u3")] * 2


async def test_a_failure_is_told_with_its_reason(harness: DeliveryHarness) -> None:
    await harness.requests.fail("u1", FailureReason.POLICY)
    assert await harness.delivery.handle(FAILED)
    [said] = harness.sent()
    assert "not allowed to draw" in said.text
    assert said.reply_markup == failure_keyboard(await harness.record("u1"), Translator(Texts(), "en"))


async def test_what_was_told_need_not_be_kept_for_a_week(harness: DeliveryHarness) -> None:
    await harness.requests.fail("u1", FailureReason.POLICY)
    untold = await harness.redis.ttl(redis_keys.request("u1"))
    await harness.delivery.handle(FAILED)
    assert await harness.redis.ttl(redis_keys.request("u1")) < untold / 2


async def test_a_cancellation_is_confirmed(harness: DeliveryHarness) -> None:
    await harness.requests.cancel("u1")
    await harness.delivery.handle(CANCELLED)
    assert [said.text for said in harness.sent()] == ["Cancelled."]


# -- batches -----------------------------------------------------------------------------------------------------


async def _batch(harness: DeliveryHarness, total: int) -> list[str]:
    await harness.redis.hset(redis_keys.batch("u5"), mapping={"total": total, "chat_id": 7, "locale": "en"})
    ids = [f"u5-{number}" for number in range(1, total + 1)]
    for request_id in ids:
        await harness.ask(request(request_id, batch="u5", prompt=f"fox {request_id[-1]}"))
    return ids


async def test_each_picture_of_a_batch_says_what_it_shows(harness: DeliveryHarness) -> None:
    await _batch(harness, 2)
    await harness.draw("u5-2", picture())
    await harness.delivery.handle(event(EventType.DONE, "u5-2"))
    _, photo = harness.sent()
    assert photo.media.caption == "\u2068fox 2\u2069"


async def test_a_batch_is_summed_up_once_after_its_last_news(harness: DeliveryHarness) -> None:
    done, failed, cancelled, last = await _batch(harness, 4)
    await harness.draw(done, picture())
    await harness.requests.fail(failed, FailureReason.POLICY)
    await harness.requests.cancel(cancelled)
    await harness.draw(last, picture())
    events = [
        event(EventType.DONE, done), event(EventType.FAILED, failed),
        event(EventType.CANCELLED, cancelled), event(EventType.DONE, last),
    ]  # fmt: skip
    for each in events:
        assert await harness.delivery.handle(each)
    assert harness.kinds() == (*HERE, SendMessage, *HERE, SendMessage)
    failure, summary = harness.sent()[2].text, harness.sent()[-1].text
    assert failure.startswith("\u2068fox 2\u2069\nI'm not allowed to draw this one.")
    assert summary.splitlines() == [
        "That was the whole batch.", "✅ 2 pictures are here", "❌ one did not work out", "✖ one was cancelled",
    ]  # fmt: skip
    for each in events:
        assert await harness.delivery.handle(each)
    assert len(harness.sent()) == 6


async def test_a_batch_that_ends_all_at_once_is_summed_up_once(harness: DeliveryHarness) -> None:
    for request_id in await _batch(harness, 5):
        await harness.requests.cancel(request_id)
    delivering = asyncio.create_task(harness.delivery.run())
    for _ in range(500):
        await asyncio.sleep(0.02)
        if (
            not (await harness.redis.xpending(redis_keys.EVENTS, redis_keys.EVENTS_GROUP))["pending"]
            and harness.sent()
        ):
            break
    await end([delivering])
    assert harness.kinds() == (SendMessage,)


async def test_a_summary_is_left_to_the_instance_that_is_sending_it(harness: DeliveryHarness) -> None:
    [only] = await _batch(harness, 1)
    await harness.draw(only, picture())
    await harness.ledger.claim("u5", "imagebot@2")
    assert not await harness.delivery.handle(event(EventType.DONE, only))  # it is asked again, until that is done
    await harness.ledger.end("u5")
    assert await harness.delivery.handle(event(EventType.DONE, only))
    assert harness.kinds() == HERE
