"""Portrait -> retouched portrait."""

from typing import Final

from app.bot.handlers.single_picture import SinglePictureCommand
from app.bot.requests.dialogues import Retouching
from app.bot.requests.photo_menu import PhotoAction
from app.core.operations import Operation

RETOUCH: Final = SinglePictureCommand(
    "retouch", Operation.RETOUCH, PhotoAction.RETOUCH, Retouching, Retouching.picture, question="retouch-photo"
)

make_router = RETOUCH.make_router
