"""The text of a regular expression in PCRE's syntax, read from left to right."""

from __future__ import annotations

import re
from dataclasses import dataclass

LARGEST = 65535
"""Bytes of a compiled pattern, as the server's PCRE is built. A larger pattern is refused."""

DEEPEST = 100
"""Groups inside groups. The real server takes thousands; Python's engines recurse."""


class PatternError(ValueError):
    """The pattern is one that PCRE refuses."""


@dataclass(frozen=True)
class Options:
    """What ``(?ismxU)`` switches on and off."""

    i: bool = False
    m: bool = False
    s: bool = False
    x: bool = False
    U: bool = False
    J: bool = False
    X: bool = False


@dataclass
class Translation:
    """A pattern for Python's engines.

    ``unicode``: strings are matched by characters, not by bytes. ``loops``: repetitions of a single character.
    ``paths``: the number of ways through the pattern. ``size``: about how many bytes PCRE compiles it to.
    ``beyond_re``: only the package ``regex`` has what the pattern needs.
    """

    source: str
    unicode: bool = False
    loops: int = 0
    paths: int = 1
    size: int = 0
    beyond_re: bool = False


class Reader:
    """A pattern, the current place in it, and what has been read so far."""

    def __init__(self, pattern: str, unicode: bool) -> None:
        self.pattern = pattern
        self.at = 0
        self.unicode = unicode
        self.result = Translation("", unicode)
        self.groups = 0
        self.depth = 0
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
        """Skip comments, empty quotations, ends of no quotation, and in extended patterns whitespace."""
        while True:
            if self.take(r"\E") or self.take(r"\Q\E"):
                continue
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
