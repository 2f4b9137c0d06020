"""Picture -> the same, larger and sharper."""

from typing import Final

from app.bot.handlers.single_picture import SinglePictureCommand
from app.bot.requests.dialogues import Upscaling
from app.bot.requests.photo_menu import PhotoAction
from app.core.operations import Operation

UPSCALE: Final = SinglePictureCommand(
    "upscale", Operation.UPSCALE, PhotoAction.UPSCALE, Upscaling, Upscaling.picture, question="upscale-photo"
)

make_router = UPSCALE.make_router
