"""A design function's source: its tokens, a form that a standard engine compiles, and what it certainly does not do.

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


# What a function certainly does not do, so that work can be saved.
#
# All answers are conservative: True is only returned for plain functions, False means unknown. Most map functions are
# plain. A realm-insensitive map function takes half as long for a document, because documents need not be frozen and
# moved to another realm (4 instead of 8 microseconds). A view update with a session that is kept saves compiling its
# functions (0.04 instead of 1.7 milliseconds for one document).

_ASSIGNMENTS = frozenset(
    ["=", "+=", "-=", "*=", "/=", "%=", "**=", "<<=", ">>=", ">>>=", "&=", "|=", "^=", "&&=", "||=", "??=", "++", "--"]
)
_DECLARATORS = frozenset(("var", "let", "const"))
_REFLECTION = frozenset(
    [
        "eval",
        "Function",
        "with",
        "globalThis",
        "this",
        "prototype",
        "__proto__",
        "constructor",
        "require",
        "import",
        "module",
        "exports",
    ]
)
_REALM_SENSITIVE = frozenset(["instanceof", "delete", "Reflect", "Symbol", "class", "super"])
_MUTATORS = frozenset(["push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin"])
_OF_THE_SCRIPT = frozenset(["emit", "start", "send", "getRow", "provides", "registerType", "index"])
_HARMLESS_OF_OBJECT = frozenset(("keys", "values", "entries", "hasOwn"))


@dataclass(frozen=True, slots=True)
class Traits:
    """``is_realm_insensitive``: cannot distinguish a frozen document of another realm from a plain one.
    ``keeps_no_state``: leaves nothing behind for the next call. ``is_pure``: changes nothing, its arguments included,
    and looks at nothing but these and the language's built-ins."""

    is_realm_insensitive: bool
    keeps_no_state: bool
    is_pure: bool


@lru_cache(maxsize=256)
def traits(source: str) -> Traits:
    """Return the traits of a function, by its source alone."""
    program = tokens(source)
    if not program or any(_reflects(token) for token in program):
        return Traits(is_realm_insensitive=False, keeps_no_state=False, is_pure=False)
    is_insensitive, is_stateless = _is_realm_insensitive(program), _keeps_no_state(source, program)
    is_pure = is_insensitive and is_stateless and _is_expression(source)
    is_pure = is_pure and not any(token.text in _OF_THE_SCRIPT for token in program)
    return Traits(is_realm_insensitive=is_insensitive, keeps_no_state=is_stateless, is_pure=is_pure)


def _is_expression(source: str) -> bool:
    """Return whether a program that is one function does not declare it: a declaration adds a global."""
    return tokens(as_program(source))[0].text != "function"


def _reflects(token: Token) -> bool:
    if token.kind == "template":
        return "${" in token.text  # code that is not examined
    return (token.text[1:-1] if token.kind == "string" else token.text) in _REFLECTION


def _is_realm_insensitive(program: tuple[Token, ...]) -> bool:
    for index, token in enumerate(program):
        if token.text in _REALM_SENSITIVE:
            return False
        if _alters_objects(program, index):
            return False
        if token.text in _MUTATORS and _is_member(program, index):
            return False
        if token.text in _ASSIGNMENTS and not _assigns_plain_name(program, index):
            return False
        if token.text == "(" and index and program[index - 1].text == "]":
            return False  # doc.list[whatever]()
        if token.text in ("in", "of") and (_is_member(program, index - 1) or program[index - 1].text == "}"):
            return False  # for (doc.member of ...) writes too; `doc.a in b` is caught with it
    return True


def _alters_objects(program: tuple[Token, ...], index: int) -> bool:
    """Return whether ``Object`` at ``index`` may be used to change something (``Object.assign``)."""
    following = program[index + 1 : index + 3]
    return program[index].text == "Object" and not (len(following) == 2 and following[1].text in _HARMLESS_OF_OBJECT)


def _is_member(program: tuple[Token, ...], index: int) -> bool:
    return index > 0 and (program[index - 1].text in (".", "?.") or program[index].text == "]")


def _assigns_plain_name(program: tuple[Token, ...], index: int) -> bool:
    """Return whether the target of the assignment or update at ``index`` is a name, not a member or a pattern."""
    target = index - 1
    if program[index].text in ("++", "--") and not (index and program[index - 1].ends_expression()):
        target = index + 1
        beyond = program[target + 1].text if target + 1 < len(program) else ""
        if beyond in (".", "[", "?."):
            return False
    if not 0 <= target < len(program) or program[target].kind != "name":
        return False
    return target == 0 or program[target - 1].text not in (".", "?.")


def _keeps_no_state(source: str, program: tuple[Token, ...]) -> bool:
    if not is_one_function(as_program(source)):
        return False
    declared = _declared_names(program)
    for index, token in enumerate(program):
        if token.text == "Reflect" or _alters_objects(program, index):
            return False
        if token.text not in _ASSIGNMENTS:
            continue
        if not _assigns_plain_name(program, index):
            root = _root_of_target(program, index)
            if root is None or root not in declared:
                return False
        else:
            before = program[index - 1]
            prefix = token.text in ("++", "--") and not before.ends_expression()
            if (program[index + 1] if prefix else before).text not in declared:
                return False
    return True


@lru_cache(maxsize=256)
def is_one_function(program: str) -> bool:
    """Return whether a program is one function expression, possibly in parentheses, with or without a semicolon."""
    outline = tokens(program)
    if outline and outline[-1].text == ";" and outline[-1].depth == 0:
        outline = outline[:-1]
    if len(outline) > 2 and [t.text for t in outline[:2]] == ["0", ","]:
        outline = outline[2:]
    floor = 0
    while outline and outline[0].text == "(" and outline[-1].text == ")" and _encloses(outline):
        outline, floor = outline[1:-1], floor + 1
    top = [t.text if t.kind == "punctuator" or t.text == "function" else t.kind for t in outline if t.depth == floor]
    if top in (["function", "(", ")", "{", "}"], ["function", "name", "(", ")", "{", "}"]):
        return True
    return top[:2] == ["name", "=>"] or (top[:3] == ["(", ")", "=>"] and ";" not in top)


def _encloses(outline: tuple[Token, ...]) -> bool:
    return all(token.depth > outline[0].depth for token in outline[1:-1])


def _declared_names(program: tuple[Token, ...]) -> set[str]:
    """Return the names that are variables or parameters of a function anywhere in the program."""
    names: set[str] = set()
    for index, token in enumerate(program):
        if token.text in _DECLARATORS:
            names |= _names_of_declaration(program, index + 1)
        elif token.text in ("function", "catch"):
            names |= _names_in_parentheses(program, index + 1)
        elif token.text == "=>":
            names |= _arrow_parameters(program, index)
    return names


def _names_of_declaration(program: tuple[Token, ...], index: int) -> set[str]:
    """Return the names that ``var``, ``let`` or ``const`` before ``index`` declares."""
    names: set[str] = set()
    depth = program[index].depth if index < len(program) else 0
    expecting = True
    for token in program[index:]:
        if token.depth < depth or (token.depth == depth and token.text == ";"):
            break
        if token.depth == depth and not expecting and token.after_newline and token.kind == "name":
            break
        if expecting and token.kind == "name":
            names.add(token.text)
        if token.depth == depth:
            if token.text == ",":
                expecting = True
            elif token.kind == "name" or token.text in ("=", "in", "of", "}", "]"):
                expecting = False
    return names


def _names_in_parentheses(program: tuple[Token, ...], index: int) -> set[str]:
    while index < len(program) and program[index].text != "(":
        index += 1
    depth = program[index].depth if index < len(program) else 0
    names = set()
    for token in program[index + 1 :]:
        if token.depth <= depth:
            break
        if token.kind == "name":
            names.add(token.text)
    return names


def _arrow_parameters(program: tuple[Token, ...], arrow: int) -> set[str]:
    if arrow == 0:
        return set()
    if program[arrow - 1].text != ")":
        return {program[arrow - 1].text}
    depth = program[arrow - 1].depth
    names = set()
    for token in reversed(program[: arrow - 1]):
        if token.depth <= depth:
            break
        if token.kind == "name":
            names.add(token.text)
    return names


def _root_of_target(program: tuple[Token, ...], index: int) -> str | None:
    """Return the name with which an assignment's target begins: ``a`` of ``a.b[c].d = 1``; None if it is complex."""
    position = index - 1
    if program[index].text in ("++", "--") and not program[position].ends_expression():
        return program[index + 1].text if program[index + 1].kind == "name" else None
    while position >= 0:
        token = program[position]
        if token.text == "]":
            depth = token.depth
            while position >= 0 and not (program[position].text == "[" and program[position].depth == depth):
                position -= 1
            position -= 1
        elif token.kind == "name" and position and program[position - 1].text in (".", "?."):
            position -= 2
        else:
            return token.text if token.kind == "name" else None
    return None
