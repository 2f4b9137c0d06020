"""People who block the bot."""

from aiogram import Router
from aiogram.enums import ChatMemberStatus
from aiogram.types import ChatMemberUpdated

from app.bot.users.users import Users


async def handle_membership(event: ChatMemberUpdated, users: Users) -> None:
    """Write no more to who has blocked the bot; whoever comes back is known again by that."""
    if event.new_chat_member.status == ChatMemberStatus.KICKED:
        await users.leave(event.chat.id)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="membership")
    router.my_chat_member.register(handle_membership)
    return router
