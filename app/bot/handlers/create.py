"""Text -> picture."""

import math

from aiogram import F, Router
from aiogram.types import Message, Update

from app.bot.conversations import Conversations
from app.bot.delivery import Delivery
from app.bot.intake import Intake, QueueFull, TooMany
from app.bot.prompts import BlankPromptError, PromptTooLongError, clean_prompt
from app.bot.texts import Voice
from app.core.operations import PROMPT_MAX_LENGTH, Operation
from app.core.requests import ImageRequest


async def handle_create(
    message: Message,
    event_update: Update,
    voice: Voice,
    intake: Intake,
    conversations: Conversations,
    delivery: Delivery,
) -> None:
    """Queue a picture of what the message describes, or say kindly why not."""
    try:
        prompt = clean_prompt(message.text or "")
    except BlankPromptError:
        await message.answer(voice("prompt-blank"))
        return
    except PromptTooLongError as error:
        await message.answer(voice("prompt-too-long", length=error.length, limit=PROMPT_MAX_LENGTH))
        return
    request = ImageRequest(
        id=f"u{event_update.update_id}",
        user_id=message.from_user.id if message.from_user else message.chat.id,
        chat_id=message.chat.id,
        locale=voice.locale,
        operation=Operation.CREATE,
        prompt=prompt,
    )
    outcome = await intake(request, message.message_id)
    if isinstance(outcome, TooMany):
        await message.answer(voice("rate-limited", seconds=math.ceil(outcome.wait)))
        return
    if isinstance(outcome, QueueFull):
        await message.answer(voice("queue-full"))
        return
    conversation = await conversations.load(request.id)
    if conversation.ended or conversation.status_message_id is not None:
        return  # this update was handled before
    status = await message.answer(voice("accepted", ahead=outcome.ahead))
    if not await conversations.status_sent(request.id, status.message_id):
        await delivery.remove_status(request.id, request.chat_id)


async def handle_unknown_command(message: Message, voice: Voice) -> None:
    """A command is no prompt: say so instead of drawing it."""
    await message.answer(voice("unknown-command"))


async def handle_anything_else(message: Message, voice: Voice) -> None:
    """Photos, stickers, voices: say what is understood."""
    await message.answer(voice("only-text"))


def make_router() -> Router:
    """Return this module's handlers; they take what no router before them wanted."""
    router = Router(name="create")
    router.message.register(handle_unknown_command, F.text.startswith("/"))
    router.message.register(handle_create, F.text)
    router.message.register(handle_anything_else)
    return router
