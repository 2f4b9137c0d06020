"""Getting updates."""

from typing import Any

from .methods import method
from .params import Params
from .world import World

JSON = dict[str, Any]
_POLL_MOST_S = 50
_LIMIT_MOST = 100


@method("getUpdates")
async def get_updates(world: World, params: Params) -> list[JSON]:
    """Long polling."""
    limit = min(max(params.integer("limit", _LIMIT_MOST), 1), _LIMIT_MOST)
    timeout_s = min(params.integer("timeout"), _POLL_MOST_S)
    return await world.updates.get(params.integer("offset"), limit, timeout_s, params.parsed("allowed_updates"))
