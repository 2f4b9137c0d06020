"""Which endpoint at fal does an operation, and what a picture costs there."""

from collections.abc import Mapping
from typing import Any, Final

from app.core.operations import Operation

DEFAULT_ENDPOINTS: Final[Mapping[Operation, str]] = {
    Operation.CREATE: "fal-ai/bytedance/seedream/v4.5/text-to-image",
    Operation.EDIT: "fal-ai/bytedance/seedream/v4.5/edit",
    Operation.MERGE: "fal-ai/bytedance/seedream/v4.5/edit",
    Operation.RETOUCH: "fal-ai/retoucher",
    Operation.UPSCALE: "fal-ai/recraft/upscale/crisp",
}

DEFAULT_PRICE: Final = 0.04
"""Dollars for a picture of an endpoint that has no price of its own: what most of them cost."""

MICRO: Final = 1_000_000
"""Micro-dollars in a dollar: money is counted in whole ones."""


def cost(endpoint: str, parameters: Mapping[str, Any], prices: Mapping[str, float]) -> int:
    """Return what a request may cost, in micro-dollars; ``prices``: dollars a picture, by endpoint."""
    return round(prices.get(endpoint, DEFAULT_PRICE) * MICRO) * int(parameters.get("num_images", 1))
