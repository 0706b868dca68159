"""Escapes and bracket expressions, and the sets of characters that they stand for.

The sets are those of PCRE: by code point, with the Latin-1 tables that the server's build has. The server matches
strings byte by byte, so a pattern never meets a character above 255 (unless it begins with ``(*UTF8)``). Sets are kept
as sorted, disjoint ranges over all of Unicode, so that their complements are right in both cases.

Source: the PCRE 8 manual, "pcrepattern", sections "Backslash", "Back references" and "Square brackets".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from couchfake.mango.pcre.reader import Options, PatternError, Reader
from couchfake.values.erlang import read_integer

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


# ---- escapes and bracket expressions

_SIMPLE = {"a": "\x07", "e": "\x1b", "f": "\x0c", "n": "\n", "r": "\r", "t": "\t"}
_ASSERTIONS = {"b": r"\b", "B": r"\B", "A": r"\A", "G": r"\A", "z": r"\Z", "Z": r"(?=\n?\Z)"}
_PROPERTIES = {"L&": "LC", "Xan": "Alnum", "Xwd": "Word", "Xsp": "White_Space", "Xps": "White_Space"}
"""PCRE's names of properties, and what the engine calls them if it has another name."""


@dataclass
class Piece:
    """One translated item.

    ``length`` in characters, None if it varies; ``shortest`` is its least length. ``paths``: the number of ways through
    it. ``size``: about how many bytes PCRE compiles it to. ``accepts``: it may end the match at once.
    """

    source: str
    length: int | None
    repeatable: bool = True
    paths: int = 1
    size: int = 2
    shortest: int = 0
    accepts: bool = False

    def __post_init__(self) -> None:
        if self.length is not None:
            self.shortest = self.length


class Escapes(Reader):
    """Read what follows a backslash."""

    def literal(self, char: str, options: Options) -> str:
        if options.i and (others := sorted(other_cases(char, self.unicode))):
            return "[" + "".join(map(re.escape, [char, *others])) + "]"
        return re.escape(char)

    def escape(self, options: Options) -> Piece:
        char = self.char()
        if char in _ASSERTIONS:
            return Piece(self.word_boundary(char), 0, repeatable=False)
        if char.lower() in ESCAPES:
            return Piece(bracketed(class_escape(char)), 1)
        if char in "pP":
            self.result.beyond_re = True
            return Piece(f"[{self.unicode_property(char)}]", 1)
        if char == "N":
            if self.peek("{"):
                raise PatternError("\\N{name} is not supported")
            return Piece(bracketed(NOT_NEWLINE), 1)
        if char == "C":
            return Piece("(?s:.)", 1)
        if char == "R":
            self.result.beyond_re = True
            return Piece(r"(?>\r\n|[\n-\r\x85\u2028\u2029])", None)
        if char == "X":
            self.result.beyond_re = True
            return Piece(r"\X", None)
        if char == "K":
            return Piece("", 0, repeatable=False)
        if char in "gk" or char in "123456789":
            reference = self.reference(char)
            if reference is not None:
                return Piece(f"(?i:{reference})" if options.i else reference, None)
            self.at -= 1
            return Piece(self.literal(self.octal(), options), 1)
        return Piece(self.literal(self.escaped_char(char), options), 1)

    def word_boundary(self, char: str) -> str:
        if char not in "bB" or self.unicode:
            return _ASSERTIONS[char]
        word = bracketed(ESCAPES["w"])
        same = f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"
        return same if char == "B" else f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"

    def escaped_char(self, char: str) -> str:
        """Return the character of an escape that has no special meaning."""
        if char in _SIMPLE:
            return _SIMPLE[char]
        if char == "0":
            self.at -= 1
            return self.octal()
        if char == "c":
            code = self.char()
            if not "\x20" <= code <= "\x7e":
                raise PatternError("\\c must be followed by an ASCII character")
            return chr(ord(code.upper()) ^ 0x40)
        if char == "x":
            return self.hexadecimal()
        if char == "o":
            if not self.take("{"):
                raise PatternError("missing opening brace after \\o")
            return self.coded(self.until("}"), 8)
        if char in "LlUu":
            raise PatternError("PCRE does not support \\L, \\l, \\U or \\u")
        return char

    def hexadecimal(self) -> str:
        if braced := self.take_match(re.compile(r"\{([0-9a-fA-F]+)\}")):
            return self.coded(braced[1], 16)
        match = self.take_match(re.compile(r"[0-9a-fA-F]{0,2}"))
        return chr(int(match[0], 16)) if match and match[0] else "\x00"

    def octal(self) -> str:
        match = self.take_match(re.compile(r"[0-7]{1,3}"))
        if not match:
            return self.char()
        return self.coded(match[0], 8)

    def coded(self, digits: str, base: int) -> str:
        try:
            code = int(digits, base)
        except ValueError:
            raise PatternError("no number in braces") from None
        if code > (0x10FFFF if self.unicode else 0xFF):
            raise PatternError("character value is too large")
        return chr(code)

    def unicode_property(self, char: str) -> str:
        """Read the name of a property and return what goes between brackets for it."""
        if self.take("{"):
            name = self.until("}")
        else:
            name = self.char()
        if name.startswith("^"):
            char, name = ("P" if char == "p" else "p"), name[1:]
        if name == "Xuc":
            return (UNIVERSAL if char == "p" else ~UNIVERSAL).source()
        name = _PROPERTIES.get(name, name)
        if not re.fullmatch(r"\w+", name):
            raise PatternError("malformed \\P or \\p sequence")
        return f"\\{char}{{{name}}}"

    def reference(self, char: str) -> str | None:
        """Read ``\\1``, ``\\g{-1}`` or ``\\k<name>``. Return None for digits that are an octal number or a literal."""
        if char in "123456789":
            digits = self.take_match(re.compile(r"\d*"))
            number = read_integer(char + (digits[0] if digits else ""))
            if number < 8 or number <= self.groups:
                return self.backreference(number)
            self.at -= len(digits[0]) if digits else 0
            return None
        if char == "g":
            if call := self.take_match(re.compile(r"<([+-]?\w+)>|'([+-]?\w+)'")):
                return self.call(call[1] or call[2])
            match = self.take_match(re.compile(r"\{(-?\d+)\}|(-?\d+)|\{([A-Za-z_]\w*)\}"))
            if not match:
                raise PatternError("a number or a name must follow \\g")
            return self.backreference(read_integer(match[1] or match[2])) if not match[3] else self.named(match[3])
        match = self.take_match(re.compile(r"<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'|\{([A-Za-z_]\w*)\}"))
        if not match:
            raise PatternError("\\k is not followed by a name")
        return self.named(match[1] or match[2] or match[3])

    def backreference(self, number: int) -> str:
        if number < 0:
            number = self.groups + 1 + number
        if number < 1:
            raise PatternError("reference to a group that does not exist")
        self.referred.add(number)
        self.result.beyond_re = True
        return f"(?:\\{number})"

    def named(self, name: str) -> str:
        self.referred_names.add(name)
        self.result.beyond_re = True
        return f"(?P={name})"

    def call(self, target: str) -> str:
        """Translate a subroutine call: ``(?1)``, ``(?-1)``, ``(?&name)``, ``(?R)``."""
        self.result.beyond_re = True
        if not re.fullmatch(r"[+-]?\d+", target):
            self.referred_names.add(target)
            return f"(?&{target})"
        number = read_integer(target)
        if target.startswith("+"):
            number += self.groups
        elif target.startswith("-"):
            number += self.groups + 1
        self.referred.add(max(number, 0))
        return f"(?{number})" if number else "(?R)"


def class_escape(char: str) -> CharacterSet:
    return ESCAPES[char] if char in ESCAPES else ~ESCAPES[char.lower()]


def bracketed(members: CharacterSet) -> str:
    if not members.ranges:
        return "(?!)"
    return "(?s:.)" if members.ranges == ANY.ranges else f"[{members.source()}]"


_POSIX_CLASS = re.compile(r"\[([:.=])(\^?)([^\]\\]*?)\1\]")


class Brackets(Escapes):
    """Read bracket expressions."""

    quotes = False
    """Whether what follows is quoted, up to ``\\E``."""

    def bracket(self, options: Options) -> str:
        while self.take(r"\E") or self.take(r"\Q\E"):
            pass
        negated = self.take("^")
        members = CharacterSet(())
        properties: list[str] = []
        first = True
        while not self.bracket_ends(first):
            first = False
            low = self.bracket_member(properties, options)
            if isinstance(low, CharacterSet):
                members |= low
                continue
            members |= CharacterSet([(ord(low), ord(self.range_end(low, properties, options)))])
        if options.i:
            members = members.in_both_cases(self.unicode)
        if properties:
            return f"[{'^' if negated else ''}{members.source()}{''.join(properties)}]"
        return bracketed(~members if negated else members)

    def bracket_ends(self, first: bool) -> bool:
        """Skip the closing bracket if it is next. As the ``first`` member it is a literal."""
        return not self.skip_quotes() and not first and self.take("]")

    def skip_quotes(self) -> bool:
        """Skip the beginnings and ends of quotations, and return whether what follows is quoted."""
        while self.take(r"\E") or (not self.quotes and self.take(r"\Q")):
            self.quotes = self.pattern[self.at - 1] == "Q"
        return self.quotes

    def range_end(self, low: str, properties: list[str], options: Options) -> str:
        """Return the upper end of ``low-…``, or ``low`` itself if this is not a range."""
        while self.take(r"\E"):
            self.quotes = False
        here = self.at
        if self.quotes or not self.take("-"):
            return low
        if not self.skip_quotes() and self.peek("]"):
            self.at = here
            return low
        kept = len(properties)
        high = self.bracket_member(properties, options)
        if isinstance(high, CharacterSet):  # before a class the hyphen is a literal
            del properties[kept:]
            self.at = here
            return low
        if high < low:
            raise PatternError("range out of order in character class")
        return high

    def bracket_member(self, properties: list[str], options: Options) -> str | CharacterSet:
        if self.quotes:
            return self.char()
        posix = _POSIX_CLASS.match(self.pattern, self.at)
        if posix:
            return self.posix_class(posix, options)
        char = self.char()
        if char != "\\":
            return char
        char = self.char()
        if char == "b":
            return "\b"
        if char.lower() in ESCAPES:
            return class_escape(char)
        if char in "pP":
            self.result.beyond_re = True
            properties.append(self.unicode_property(char))
            return CharacterSet(())
        if char in "BRXN":
            raise PatternError("invalid escape sequence in character class")
        if char in "01234567":
            self.at -= 1
            return self.octal()
        return self.escaped_char(char)

    def posix_class(self, match: re.Match[str], options: Options) -> CharacterSet:
        self.at = match.end()
        name = match[3]
        if options.i and name in ("lower", "upper"):
            name = "alpha"
        if match[1] != ":" or name not in POSIX:
            raise PatternError("unknown POSIX class name")
        return ~POSIX[name] if match[2] else POSIX[name]
