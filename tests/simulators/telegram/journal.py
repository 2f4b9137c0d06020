"""When what happened between Telegram and the bot, for those who measure the bot."""

import time
from typing import Any

JSON = dict[str, Any]


class Journal:
    """Every update and every call but getUpdates, with their times (Unix seconds)."""

    def __init__(self) -> None:
        self._updates: dict[int, JSON] = {}
        self._calls: list[JSON] = []

    def made(self, update_id: int, kind: str, content: JSON) -> None:
        """Note an update that came into being."""
        whose = {"user_id": content.get("from", {}).get("id"), "callback_query_id": content.get("id")}
        if kind != "callback_query":
            whose["callback_query_id"] = None
        entry = {"update_id": update_id, "kind": kind, **whose, "made": time.time(), "handed": None}
        self._updates[update_id] = entry

    def handed(self, update: JSON) -> None:
        """Note that an update is given to the bot; the first time counts."""
        entry = self._updates.get(update["update_id"])
        if entry and entry["handed"] is None:
            entry["handed"] = time.time()

    def called(self, at: float, method: str, chat_id: int, callback_query_id: str, body: JSON) -> None:
        """Note a call that came in at a time, and its answer's code and message."""
        if method == "getUpdates":
            return
        result = body.get("result")
        self._calls.append(
            {
                "method": method,
                "at": at,
                "status": body.get("error_code", 200),
                "chat_id": chat_id or None,
                "callback_query_id": callback_query_id or None,
                "message_id": result.get("message_id") if isinstance(result, dict) else None,
            }
        )

    def clear(self) -> None:
        """Forget all."""
        self._updates.clear()
        self._calls.clear()

    def as_json(self) -> JSON:
        """Give all, in the order in which it happened."""
        return {"updates": list(self._updates.values()), "calls": self._calls}
