"""A design function's source: its tokens, and a form of it that a standard engine compiles.

CouchDB's build of QuickJS accepts what older engines accepted: an anonymous function as a statement, whose value is the
program's. Almost every map function is written that way (``function (doc) { ... }``), and a standard engine rejects it.
``as_program`` turns such statements into expressions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\v\f\xa0\ufeff]+)
  | (?P<newline>[\r\n\u2028\u2029]+)
  | (?P<comment>//[^\r\n\u2028\u2029]*|/\*.*?(?:\*/|\Z))
  | (?P<number>0[xXbBoO][\da-fA-F_]+n?|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?n?)
  | (?P<name>[#A-Za-z_$\u0080-\uffff\U00010000-\U0010ffff][\w$]*)
  | (?P<string>"(?:[^"\\\r\n]|\\.)*"?|'(?:[^'\\\r\n]|\\.)*'?)
  | (?P<punctuator>=>|\.\.\.|>>>=|===|!==|\*\*=|<<=|>>=|>>>|&&=|\|\|=|\?\?=|\?\.(?!\d)|[-+*/%&|^!=<>]=|\+\+|--|&&|\|\|
      |\?\?|\*\*|<<|>>|[-+*/%&|^!~<>=?:;,.(){}\[\]@\\`])
    """,
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\[\r\n]|\\.|\[(?:[^\]\\\r\n]|\\.)*\])+/[A-Za-z]*")

_BEFORE_EXPRESSION = frozenset(
    [
        "return",
        "typeof",
        "case",
        "in",
        "of",
        "delete",
        "void",
        "throw",
        "new",
        "else",
        "do",
        "instanceof",
        "yield",
        "await",
    ]
)


@dataclass(slots=True)
class Token:
    """``kind``: name, number, string, template, regex or punctuator; ``depth``: the number of brackets around it."""

    kind: str
    text: str
    start: int
    depth: int
    after_newline: bool

    def ends_expression(self) -> bool:
        """Return whether a slash after the token divides, and a line break after it may end a statement."""
        if self.kind == "punctuator":
            return self.text in (")", "]", "}")
        return not (self.kind == "name" and self.text in _BEFORE_EXPRESSION)


@lru_cache(maxsize=256)
def tokens(source: str) -> tuple[Token, ...]:
    """Return the tokens of a program, without comments. Never raise: the engine reports syntax errors."""
    found: list[Token] = []
    position = depth = 0
    newline = False
    while position < len(source):
        match = _regex_at(source, position, found) or _TOKEN.match(source, position)
        if match is None:
            position += 1
            continue
        kind = match.lastgroup or "regex"
        end = match.end()
        if kind in ("newline", "comment", "space"):
            newline = newline or (kind != "space" and bool(re.search(r"[\r\n]", match.group())))
            position = end
            continue
        text = match.group()
        if text == "`":
            kind, end = "template", _template_end(source, position + 1)
            text = source[position:end]
        if kind == "punctuator" and text in (")", "]", "}"):
            depth = max(depth - 1, 0)
        found.append(Token(kind, text, position, depth, newline))
        if kind == "punctuator" and text in ("(", "[", "{"):
            depth += 1
        newline = False
        position = end
    return tuple(found)


def _regex_at(source: str, position: int, before: list[Token]) -> re.Match[str] | None:
    if source[position] != "/" or source[position + 1 : position + 2] in ("/", "*"):
        return None
    if before and before[-1].ends_expression() and before[-1].text != "}":
        return None
    return _REGEX.match(source, position)


def _template_end(source: str, position: int) -> int:
    """Return the end of the template literal whose text begins at ``position``; templates may nest in ``${}``."""
    braces = 0
    while position < len(source):
        letter = source[position]
        if letter == "\\":
            position += 1
        elif braces == 0 and letter == "`":
            return position + 1
        elif braces and letter == "`":
            position = _template_end(source, position + 1)
            continue
        elif letter == "{" and (braces or source[position - 1] == "$"):
            braces += 1
        elif letter == "}" and braces:
            braces -= 1
        position += 1
    return position


@lru_cache(maxsize=256)
def as_program(source: str) -> str:
    """Return ``source`` with each anonymous function that is a statement made an expression."""
    pieces = []
    copied = 0
    program = tokens(source)
    for index, token in enumerate(program[:-1]):
        if token.text == "function" and token.depth == 0 and program[index + 1].text == "(":
            before = program[index - 1] if index else None
            if before is None or _may_end_statement(before, token):
                pieces += [source[copied : token.start], "0,"]
                copied = token.start
    return "".join([*pieces, source[copied:]])


def _may_end_statement(before: Token, token: Token) -> bool:
    if before.text in (";", "}"):
        return True
    return token.after_newline and before.ends_expression()
