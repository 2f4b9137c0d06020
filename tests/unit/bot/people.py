"""A registry of people without Redis, for tests of handlers."""

from dataclasses import dataclass, field

from app.bot.users.preferences import AUTO, Choice, Preferences
from app.bot.users.users import BotUser, Users


@dataclass
class People(Users):
    """Everybody whom the bot has met, and what they have chosen."""

    met: dict[int, str] = field(default_factory=dict)
    chosen: dict[int, dict[str, str]] = field(default_factory=dict)
    vip_ids: set[int] = field(default_factory=set)
    banned_ids: set[int] = field(default_factory=set)
    told_of_ban: set[int] = field(default_factory=set)

    async def upsert(self, user_id: int, telegram_locale: str) -> BotUser:
        self.met[user_id] = telegram_locale
        return await self.get(user_id)

    async def get(self, user_id: int) -> BotUser:
        preferences = Preferences.from_hash(self.chosen.get(user_id, {}))
        locale = self.met.get(user_id, "en") if preferences.language == AUTO else preferences.language
        return BotUser(preferences, locale, user_id in self.banned_ids)

    async def leave(self, user_id: int) -> None:
        self.met.pop(user_id, None)

    async def audience(self) -> int:
        return len(self.met.keys() - self.banned_ids)

    async def choose(self, user_id: int, choice: Choice, option: str) -> None:
        self.chosen.setdefault(user_id, {})[choice] = option

    async def set_vip(self, user_id: int, vip: bool) -> None:
        (self.vip_ids.add if vip else self.vip_ids.discard)(user_id)

    async def set_banned(self, user_id: int, banned: bool) -> None:
        (self.banned_ids.add if banned else self.banned_ids.discard)(user_id)

    async def vips(self) -> list[int]:
        return sorted(self.vip_ids)

    async def banned(self) -> list[int]:
        return sorted(self.banned_ids)

    async def is_to_be_told_of_ban(self, user_id: int) -> bool:
        first = user_id not in self.told_of_ban
        self.told_of_ban.add(user_id)
        return first
