"""Bracket expressions: ``[^a-z\\d[:alpha:]]``. Source: the PCRE 8 manual, "pcrepattern", "Square brackets"."""

from __future__ import annotations

import re

from couchfake.mango.pcre.character_sets import ESCAPES, POSIX, CharacterSet
from couchfake.mango.pcre.escapes import Escapes, bracketed, class_escape
from couchfake.mango.pcre.reader import Options, PatternError

_POSIX_CLASS = re.compile(r"\[([:.=])(\^?)([^\]\\]*?)\1\]")


class Brackets(Escapes):
    """Read bracket expressions."""

    def bracket(self, options: Options) -> str:
        negated = self.take("^")
        members = CharacterSet(())
        properties: list[str] = []
        first = True
        while first or not self.take("]"):
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

    def range_end(self, low: str, properties: list[str], options: Options) -> str:
        """Return the upper end of ``low-…``, or ``low`` itself if this is not a range."""
        here = self.at
        if not self.take("-") or self.peek("]"):
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
        posix = _POSIX_CLASS.match(self.pattern, self.at)
        if posix:
            return self.posix_class(posix, options)
        char = self.char()
        if char != "\\":
            return char
        char = self.char()
        if char == "Q":
            text = self.quoted()
            if not text:
                return CharacterSet(())
            return CharacterSet((ord(each), ord(each)) for each in text)
        if char == "E":
            return CharacterSet(())
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
