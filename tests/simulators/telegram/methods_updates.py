"""Getting updates: long polling or a webhook."""

import re
from typing import Any
from urllib.parse import urlsplit

from .errors import bad, conflict
from .methods import method
from .params import Params
from .webhook import Webhook
from .world import World

JSON = dict[str, Any]
_POLL_MOST_S = 50
_LIMIT_MOST = 100
_CONNECTIONS = 40
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")


@method("getUpdates")
async def get_updates(world: World, params: Params) -> list[JSON]:
    """Long polling."""
    limit = min(max(params.integer("limit", _LIMIT_MOST), 1), _LIMIT_MOST)
    timeout_s = min(params.integer("timeout"), _POLL_MOST_S)
    return await world.updates.get(params.integer("offset"), limit, timeout_s, params.parsed("allowed_updates"))


@method("setWebhook")
async def set_webhook(world: World, params: Params) -> bool:
    """Push updates from now on; an empty URL ends it."""
    url = params.text("url")
    if params.flag("drop_pending_updates"):
        world.updates.clear()
    if not url:
        world.delivery.stop()
        return True
    parts = urlsplit(url)
    if parts.scheme != "https" and world.settings.webhook_https_only:
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    if not parts.hostname:
        raise bad("bad webhook: invalid webhook URL specified")
    secret = params.text("secret_token")
    if secret and not _SECRET.fullmatch(secret):
        raise bad("secret token contains unallowed characters")
    allowed = params.parsed("allowed_updates")
    if allowed is not None:
        world.updates.allowed = allowed
    certificate = params.upload("certificate")
    pem = certificate.data.decode() if certificate else ""
    most = min(max(params.integer("max_connections", _CONNECTIONS), 1), 100)
    world.updates.interrupt(conflict("terminated by setWebhook request"))
    world.delivery.start(Webhook(url, secret, pem, most), world.settings)
    return True


@method("deleteWebhook")
async def delete_webhook(world: World, params: Params) -> bool:
    """Push no more."""
    if params.flag("drop_pending_updates"):
        world.updates.clear()
    world.delivery.stop()
    return True


@method("getWebhookInfo")
async def get_webhook_info(world: World, _: Params) -> JSON:
    """Tell how the pushing goes."""
    webhook = world.delivery.webhook
    info: JSON = {"url": "", "has_custom_certificate": False}
    info["pending_update_count"] = len(world.updates.pending)
    if webhook:
        info |= {"url": webhook.url, "has_custom_certificate": bool(webhook.certificate)}
        info["max_connections"] = webhook.max_connections
        if webhook.error:
            info |= {"last_error_date": webhook.error_at, "last_error_message": webhook.error}
    if world.updates.allowed:
        info["allowed_updates"] = world.updates.allowed
    return info
