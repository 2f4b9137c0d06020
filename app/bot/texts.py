"""What the bot says, in every language: Fluent messages from ``locales/<locale>/<topic>.ftl``."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fluent.runtime import FluentBundle, FluentResource

DEFAULT_LOCALE = "en"
LOCALES_DIRECTORY = Path(__file__).parent / "locales"


@cache
def _bundles(directory: Path) -> dict[str, FluentBundle]:
    """Read the messages of a directory; what is read stays as it is, for parsing takes a tenth of a second."""
    bundles: dict[str, FluentBundle] = {}
    for file in sorted(directory.glob("*/*.ftl")):
        locale = file.parent.name
        if locale not in bundles:
            # No isolation marks round variables: they would be characters of their own in Telegram.
            bundles[locale] = FluentBundle([locale], use_isolating=False)
        bundles[locale].add_resource(FluentResource(file.read_text(encoding="utf-8")))
    return bundles


class Texts:
    """All messages of all languages."""

    def __init__(self, directory: Path = LOCALES_DIRECTORY) -> None:
        self._bundles = _bundles(directory)

    @property
    def locales(self) -> Iterable[str]:
        """The languages there are."""
        return self._bundles.keys()

    def locale_for(self, language_code: str | None) -> str:
        """Return the locale for an IETF language tag as Telegram gives it, such as ``ru`` or ``pt-br``."""
        language = (language_code or "").lower().split("-")[0]
        return language if language in self._bundles else DEFAULT_LOCALE

    def translate(self, locale: str, key: str, **variables: str | int) -> str:
        """Return a message.

        Raises:
            KeyError: there is no such message, or a variable of it is not given.
        """
        bundle = self._bundles[self.locale_for(locale)]
        pattern = bundle.get_message(key).value
        if pattern is None:
            raise KeyError(key)
        text, errors = bundle.format_pattern(pattern, variables)
        if errors:
            raise KeyError(f"{key}: {errors}")
        return str(text)


@dataclass(frozen=True, slots=True)
class Translator:
    """The texts in one person's language."""

    texts: Texts
    locale: str

    def __call__(self, key: str, **variables: str | int) -> str:
        """Return a message in this language (see ``Texts.translate``)."""
        return self.texts.translate(self.locale, key, **variables)
