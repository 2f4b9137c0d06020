"""Both languages say the same."""

import pytest
from fluent.syntax import FluentParser, ast
from fluent.syntax.visitor import Visitor

from app.bot.texts import LOCALES_DIRECTORY, Texts
from app.core.errors import FailureReason


class _Variables(Visitor):
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802 - the visitor's protocol
        self.names.add(node.id.name)


def _messages(locale: str) -> dict[str, set[str]]:
    """The messages of a language: key -> names of its variables."""
    files = sorted((LOCALES_DIRECTORY / locale).glob("*.ftl"))
    entries = [entry for file in files for entry in FluentParser().parse(file.read_text(encoding="utf-8")).body]
    assert not [entry for entry in entries if isinstance(entry, ast.Junk)]
    found: dict[str, set[str]] = {}
    for entry in entries:
        if isinstance(entry, ast.Message):
            variables = _Variables()
            variables.visit(entry)
            assert entry.id.name not in found
            found[entry.id.name] = variables.names
    return found


def test_all_languages_have_the_same_keys_and_variables() -> None:
    locales = sorted(Texts().locales)
    assert locales == ["en", "ru"]
    assert _messages("ru") == _messages("en")


@pytest.mark.parametrize("locale", ["en", "ru"])
def test_every_message_renders_for_many_numbers(locale: str) -> None:
    texts = Texts()
    for key, variables in _messages(locale).items():
        for number in (0, 1, 2, 5, 11, 21, 2000):
            assert "{" not in texts.translate(locale, key, **dict.fromkeys(variables, number))


@pytest.mark.parametrize("locale", ["en", "ru"])
@pytest.mark.parametrize("reason", list(FailureReason))
def test_every_reason_to_fail_has_a_sentence(locale: str, reason: FailureReason) -> None:
    assert Texts().translate(locale, f"failed-{reason}")


@pytest.mark.parametrize(
    ("count", "russian"),
    [
        (1, "готова 1 картинка"),
        (3, "готовы 3 картинки"),
        (11, "готово 11 картинок"),
        (21, "готова 21 картинка"),
    ],
)
def test_russian_counts_properly(count: int, russian: str) -> None:
    assert Texts().translate("ru", "batch-summary-done", count=count) == f"✅ {russian}"


@pytest.mark.parametrize(
    ("code", "locale"), [("ru", "ru"), ("ru-RU", "ru"), ("en-GB", "en"), ("de", "en"), (None, "en"), ("", "en")]
)
def test_the_language_follows_telegram_s(code: str | None, locale: str) -> None:
    assert Texts().locale_for(code) == locale


def test_a_missing_variable_is_an_error_not_a_hole_in_the_text() -> None:
    with pytest.raises(KeyError):
        Texts().translate("en", "rate-limited")
