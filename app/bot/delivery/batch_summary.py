"""One message when all requests of a batch have ended."""

from aiogram import Bot
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import SendMessage
from redis.asyncio import Redis

from app.bot.delivery.batches import Batch, Batches
from app.bot.delivery.fence import ClaimLostError
from app.bot.delivery.ledger import ENDED, HELD, DeliveryLedger
from app.bot.telegram import is_gone
from app.bot.texts import Texts, Translator


class BatchSummaries:
    """Tells ``sender``'s share of the summaries. Telling again changes nothing."""

    def __init__(self, bot: Bot, redis: Redis, ledger: DeliveryLedger, texts: Texts, sender: str) -> None:
        self._bot = bot
        self._batches = Batches(redis)
        self._ledger = ledger
        self._texts = texts
        self._sender = sender

    async def mark_notified(self, batch_id: str, request_id: str) -> bool:
        """Note that the end of a request has been told; sum up after the last one.

        Returns False if another instance is just summing up: then ask again.
        """
        await self._batches.note_told(batch_id, request_id)
        return await self._sum_up(batch_id, self._sender)

    async def sum_up(self, batch_id: str) -> None:
        """Send the summary if everything is told, unless that is just being done."""
        await self._sum_up(batch_id, f"{self._sender}, taking it")

    async def _sum_up(self, batch_id: str, sender: str) -> bool:
        batch = await self._batches.whole(batch_id)
        if batch is None:
            return True
        attempt = await self._ledger.claim(batch_id, sender)
        if attempt in (ENDED, HELD):
            return attempt == ENDED
        try:
            async with self._ledger.lock(batch_id, sender, attempt):
                await self._send(batch)
                await self._ledger.end(batch_id)
        except ClaimLostError:
            return False
        return True

    async def _send(self, batch: Batch) -> None:
        translate = Translator(self._texts, batch.locale)
        lines = [translate("batch-summary")]
        lines += [translate(f"batch-summary-{name}", count=count) for name, count in batch.counts.items() if count]
        try:
            await self._bot(SendMessage(chat_id=batch.chat_id, text="\n".join(lines)))
        except TelegramAPIError as error:
            if not is_gone(error):
                raise
