"""The text of a regular expression in PCRE's syntax, read from left to right."""

from __future__ import annotations

import re
from dataclasses import dataclass


class PatternError(ValueError):
    """No pattern to PCRE."""


@dataclass(frozen=True)
class Options:
    """What ``(?ismxU)`` switch."""

    i: bool = False
    m: bool = False
    s: bool = False
    x: bool = False
    U: bool = False
    J: bool = False
    X: bool = False


@dataclass
class Translation:
    """``source`` for Python. ``loops``: how many repetitions it has. ``unicode``: strings are not taken as bytes."""

    source: str
    unicode: bool = False
    loops: int = 0
    beyond_re: bool = False  # needs what only the package ``regex`` has


class Reader:
    """A pattern and the place that was reached, with what was learnt on the way."""

    def __init__(self, pattern: str, unicode: bool) -> None:
        self.pattern = pattern
        self.at = 0
        self.unicode = unicode
        self.result = Translation("", unicode)
        self.groups = 0
        self.names: dict[str, int] = {}
        self.referred: set[int] = set()
        self.referred_names: set[str] = set()

    def peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def take(self, text: str) -> bool:
        if self.pattern.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def take_match(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        match = expression.match(self.pattern, self.at)
        if match:
            self.at = match.end()
        return match

    def char(self) -> str:
        if self.at >= len(self.pattern):
            raise PatternError("pattern ends too early")
        self.at += 1
        return self.pattern[self.at - 1]

    def until(self, end: str) -> str:
        stop = self.pattern.find(end, self.at)
        if stop < 0:
            raise PatternError(f"missing {end}")
        text = self.pattern[self.at : stop]
        self.at = stop + len(end)
        return text

    def skip_blanks(self, options: Options) -> None:
        """Comments, and in extended patterns whitespace."""
        while True:
            if self.take("(?#"):
                self.until(")")
            elif options.x and self.at < len(self.pattern) and self.pattern[self.at] in " \t\n\v\f\r":
                self.at += 1
            elif options.x and self.take("#"):
                stop = self.pattern.find("\n", self.at)
                self.at = len(self.pattern) if stop < 0 else stop + 1
            else:
                return

    def quoted(self) -> str:
        stop = self.pattern.find(r"\E", self.at)
        text = self.pattern[self.at :] if stop < 0 else self.pattern[self.at : stop]
        self.at += len(text) + (0 if stop < 0 else 2)
        return text
