"""Regular expressions as PCRE reads them, rewritten for Python.

The server's ``$regex`` is PCRE 8 without options. Where its syntax and Python's part ways, this translation keeps
PCRE's meaning: what ``\\w`` and POSIX classes hold, options in the middle of a pattern, possessive and atomic parts,
``{`` that begins no repetition, ``\\Q…\\E``, branch resets, recursion and more. Every option is resolved here, so the
result needs no flags. What PCRE refuses raises ``PatternError``.

Source: the PCRE 8 manual, "pcrepattern".
"""

from __future__ import annotations

import re
from dataclasses import replace

from couchfake.mango.pcre.brackets import Brackets
from couchfake.mango.pcre.escapes import Piece
from couchfake.mango.pcre.reader import Options, PatternError, Translation
from couchfake.values.integers import read_integer

_LEADING_OPTION = re.compile(
    r"\(\*(UTF8|UTF|UCP|CRLF|CR|LF|ANYCRLF|ANY|BSR_ANYCRLF|BSR_UNICODE|NO_START_OPT|NO_AUTO_POSSESS|LIMIT_\w+=\d+)\)"
)
_REPETITION = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_OPTION_GROUP = re.compile(r"([ismxUJX]*)(?:-([ismxUJX]*))?([:)])")
_NAME = re.compile(r"[A-Za-z_]\w{0,31}", re.ASCII)
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


class _Translator(Brackets):
    """Reads the structure: alternatives, repetitions, groups."""

    def run(self) -> Translation:
        source, _, _ = self.alternatives(Options())
        if self.at < len(self.pattern):
            raise PatternError("unmatched parentheses")
        if any(number > self.groups for number in self.referred) or self.referred_names - set(self.names):
            raise PatternError("reference to a group that is not there")
        self.result.source = source
        return self.result

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
        low = read_integer(match[1])
        high = low if not match[2] else read_integer(match[3]) if match[3] else None
        if low > _MOST_REPETITIONS or (high is not None and (high < low or high > _MOST_REPETITIONS)):
            raise PatternError("numbers out of order, or too big, in {} quantifier")
        return low, high

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
                self.referred.add(read_integer(name))
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


def _switched(options: Options, match: re.Match[str]) -> Options:
    on = dict.fromkeys(match[1] or "", True)
    return replace(options, **on, **dict.fromkeys(set(match[2] or "") - set(on), False))


def _common(lengths: list[int | None]) -> int | None:
    return lengths[0] if len(set(lengths)) == 1 else None


def _is_single(source: str) -> bool:
    """Whether a repetition put behind would mean the whole of it."""
    return len(source) == 1 or (len(source) == 2 and source[0] == "\\") or (source[:1] in "[(" and source[-1:] in "])")
