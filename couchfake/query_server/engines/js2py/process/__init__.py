"""The program of the process in which js2py runs. It imports nothing of couchfake outside this package.

On Python 3.14 and newer it replaces ``js2py.utils.injector``. js2py's built-in functions are written without their
last two arguments, ``this`` and ``arguments``. js2py adds them by rewriting byte code, which it cannot do for the
instructions of Python 3.14 (``LOAD_FAST_BORROW``): variables get other variables' values. Here they are added to the
source instead.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

NAME = "js2py.utils.injector"
_ADDED = ("this", "arguments")


def install() -> None:
    """Let js2py import this instead of its own module, if it needs to. js2py must not have been imported before."""
    if sys.version_info >= (3, 14):
        module = ModuleType(NAME, __doc__)
        module.fix_js_args = fix_js_args  # type: ignore[attr-defined]  # a module that is made here
        sys.modules[NAME] = module


def fix_js_args(function: FunctionType) -> Callable[..., Any]:
    """Return the function with the arguments ``this`` and ``arguments`` added, itself if it has them."""
    code = function.__code__
    last = code.co_varnames[code.co_argcount - 2 : code.co_argcount]
    if last in (_ADDED, ("arguments", "var")):
        return function
    made = _with_arguments(code)
    cells = dict(zip(code.co_freevars, function.__closure__ or ()))
    closure = tuple(cells[name] for name in made.co_freevars)
    return FunctionType(made, function.__globals__, function.__name__, None, closure)


def _with_arguments(code: CodeType) -> CodeType:
    """Return the code of a function with the two arguments added. Raise LookupError if its source is not found."""
    definition = _definitions(code.co_filename)[code.co_name, code.co_firstlineno]
    arguments = [*definition.args.args, *(ast.arg(name) for name in _ADDED)]
    changed = ast.FunctionDef(
        name="changed",  # its own name may be that of a global which its body uses
        args=ast.arguments([], arguments, None, [], [], None, []),
        body=definition.body,
        decorator_list=[],
    )
    outer = ast.FunctionDef(
        name="outer",
        args=ast.arguments([], [ast.arg(name) for name in code.co_freevars], None, [], [], None, []),
        body=[changed],
        decorator_list=[],
    )
    module = ast.fix_missing_locations(ast.Module([outer], []))
    made = _inner(_inner(compile(module, code.co_filename, "exec")))
    return made.replace(co_name=code.co_name)


def _inner(code: CodeType) -> CodeType:
    return next(constant for constant in code.co_consts if isinstance(constant, CodeType))


@cache
def _definitions(path: str) -> dict[tuple[str, int], ast.FunctionDef]:
    """Return the functions that a file defines, by name and first line."""
    with open(path, "rb") as file:
        tree = ast.parse(file.read())
    return {
        (node.name, min([node.lineno, *(each.lineno for each in node.decorator_list)])): node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


install()  # before anything here imports js2py
