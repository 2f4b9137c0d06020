"""Text -> picture."""

from aiogram import F, Router
from aiogram.types import Message, Update

from app.bot.intake import Intake, Order, Origin
from app.bot.preferences import Preferences
from app.bot.prompts import BlankPromptError, PromptTooLongError, clean_prompt
from app.bot.texts import Voice
from app.core.operations import PROMPT_MAX_LENGTH, Operation


async def handle_create(
    message: Message, event_update: Update, voice: Voice, intake: Intake, preferences: Preferences
) -> None:
    """Take an order for a picture of what the message describes, or say kindly why not."""
    try:
        prompt = clean_prompt(message.text or "")
    except BlankPromptError:
        await message.answer(voice("prompt-blank"))
    except PromptTooLongError as error:
        await message.answer(voice("prompt-too-long", length=error.length, limit=PROMPT_MAX_LENGTH))
    else:
        order = Order(Operation.CREATE, prompt, parameters=preferences.parameters())
        await intake(order, Origin.of(event_update, message), voice)


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
