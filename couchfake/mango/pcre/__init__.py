"""Patterns of ``$regex``: PCRE's syntax on Python's engines, run within limits.

The real server gives PCRE a limit of steps; a match that exceeds it counts as no match. Here the limit is time: a
quarter of a second for each string, and a few seconds for all strings of one query. The engine gives the interpreter
lock back while it searches, so other requests are served meanwhile.

Python's own engine is ten times as fast to call, but has no limit and holds the lock. It is used only for a pattern
and a string for which the number of steps is bounded beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isqrt

import regex

from couchfake.mango.pcre.reader import PatternError, Translation
from couchfake.mango.pcre.translate import translate

SECONDS_FOR_ONE = 0.25
SECONDS_FOR_ALL = 3.0
SECONDS_BEYOND = 0.001
STEPS_WITHOUT_LIMIT = 4_000_000
"""The most steps that a search may take in the engine that has no limit of time: some ten milliseconds."""

Search = Callable[[str], object | None]


def is_valid_pattern(pattern: str) -> bool:
    """Return whether PCRE compiles the pattern."""
    try:
        _limited(translate(pattern))
    except PatternError:
        return False
    return True


def regex_test(pattern: str) -> Callable[[str], bool]:
    """Return a function that says whether a string matches somewhere. Raise PatternError for a bad pattern."""
    translation = translate(pattern)
    longest = unlimited_length(translation)
    limited = _limited_search(_limited(translation))
    unlimited: Search = limited if longest < 0 else re.compile(translation.source).search

    def test(text: str) -> bool:
        if not (text.isascii() or translation.unicode):
            text = text.encode("utf-8").decode("latin-1")
        return (unlimited(text) if len(text) <= longest else limited(text)) is not None

    return test


def unlimited_length(translation: Translation) -> int:
    """Return the length of the longest string that may be searched without a limit of time, -1 if none may.

    From each place in the string each path through the pattern may be tried, and from each length of its one loop.
    """
    if translation.beyond_re or translation.loops > 1:
        return -1
    length = STEPS_WITHOUT_LIMIT // (translation.paths * translation.size)
    return isqrt(length) if translation.loops else length


def _limited(translation: Translation) -> regex.Pattern[str]:
    try:
        return regex.compile(translation.source, regex.VERSION0)
    except (regex.error, RecursionError, OverflowError) as error:
        raise PatternError(str(error)) from None


def _limited_search(compiled: regex.Pattern[str]) -> Search:
    remaining = SECONDS_FOR_ALL

    def search(text: str) -> object | None:
        nonlocal remaining
        seconds = SECONDS_FOR_ONE if remaining > 0 else SECONDS_BEYOND
        try:
            return compiled.search(text, timeout=seconds, concurrent=True)
        except TimeoutError:
            remaining -= seconds
            return None

    return search
