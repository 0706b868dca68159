"""What each engine cannot do: the source of the documentation and of the expected failures in tests."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

KNOWN_GAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "quickjs": MappingProxyType({}),
        "js2py": MappingProxyType(
            {
                "es6": "js2py implements ECMAScript 5.1. Arrow functions, template strings, destructuring, spread,"
                " classes, generators and regular expressions with named groups do not compile; let and const behave"
                " like var.",
                "es6_library": "There are no Map, Set, Symbol, BigInt and Reflect, and no methods newer than ECMAScript"
                " 5.1: padEnd, includes, Object.entries, Array.from, flat, ...",
                "with": "A with statement does not compile.",
                "indirect_eval": "eval called by another name can also access the variables of its caller.",
                "own_realm": "Documents belong to the same realm as the function: doc.list instanceof Array is true.",
                "strict_mode": "Strict mode has no effect: writing to a frozen document or an undeclared name raises no"
                " error.",
                "error_details": "Errors have no stack, their messages are js2py's own, and the log does not name the"
                " line.",
                "function_text": "The text of a function is not its source.",
                "astral_length": "A character outside the Basic Multilingual Plane has the length one instead of two.",
                "syntax_corners": "A few invalid programs compile (a name declared twice with let), and some that do"
                " not compile have a different error.",
            }
        ),
    }
)
"""By engine, then by a short name of the gap: a sentence that describes it."""
