"""Running ``$regex``.

The server gives PCRE a limit of steps; a match that exceeds it is no match. Here time is what is limited: each
string gets a quarter of a second, all strings of one query a few seconds together, so that no pattern can hold the
server up. Patterns that cannot run away go to Python's own, faster engine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import regex

from couchfake.mango.pcre.reader import PatternError, Translation
from couchfake.mango.pcre.translate import translate

SECONDS_FOR_ONE = 0.25
SECONDS_FOR_ALL = 3.0
SECONDS_BEYOND = 0.001
_SHORT = 4096

Search = Callable[[str], object | None]


def is_valid_pattern(pattern: str) -> bool:
    """Whether PCRE compiles it."""
    try:
        _compiled(translate(pattern))
    except PatternError:
        return False
    return True


def _compiled(translation: Translation) -> re.Pattern[str] | regex.Pattern[str]:
    try:
        if translation.beyond_re or translation.loops > 1:
            return regex.compile(translation.source, regex.VERSION0)
        return re.compile(translation.source)
    except (re.error, regex.error, RecursionError, OverflowError) as error:
        raise PatternError(str(error)) from None


def regex_test(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a string matches somewhere. The pattern must be valid."""
    translation = translate(pattern)
    limited = _limited_search(translation.source)
    plain: Search = limited
    shortest = 0
    if not (translation.beyond_re or translation.loops > 1):
        plain = re.compile(translation.source).search
        shortest = _SHORT if translation.loops else sys.maxsize

    def test(text: str) -> bool:
        if text.isascii() or translation.unicode:
            return (plain(text) if len(text) <= shortest else limited(text)) is not None
        as_bytes = text.encode("utf-8").decode("latin-1")
        return (plain(as_bytes) if len(as_bytes) <= shortest else limited(as_bytes)) is not None

    return test


def _limited_search(source: str) -> Search:
    compiled = regex.compile(source, regex.VERSION0)
    left = SECONDS_FOR_ALL

    def search(text: str) -> object | None:
        nonlocal left
        seconds = SECONDS_FOR_ONE if left > 0 else SECONDS_BEYOND
        try:
            return compiled.search(text, timeout=seconds)
        except TimeoutError:
            left -= seconds
            return None

    return search
