"""Saying no kindly: an error that is a sentence of ``locales``."""

from app.core.errors import ImagebotError


class RefusedError(ImagebotError):
    """What a person sent or asked for can't be done; a text and its variables say why.

    ``RefusalsMiddleware`` tells them; a handler that can't go on just raises it.
    """

    def __init__(self, key: str, **variables: str | int) -> None:
        super().__init__(key)
        self.key = key
        self.variables = variables
