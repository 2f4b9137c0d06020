"""People who block the bot."""

from aiogram import F, Router
from aiogram.enums import ChatMemberStatus
from aiogram.types import ChatMemberUpdated

from app.bot.users import Users


async def handle_block(event: ChatMemberUpdated, users: Users) -> None:
    """Write to them no more; whoever comes back is known again by that."""
    await users.leave(event.chat.id)


def make_router() -> Router:
    """Return this module's handlers."""
    router = Router(name="membership")
    router.my_chat_member.register(handle_block, F.new_chat_member.status == ChatMemberStatus.KICKED)
    return router
