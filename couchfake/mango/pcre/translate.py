"""Regular expressions as PCRE reads them, rewritten for Python.

The server's ``$regex`` is PCRE 8 without options. Where its syntax differs from Python's, this translation keeps
PCRE's meaning: what ``\\w`` and POSIX classes contain, options in the middle of a pattern, possessive and atomic parts,
``{`` that begins no repetition, ``\\Q…\\E``, branch resets, recursion and more. Every option is resolved here, so the
result needs no flags. What PCRE refuses raises ``PatternError``.

Source: the PCRE 8 manual, "pcrepattern".
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import prod

from couchfake.mango.pcre.escapes import Brackets, Piece
from couchfake.mango.pcre.reader import DEEPEST, LARGEST, Options, PatternError, Translation
from couchfake.values.erlang import read_integer

_LEADING_OPTION = re.compile(
    r"\(\*(UTF8|UTF|UCP|CRLF|CR|LF|ANYCRLF|ANY|BSR_ANYCRLF|BSR_UNICODE|NO_START_OPT|NO_AUTO_POSSESS|LIMIT_\w+=\d+)\)"
)
_REPETITION = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_OPTION_GROUP = re.compile(r"([ismxUJX]*)(?:-([ismxUJX]*))?([:)])")
_NAME = re.compile(r"[A-Za-z_]\w{0,31}", re.ASCII)
_VERBS = {"FAIL": "(?!)", "F": "(?!)", "PRUNE": "(*PRUNE)", "SKIP": "(*SKIP)", "COMMIT": "(*PRUNE)", "THEN": ""}
_TIMES = {(0, None): "*", (1, None): "+", (0, 1): "?"}
_FEW = 8
_MOST_REPETITIONS = 65535
_MOST_PATHS = 1 << 20
_LONGEST_STRING = 100_000
"""A repetition that needs a longer string is taken for one that never matches: the engine would write it out."""

_ACCEPTED = "accepted_"
"""The group that matches where ``(*ACCEPT)`` is met; afterwards nothing more is required."""

_GROUP, _ALTERNATIVE, _COUNT, _CLASS = 5, 3, 2, 33
"""Bytes in PCRE's compiled form: of a group besides its branches, of a branch, of a count, of a bracket expression."""


def translate(pattern: str) -> Translation:
    """Return the pattern for Python. Raise PatternError if PCRE would not compile it."""
    unicode = False
    while option := _LEADING_OPTION.match(pattern):
        unicode = unicode or option[1].startswith("UTF")
        pattern = pattern[option.end() :]
    if not unicode:
        pattern = pattern.encode("utf-8").decode("latin-1")
    return _Translator(pattern, unicode).run()


class _Translator(Brackets):
    """Read the structure of a pattern: alternatives, repetitions, groups."""

    def run(self) -> Translation:
        body, _, _ = self.alternatives(Options())
        if self.at < len(self.pattern):
            raise PatternError("unmatched parentheses")
        if any(number > self.groups for number in self.referred) or self.referred_names - set(self.names):
            raise PatternError("reference to a group that does not exist")
        if body.accepts and self.referred:
            raise PatternError("(*ACCEPT) beside references by number is not supported")
        if body.size > LARGEST:
            raise PatternError("regular expression is too large")
        self.result.source, self.result.paths, self.result.size = body.source, body.paths, body.size
        return self.result

    def alternatives(self, options: Options, reset: bool = False) -> tuple[Piece, list[int | None], Options]:
        """Read branches up to ``)`` or the end. ``reset``: numbers of groups begin again in each branch, as in ``(?|``.

        Return the branches in one piece, the length of each, and the options in force at their end.
        """
        branches: list[Piece] = []
        first, most = self.groups, self.groups
        while True:
            branch, options = self.branch(options)
            branches.append(branch)
            most = max(most, self.groups)
            if not self.take("|"):
                break
            if reset:
                self.groups = first
        self.groups = most
        lengths = [branch.length for branch in branches]
        return _either(branches), lengths, options

    def branch(self, options: Options) -> tuple[Piece, Options]:
        pieces: list[Piece] = []
        while True:
            self.skip_blanks(options)
            if self.at >= len(self.pattern) or self.peek("|") or self.peek(")"):
                return _sequence(pieces), options
            if self.take(r"\Q"):
                text = self.quoted()
                if not text:  # the pattern ends here
                    continue
                pieces += [Piece(self.literal(char, options), 1) for char in text[:-1]]
                piece = Piece(self.literal(text[-1], options), 1)
            elif switched := self.option_setting(options):
                options = switched
                continue
            else:
                piece = self.item(options)
            pieces.append(self.repeated(piece, options))

    def option_setting(self, options: Options) -> Options | None:
        """Read ``(?i-s)``, which holds from here to the end of the group."""
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
        if not piece.source:
            return Piece("", 0)
        length = piece.length * low if piece.length is not None and high == low else None
        size = _repeated_size(piece, low, high)
        if piece.shortest * low > _LONGEST_STRING:
            return Piece("(?!)", length, size=size, shortest=piece.shortest * low)
        if high == low:
            times = f"{{{low}}}"
        else:
            times = _TIMES.get((low, high), f"{{{low},{'' if high is None else high}}}")
        source = _grouped(piece.source)
        if piece.accepts:
            source = f"(?:{_unless_accepted(source)})"
        return replace(
            piece,
            source=source + times + suffix,
            length=length,
            paths=self.repeated_paths(piece, low, high),
            size=size,
            shortest=piece.shortest * low,
        )

    def repeated_paths(self, piece: Piece, low: int, high: int | None) -> int:
        """Return the number of ways through a repetition. That of a single character is counted as a loop instead."""
        single = piece.paths == 1 and piece.length == 1
        if (low, high) == (0, 1):
            return min(piece.paths + 1, _MOST_PATHS)
        if high == low and piece.length is not None and not (single and low > _FEW):
            return 1 if piece.paths == 1 else min(piece.paths ** min(low, 64), _MOST_PATHS)
        self.result.loops += 1 if single else 2
        return 1 if single else _MOST_PATHS

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
            return Piece(self.bracket(options), 1, size=_CLASS)
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
        self.depth += 1
        if self.depth > DEEPEST:
            raise PatternError("parentheses are too deeply nested")
        piece = self.opened_group(options)
        self.depth -= 1
        return piece

    def opened_group(self, options: Options) -> Piece:
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
        body, lengths, _ = self.alternatives(options)
        self.closed()
        source = f"(?P<{name}>{body.source})" if name else f"({body.source})"
        return replace(body, source=source, length=_common(lengths), size=body.size + _GROUP)

    def plain_group(self, opening: str, options: Options) -> Piece:
        body, lengths, _ = self.alternatives(options, reset=opening == "|")
        self.closed()
        if opening in (">", "|"):
            self.result.beyond_re = True
        if opening in ("<=", "<!"):
            if None in lengths:
                raise PatternError("lookbehind assertion is not fixed length")
            self.result.beyond_re = self.result.beyond_re or len(set(lengths)) > 1
        length = 0 if opening in ("=", "!", "<=", "<!") else _common(lengths)
        return replace(body, source=f"(?{opening}{body.source})", length=length, size=body.size + _GROUP)

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
        body, lengths, _ = self.alternatives(options)
        self.closed()
        if len(lengths) > (1 if condition == "(DEFINE)" else 2):
            raise PatternError("conditional group contains more than two branches")
        return Piece(f"(?{condition}{body.source})", None, size=body.size + _GROUP, accepts=body.accepts)

    def verb(self) -> Piece:
        name, _, argument = self.until(")").partition(":")
        self.result.beyond_re = True
        if argument and name in ("ACCEPT", "FAIL", "F", "COMMIT"):
            raise PatternError("an argument is not allowed for (*ACCEPT), (*FAIL), or (*COMMIT)")
        if name in ("", "MARK"):  # a mark is for the caller's eyes, and for (*SKIP:NAME)
            if not argument:
                raise PatternError("(*MARK) must have an argument")
            return Piece("", 0, repeatable=False)
        if name == "ACCEPT":
            return Piece(f"(?P<{_ACCEPTED}>)", 0, repeatable=False, accepts=True)
        if name not in _VERBS:
            raise PatternError("(*VERB) not recognized")
        return Piece(_VERBS[name], 0, repeatable=False)


def _sequence(pieces: list[Piece]) -> Piece:
    """Join the pieces of a branch. What follows an ``(*ACCEPT)`` counts only if the match did not come by it."""
    source, accepts = "", False
    for piece in reversed(pieces):
        source = piece.source + (_unless_accepted(source) if piece.accepts and source else source)
        accepts = accepts or piece.accepts
    lengths = [piece.length for piece in pieces]
    return Piece(
        source,
        None if accepts or None in lengths else sum(length for length in lengths if length is not None),
        paths=min(prod(piece.paths for piece in pieces), _MOST_PATHS),
        size=sum(piece.size for piece in pieces),
        shortest=0 if accepts else sum(piece.shortest for piece in pieces),
        accepts=accepts,
    )


def _either(branches: list[Piece]) -> Piece:
    return Piece(
        "|".join(branch.source for branch in branches),
        _common([branch.length for branch in branches]),
        paths=min(sum(branch.paths for branch in branches), _MOST_PATHS),
        size=sum(branch.size + _ALTERNATIVE for branch in branches),
        shortest=min(branch.shortest for branch in branches),
        accepts=any(branch.accepts for branch in branches),
    )


def _unless_accepted(source: str) -> str:
    return f"(?({_ACCEPTED})|{_grouped(source)})"


def _grouped(source: str) -> str:
    return source if _is_single(source) else f"(?:{source})"


def _repeated_size(piece: Piece, low: int, high: int | None) -> int:
    """Return about how many bytes PCRE compiles a repetition to: it copies a group as often as it may match."""
    if piece.length == 1 and piece.paths == 1 and piece.size <= _CLASS:
        return piece.size + 2 * _COUNT
    copies = max(low, 1) if high is None else max(high, 1)
    return min(piece.size * copies + (_GROUP * (copies - low) if high is not None else 0), 2 * LARGEST)


def _switched(options: Options, match: re.Match[str]) -> Options:
    on = dict.fromkeys(match[1] or "", True)
    return replace(options, **on, **dict.fromkeys(set(match[2] or "") - set(on), False))


def _common(lengths: list[int | None]) -> int | None:
    return lengths[0] if len(set(lengths)) == 1 else None


def _is_single(source: str) -> bool:
    """Return whether a repetition that follows would apply to the whole of it."""
    return len(source) == 1 or (len(source) == 2 and source[0] == "\\") or (source[:1] in "[(" and source[-1:] in "])")
