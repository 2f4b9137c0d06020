"""What an event is, for handlers that want only some.

Coroutines, because aiogram runs any other function (and every ``F.…``) in a thread.
"""

from aiogram.enums import ChatType
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, Update

from app.bot.requests.photos import picture_in
from app.bot.updates.albums import album_of, is_whole, may_be_cut
from app.bot.users.users import BotUser


async def is_private(event: Message | CallbackQuery | ChatMemberUpdated) -> bool:
    """Whether it happens between one person and the bot."""
    message = event.message if isinstance(event, CallbackQuery) else event
    return message is not None and message.chat.type == ChatType.PRIVATE


async def is_command(message: Message) -> bool:
    """Whether it is a command."""
    return _is_command(message.text)


async def brings_words(message: Message) -> bool:
    """Whether it is a text and no command."""
    return message.text is not None and not _is_command(message.text)


async def brings_picture(message: Message) -> bool:
    """Whether it brings a picture, or a file that may be one, and its caption is no command."""
    return picture_in(message) is not None and not _is_command(message.caption)


async def brings_captioned_picture(message: Message) -> bool:
    """The same with a caption."""
    return bool(message.caption) and await brings_picture(message)


async def has_command_for_caption(message: Message) -> bool:
    """Whether it brings anything with a command for a caption."""
    return _is_command(message.caption)


async def replies_to_picture(message: Message) -> bool:
    """Whether it replies to a message that brings a picture."""
    return message.reply_to_message is not None and picture_in(message.reply_to_message) is not None


async def is_part_of_album(message: Message, event_update: Update) -> bool:
    """Whether it is one of an album that is still to be collected."""
    return message.media_group_id is not None and album_of(event_update) is None


async def is_piece(message: Message, event_update: Update, bot_user: BotUser) -> bool:
    """Whether it is a piece of a text that a client has cut, as far as can be seen, and not put together yet."""
    text = message.text
    if text is None or is_whole(event_update):
        return False
    return may_be_cut(text) or (bot_user.cut and not _is_command(text))


async def is_album(message: Message, event_update: Update) -> bool:
    """Whether it stands for an album of several messages."""
    return len(album_of(event_update) or []) > 1


async def is_moving_picture(message: Message) -> bool:
    """Whether it brings a film or an animation."""
    return bool(message.animation or message.video or message.video_note)


async def brings_document(message: Message) -> bool:
    """Whether it brings a file of any kind."""
    return message.document is not None


def _is_command(text: str | None) -> bool:
    return text is not None and text.startswith("/")
