"""Commands that need a picture and no words: what they have in common."""

from dataclasses import dataclass

from aiogram import Bot, F, Router
from aiogram.filters import Command, StateFilter
from aiogram.fsm.context import FSMContext
from aiogram.fsm.state import State, StatesGroup
from aiogram.types import CallbackQuery, Message, Update

from app.bot.filters import brings_picture
from app.bot.requests.photo_menu import PhotoAction, PhotoButton, pressed_photo, put_away
from app.bot.requests.photos import Photos
from app.bot.requests.questions import ask, enter, leave
from app.bot.requests.submission import ReplyTarget, RequestSpec, RequestSubmitter
from app.bot.texts import Translator
from app.core.operations import Operation


@dataclass(frozen=True, slots=True)
class SinglePictureCommand:
    """A command alone (it asks ``question``, and waits in ``state``), under a photo, as a reply, or as a button."""

    name: str
    operation: Operation
    action: PhotoAction
    dialogue: type[StatesGroup]
    state: State
    question: str

    async def submit(
        self, picture: str, target: ReplyTarget, translate: Translator, submitter: RequestSubmitter
    ) -> bool:
        """Ask for the operation on a picture (a media key); return whether it was taken."""
        return await submitter.submit(RequestSpec(self.operation, inputs=(picture,)), target, translate)

    async def handle_start(
        self,
        message: Message,
        bot: Bot,
        event_update: Update,
        state: FSMContext,
        translate: Translator,
        submitter: RequestSubmitter,
        photos: Photos,
    ) -> None:
        """Take the command."""
        if picture := await photos.of(message, message.reply_to_message):
            await self.submit(picture, ReplyTarget.of(event_update, message), translate, submitter)
        else:
            await enter(state, self.state, message.date)
            await ask(bot, state, translate, translate(self.question))

    async def handle_picture(
        self,
        message: Message,
        bot: Bot,
        event_update: Update,
        state: FSMContext,
        translate: Translator,
        submitter: RequestSubmitter,
        photos: Photos,
    ) -> None:
        """Take the picture that was asked for."""
        picture = await photos.of(message)
        if picture and await self.submit(picture, ReplyTarget.of(event_update, message), translate, submitter):
            await leave(bot, state)

    async def handle_button(
        self,
        callback: CallbackQuery,
        bot: Bot,
        event_update: Update,
        state: FSMContext,
        translate: Translator,
        submitter: RequestSubmitter,
        photos: Photos,
    ) -> None:
        """Take the press of the menu's button under a photo."""
        photo = await pressed_photo(callback, bot)
        picture = await photos.of(photo)
        target = ReplyTarget.of(event_update, photo, callback.from_user.id)
        if picture and await self.submit(picture, target, translate, submitter):
            await put_away(callback, bot, state)

    def make_router(self) -> Router:
        """Return the command's handlers."""
        router = Router(name=self.name)
        router.message.register(self.handle_start, Command(self.name))
        router.message.register(self.handle_picture, StateFilter(self.dialogue), brings_picture)
        router.callback_query.register(self.handle_button, PhotoButton.filter(F.action == self.action))
        return router
