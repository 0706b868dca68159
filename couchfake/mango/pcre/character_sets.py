"""Sets of characters as PCRE knows them: by code point, with the Latin-1 tables that the server's build has.

The server matches strings byte by byte, so a pattern never meets a character above 255 (unless it begins with
``(*UTF8)``). Sets are kept as sorted, disjoint ranges over all of Unicode, so that their complements are right in
both cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

LAST = 0x10FFFF
Range = tuple[int, int]


class CharacterSet:
    """An immutable set of code points."""

    __slots__ = ("ranges",)

    def __init__(self, ranges: Iterable[Range]) -> None:
        merged: list[Range] = []
        for low, high in sorted(ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], high))
            else:
                merged.append((low, high))
        self.ranges = tuple(merged)

    @classmethod
    def of(cls, text: str) -> CharacterSet:
        """Ranges written out: ``of("azAZ__")`` holds letters and the underscore."""
        return cls((ord(text[n]), ord(text[n + 1])) for n in range(0, len(text), 2))

    def __or__(self, other: CharacterSet) -> CharacterSet:
        return CharacterSet(self.ranges + other.ranges)

    def __invert__(self) -> CharacterSet:
        holes, start = [], 0
        for low, high in self.ranges:
            if low > start:
                holes.append((start, low - 1))
            start = high + 1
        if start <= LAST:
            holes.append((start, LAST))
        return CharacterSet(holes)

    def in_both_cases(self, unicode: bool) -> CharacterSet:
        """With the other case of each of its letters."""
        limit = 0xFFFF if unicode else 0xFF
        cased = [
            other
            for low, high in self.ranges
            for char in range(low, min(high, limit) + 1)
            for other in other_cases(chr(char), unicode)
        ]
        return self | CharacterSet((ord(char), ord(char)) for char in cased)

    def source(self) -> str:
        """The inside of a bracket expression."""
        return "".join(
            _escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}" for low, high in self.ranges
        )


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def other_cases(char: str, unicode: bool) -> Iterator[str]:
    """The same letter in the other case. In Latin-1 µ, ß and ÿ have none."""
    for other in {char.lower(), char.upper()} - {char}:
        if len(other) == 1 and (unicode or (other <= "\xff" and char <= "\xff")):
            yield other


DIGIT = CharacterSet.of("09")
SPACE = CharacterSet.of("\t\r  ")
HORIZONTAL = CharacterSet.of("\t\t  \xa0\xa0\u1680\u1680\u180e\u180e\u2000\u200a\u202f\u202f\u205f\u205f\u3000\u3000")
VERTICAL = CharacterSet.of("\n\r\x85\x85\u2028\u2029")
LOWER = CharacterSet.of("az\xb5\xb5\xdf\xf6\xf8\xff")
UPPER = CharacterSet.of("AZ\xc0\xd6\xd8\xde")
ALPHA = LOWER | UPPER | CharacterSet.of("\xaa\xaa\xba\xba")
WORD = ALPHA | DIGIT | CharacterSet.of("__")
GRAPH = CharacterSet.of("!~\xa0\xff")
UNIVERSAL = CharacterSet.of("$$@@``\xa0\U0010ffff")
"""What C++ can name by a universal character name: PCRE's property Xuc."""

ANY = ~CharacterSet(())
NOT_NEWLINE = ~CharacterSet.of("\n\n")

ESCAPES = {"d": DIGIT, "s": SPACE, "w": WORD, "h": HORIZONTAL, "v": VERTICAL}
"""``\\d`` and so on; the capital letter is the complement."""

POSIX = {
    "alpha": ALPHA,
    "lower": LOWER,
    "upper": UPPER,
    "alnum": ALPHA | DIGIT,
    "ascii": CharacterSet.of("\x00\x7f"),
    "blank": CharacterSet.of("\t\t  "),
    "cntrl": CharacterSet.of("\x00\x1f\x7f\x9f"),
    "digit": DIGIT,
    "graph": GRAPH,
    "print": GRAPH | CharacterSet.of("  "),
    "punct": CharacterSet.of("!/:@[`{~\xa0\xa9\xab\xb4\xb6\xb9\xbb\xbf\xd7\xd7\xf7\xf7"),
    "space": SPACE,
    "word": WORD,
    "xdigit": CharacterSet.of("09AFaf"),
}
