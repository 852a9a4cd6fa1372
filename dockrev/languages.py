"""In which language Dockrev speaks where nobody looks: in messages, and in what jobs write down.

Whoever looks at a page has it in the language of that browser, or in the one chosen there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from django.conf import settings
from django.utils import translation

from dockrev import preferences

CODES = tuple(code for code, _name in settings.LANGUAGES)


def chosen(language: str = "") -> str:
    """The language asked for; where there is none such, the one of this instance."""
    wanted = language or preferences.get("language")
    return wanted if wanted in CODES else settings.LANGUAGE_CODE


def spoken(language: str = "") -> AbstractContextManager[None]:
    """Inside, words are in the language asked for, or in the one of this instance."""
    return translation.override(chosen(language))
