"""What an engine cannot do, in one place: documentation and expected failures are taken from here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KNOWN_GAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "quickjs": MappingProxyType({}),
        "js2py": MappingProxyType(
            {
                "es6": "It knows ECMAScript 5.1: arrow functions, template strings, destructuring, spread, classes,"
                " generators, regular expressions with named groups and such do not compile; let and const are var.",
                "es6_library": "There is no Map, Set, Symbol, BigInt, Reflect, and none of the methods that came after"
                " ECMAScript 5.1: padEnd, includes, Object.entries, Array.from, flat, ...",
                "with": "A with statement does not compile.",
                "indirect_eval": "eval called by another name sees the variables of its caller, too.",
                "own_realm": "Documents come from the same realm as the function: doc.list instanceof Array is true.",
                "strict_mode": "Strict mode is sloppy: writing to a frozen document or an unknown name raises nothing.",
                "error_details": "Errors have no stack, messages are js2py's own, and the log names no line.",
                "function_text": "A function turned into text is not its source.",
                "astral_length": "A character beyond the Basic Multilingual Plane counts as one, not two.",
                "syntax_corners": "A few programs that are not legal compile (a name declared twice with let), and some"
                " that do not compile have another error.",
            }
        ),
    }
)
"""By engine: a short name of what is missing, and a sentence about it."""
