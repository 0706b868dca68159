"""Regular expressions as PCRE reads them, rewritten for Python.

The server's ``$regex`` is PCRE 8 without options. Where its syntax and Python's part ways, this translation keeps
PCRE's meaning: what ``\\w`` and POSIX classes hold, options in the middle of a pattern, possessive and atomic parts,
``{`` that begins no repetition, ``\\Q…\\E``, branch resets, recursion and more. Every option is resolved here, so the
result needs no flags. What PCRE refuses raises ``PatternError``.

Source: the PCRE 8 manual, "pcrepattern".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from couchfake.mango.character_sets import ANY, ESCAPES, NOT_NEWLINE, POSIX, CharacterSet, other_cases


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


@dataclass
class Piece:
    """One translated item; ``length`` in characters, None where it varies."""

    source: str
    length: int | None
    repeatable: bool = True


_LEADING_OPTION = re.compile(
    r"\(\*(UTF8|UTF|UCP|CRLF|CR|LF|ANYCRLF|ANY|BSR_ANYCRLF|BSR_UNICODE|NO_START_OPT|NO_AUTO_POSSESS|LIMIT_\w+=\d+)\)"
)
_REPETITION = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_OPTION_GROUP = re.compile(r"([ismxUJX]*)(?:-([ismxUJX]*))?([:)])")
_NAME = re.compile(r"[A-Za-z_]\w{0,31}", re.ASCII)
_POSIX_CLASS = re.compile(r"\[([:.=])(\^?)([^\]\\]*?)\1\]")
_SIMPLE = {"a": "\x07", "e": "\x1b", "f": "\x0c", "n": "\n", "r": "\r", "t": "\t"}
_ASSERTIONS = {"b": r"\b", "B": r"\B", "A": r"\A", "G": r"\A", "z": r"\Z", "Z": r"(?=\n?\Z)"}
_VERBS = {"FAIL": "(?!)", "F": "(?!)", "PRUNE": "(*PRUNE)", "SKIP": "(*SKIP)", "COMMIT": "(*PRUNE)", "THEN": ""}
_MOST_REPETITIONS = 65535


def translate(pattern: str) -> Translation:
    """The pattern for Python; ``PatternError`` if PCRE would not compile it."""
    unicode = False
    while option := _LEADING_OPTION.match(pattern):
        unicode = unicode or option[1].startswith("UTF")
        pattern = pattern[option.end() :]
    if not unicode:
        pattern = pattern.encode("utf-8").decode("latin-1")
    return _Translator(pattern, unicode).run()


class _Translator:
    def __init__(self, pattern: str, unicode: bool) -> None:
        self.pattern = pattern
        self.at = 0
        self.unicode = unicode
        self.result = Translation("", unicode)
        self.groups = 0
        self.names: dict[str, int] = {}
        self.referred: set[int] = set()
        self.referred_names: set[str] = set()

    def run(self) -> Translation:
        source, _, _ = self.alternatives(Options())
        if self.at < len(self.pattern):
            raise PatternError("unmatched parentheses")
        if any(number > self.groups for number in self.referred) or self.referred_names - set(self.names):
            raise PatternError("reference to a group that is not there")
        self.result.source = source
        return self.result

    # ---- reading

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

    # ---- structure

    def alternatives(self, options: Options, reset: bool = False) -> tuple[str, list[int | None], Options]:
        """Branches up to ``)`` or the end, their lengths, and the options afterwards. ``reset``: ``(?|``."""
        branches, lengths = [], []
        first, most = self.groups, self.groups
        while True:
            source, length, options = self.branch(options)
            branches.append(source)
            lengths.append(length)
            most = max(most, self.groups)
            if not self.take("|"):
                break
            if reset:
                self.groups = first
        self.groups = most
        return "|".join(branches), lengths, options

    def branch(self, options: Options) -> tuple[str, int | None, Options]:
        pieces: list[str] = []
        length: int | None = 0
        while True:
            self.skip_blanks(options)
            if self.at >= len(self.pattern) or self.peek("|") or self.peek(")"):
                return "".join(pieces), length, options
            if self.take(r"\Q"):
                text = self.quoted()
                pieces += [self.literal(char, options) for char in text[:-1]]
                if not text:
                    continue
                piece = Piece(self.literal(text[-1], options), 1)
                length = None if length is None else length + len(text) - 1
            elif switched := self.option_setting(options):
                options = switched
                continue
            else:
                piece = self.item(options)
            piece = self.repeated(piece, options)
            pieces.append(piece.source)
            length = None if length is None or piece.length is None else length + piece.length

    def quoted(self) -> str:
        stop = self.pattern.find(r"\E", self.at)
        text = self.pattern[self.at :] if stop < 0 else self.pattern[self.at : stop]
        self.at += len(text) + (0 if stop < 0 else 2)
        return text

    def option_setting(self, options: Options) -> Options | None:
        """``(?i-s)``: from here to the end of the group."""
        if not self.peek("(?"):
            return None
        match = _OPTION_GROUP.match(self.pattern, self.at + 2)
        if not match or match[3] != ")":
            return None
        self.at = match.end()
        return _switched(options, match)

    def repeated(self, piece: Piece, options: Options) -> Piece:
        self.skip_blanks(options)
        low, high = self.repetition()
        if low is None:
            return piece
        if not piece.repeatable:
            raise PatternError("nothing to repeat")
        suffix = ""
        if self.take("+"):
            suffix, self.result.beyond_re = "+", True
        elif self.take("?") is not options.U:
            suffix = "?"
        self.skip_blanks(options)
        if self.repetition_ahead():
            raise PatternError("nothing to repeat")
        if high == low:
            times = f"{{{low}}}"
        else:
            times = {(0, None): "*", (1, None): "+", (0, 1): "?"}.get(
                (low, high), f"{{{low},{'' if high is None else high}}}"
            )
        self.result.loops += 1 if high != low or low > 8 else 0
        length = piece.length * low if piece.length is not None and high == low else None
        source = piece.source if _is_single(piece.source) else f"(?:{piece.source})"
        if not piece.source:
            return Piece("", 0)
        return Piece(source + times + suffix, length)

    def repetition_ahead(self) -> bool:
        return self.peek("*") or self.peek("+") or self.peek("?") or bool(_REPETITION.match(self.pattern, self.at))

    def repetition(self) -> tuple[int | None, int | None]:
        if self.take("*"):
            return 0, None
        if self.take("+"):
            return 1, None
        if self.take("?"):
            return 0, 1
        match = self.take_match(_REPETITION)
        if not match:
            return None, None
        low = int(match[1])
        high = low if not match[2] else int(match[3]) if match[3] else None
        if low > _MOST_REPETITIONS or (high is not None and (high < low or high > _MOST_REPETITIONS)):
            raise PatternError("numbers out of order, or too big, in {} quantifier")
        return low, high

    # ---- items

    def item(self, options: Options) -> Piece:
        char = self.char()
        if char == "\\":
            return self.escape(options)
        if char == "[":
            return Piece(self.bracket(options), 1)
        if char == "(":
            return self.group(options)
        if char == ".":
            return Piece("(?s:.)" if options.s else ".", 1)
        if char == "^":
            return Piece(r"(?:\A|(?<=\n)(?!\Z))" if options.m else r"\A", 0, repeatable=False)
        if char == "$":
            return Piece("(?m:$)" if options.m else "$", 0, repeatable=False)
        if char in "*+?":
            raise PatternError("nothing to repeat")
        return Piece(self.literal(char, options), 1)

    def literal(self, char: str, options: Options) -> str:
        if options.i and (others := sorted(other_cases(char, self.unicode))):
            return "[" + "".join(map(re.escape, [char, *others])) + "]"
        return re.escape(char)

    def escape(self, options: Options) -> Piece:
        char = self.char()
        if char in _ASSERTIONS:
            return Piece(self.word_boundary(char), 0, repeatable=False)
        if char.lower() in ESCAPES:
            return Piece(_bracketed(_class_escape(char)), 1)
        if char in "pP":
            self.result.beyond_re = True
            return Piece(self.unicode_property(char), 1)
        if char == "N":
            if self.peek("{"):
                raise PatternError("\\N{name} is not supported")
            return Piece(_bracketed(NOT_NEWLINE), 1)
        if char == "C":
            return Piece("(?s:.)", 1)
        if char == "R":
            self.result.beyond_re = True
            return Piece(r"(?>\r\n|[\n-\r\x85\u2028\u2029])", None)
        if char == "X":
            self.result.beyond_re = True
            return Piece(r"\X", None)
        if char in "KE":
            return Piece("", 0)
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
        word = _bracketed(ESCAPES["w"])
        same = f"(?:(?<={word})(?={word})|(?<!{word})(?!{word}))"
        return same if char == "B" else f"(?:(?<={word})(?!{word})|(?<!{word})(?={word}))"

    def escaped_char(self, char: str) -> str:
        """The character that an escape outside of special meanings stands for."""
        if char in _SIMPLE:
            return _SIMPLE[char]
        if char == "0":
            self.at -= 1
            return self.octal()
        if char == "c":
            code = self.char()
            if not "\x20" <= code <= "\x7e":
                raise PatternError("\\c at the end, or before no ASCII character")
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
        if self.take("{"):
            name = self.until("}")
        else:
            name = self.char()
        if name.startswith("^"):
            char, name = ("P" if char == "p" else "p"), name[1:]
        if name in ("Any", "L&", "Xan", "Xsp", "Xps", "Xwd", "Xuc"):
            name = {"Any": "Any", "L&": "LC", "Xan": "Alnum", "Xwd": "Word", "Xuc": "Any"}.get(name, "White_Space")
        if not re.fullmatch(r"\w+", name):
            raise PatternError("malformed \\P or \\p sequence")
        return f"\\{char}{{{name}}}"

    def reference(self, char: str) -> str | None:
        """``\\1``, ``\\g{-1}``, ``\\k<name>``; None for digits that mean an octal number."""
        if char in "123456789":
            digits = self.take_match(re.compile(r"\d*"))
            number = int(char + (digits[0] if digits else ""))
            if number < 10 or number <= self.groups:
                return self.backreference(number)
            self.at -= len(digits[0]) if digits else 0
            return None
        if char == "g":
            if call := self.take_match(re.compile(r"<([+-]?\w+)>|'([+-]?\w+)'")):
                return self.call(call[1] or call[2])
            match = self.take_match(re.compile(r"\{(-?\d+)\}|(-?\d+)|\{([A-Za-z_]\w*)\}"))
            if not match:
                raise PatternError("a number or a name must follow \\g")
            return self.backreference(int(match[1] or match[2])) if not match[3] else self.named(match[3])
        match = self.take_match(re.compile(r"<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)'|\{([A-Za-z_]\w*)\}"))
        if not match:
            raise PatternError("\\k is not followed by a name")
        return self.named(match[1] or match[2] or match[3])

    def backreference(self, number: int) -> str:
        if number < 0:
            number = self.groups + 1 + number
        if number < 1:
            raise PatternError("reference to a group that is not there")
        self.referred.add(number)
        self.result.beyond_re = True
        return f"(?:\\{number})"

    def named(self, name: str) -> str:
        self.referred_names.add(name)
        self.result.beyond_re = True
        return f"(?P={name})"

    def call(self, target: str) -> str:
        """The subroutine call of a group: ``(?1)``, ``(?-1)``, ``(?&name)``, ``(?R)``."""
        self.result.beyond_re = True
        self.result.loops += 2
        if not re.fullmatch(r"[+-]?\d+", target):
            self.referred_names.add(target)
            return f"(?&{target})"
        number = int(target)
        if target.startswith("+"):
            number += self.groups
        elif target.startswith("-"):
            number += self.groups + 1
        self.referred.add(max(number, 0))
        return f"(?{number})" if number else "(?R)"

    # ---- groups

    def group(self, options: Options) -> Piece:
        if self.take("*"):
            return self.verb()
        if not self.take("?"):
            return self.capture(options, None)
        for opening in ("P<", "<", "'"):
            if self.peek(opening) and not self.peek("<=") and not self.peek("<!"):
                self.at += len(opening)
                return self.capture(options, self.group_name("'" if opening == "'" else ">"))
        if self.take("P="):
            return Piece(self.named(self.group_name(")")), None)
        if self.take("P>") or self.take("&"):
            return Piece(self.call(self.group_name(")")), None)
        if called := self.take_match(re.compile(r"(R|[+-]?\d+)\)")):
            return Piece(self.call("0" if called[1] == "R" else called[1]), None)
        if self.take("C"):
            self.until(")")
            return Piece("", 0)
        if self.take("("):
            return self.conditional(options)
        for opening in (":", "|", ">", "=", "!", "<=", "<!"):
            if self.take(opening):
                return self.plain_group(opening, options)
        match = self.take_match(_OPTION_GROUP)
        if not match:
            raise PatternError("unrecognized character after (?")
        return self.plain_group(":", _switched(options, match))

    def closed(self) -> None:
        if not self.take(")"):
            raise PatternError("missing )")

    def group_name(self, end: str) -> str:
        match = self.take_match(_NAME)
        if not match or not self.take(end):
            raise PatternError("a group's name is wrong")
        return match[0]

    def capture(self, options: Options, name: str | None) -> Piece:
        self.groups += 1
        if name is not None:
            if name in self.names and not options.J:
                raise PatternError("two named groups have the same name")
            self.names[name] = self.groups
        source, lengths, _ = self.alternatives(options)
        self.closed()
        return Piece(f"(?P<{name}>{source})" if name else f"({source})", _common(lengths))

    def plain_group(self, opening: str, options: Options) -> Piece:
        source, lengths, _ = self.alternatives(options, reset=opening == "|")
        self.closed()
        if opening in (">", "|"):
            self.result.beyond_re = True
        if opening in ("<=", "<!"):
            if None in lengths:
                raise PatternError("lookbehind assertion is not fixed length")
            self.result.beyond_re = self.result.beyond_re or len(set(lengths)) > 1
        length = 0 if opening in ("=", "!", "<=", "<!") else _common(lengths)
        return Piece(f"(?{opening}{source})", length)

    def conditional(self, options: Options) -> Piece:
        self.result.beyond_re = True
        if self.take("?"):
            self.at -= 2
            self.char()
            condition = self.group(options).source
            if not condition.startswith(("(?=", "(?!", "(?<=", "(?<!")):
                raise PatternError("assertion expected after (?(")
        else:
            name = self.until(")").strip("<>'")
            if name.isdigit():
                self.referred.add(int(name))
            elif name != "DEFINE":
                self.referred_names.add(name)
            condition = f"({name})"
        source, lengths, _ = self.alternatives(options)
        self.closed()
        if len(lengths) > (1 if condition == "(DEFINE)" else 2):
            raise PatternError("conditional group contains more than two branches")
        return Piece(f"(?{condition}{source})", None)

    def verb(self) -> Piece:
        name, _, _ = self.until(")").partition(":")
        if name not in _VERBS:
            raise PatternError("(*VERB) not recognized")
        self.result.beyond_re = True
        return Piece(_VERBS[name], 0, repeatable=False)

    # ---- bracket expressions

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
        return _bracketed(~members if negated else members)

    def range_end(self, low: str, properties: list[str], options: Options) -> str:
        """The upper end of ``low-…``, or ``low`` itself where no range is meant."""
        here = self.at
        if not self.take("-") or self.peek("]"):
            self.at = here
            return low
        kept = len(properties)
        high = self.bracket_member(properties, options)
        if isinstance(high, CharacterSet):  # the hyphen stands for itself before a class
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
            return _class_escape(char)
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


def _switched(options: Options, match: re.Match[str]) -> Options:
    on = dict.fromkeys(match[1] or "", True)
    return replace(options, **on, **dict.fromkeys(set(match[2] or "") - set(on), False))


def _class_escape(char: str) -> CharacterSet:
    return ESCAPES[char] if char in ESCAPES else ~ESCAPES[char.lower()]


def _bracketed(members: CharacterSet) -> str:
    if not members.ranges:
        return "(?!)"
    return "(?s:.)" if members.ranges == ANY.ranges else f"[{members.source()}]"


def _common(lengths: list[int | None]) -> int | None:
    return lengths[0] if len(set(lengths)) == 1 else None


def _is_single(source: str) -> bool:
    """Whether a repetition put behind would mean the whole of it."""
    return len(source) == 1 or (len(source) == 2 and source[0] == "\\") or (source[:1] in "[(" and source[-1:] in "])")
