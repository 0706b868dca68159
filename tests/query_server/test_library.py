"""The standard library as ECMAScript 5.1 has it, where engines are known to err."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Map = Callable[..., list[list[Any]]]

NUMBERS = [
    ("-5 % 3", -2),
    ("5 % -3", 2),
    ("5.5 % 2", 1.5),
    ("String(1e21)", "1e+21"),
    ("String(1e-7)", "1e-7"),
    ("String(0.000001)", "0.000001"),
    ("String(123456789012345680000)", "123456789012345680000"),
    ("String(5e-324)", "5e-324"),
    ("String(0.1 + 0.2)", "0.30000000000000004"),
    ("String(-0)", "0"),
    ("9007199254740991 + 2 === 9007199254740992", True),
    ("4294967295 * 4294967295 === 18446744065119617000", True),
    ("1.7976931348623157e308 * 10 === Infinity", True),
    ("(1e21).toFixed(2)", "1e+21"),
    ("(1.005).toFixed(2)", "1.00"),
    ("(2.5).toFixed(0)", "3"),
    ("(-1.5).toFixed(0)", "-2"),
    ("(0.1 + 0.2).toPrecision(3)", "0.300"),
    ("(1e-7).toPrecision(2)", "1.0e-7"),
    ("(1234.5).toPrecision(2)", "1.2e+3"),
    ("(1234.5678).toExponential(2)", "1.23e+3"),
    ("(0).toExponential()", "0e+0"),
    ("(255).toString(16)", "ff"),
    ("(-255.5).toString(16)", "-ff.8"),
    ("Math.round(2.5)", 3),
    ("Math.round(-1.5)", -1),
    ("Math.round(0.49999999999999994)", 0),
    ("isNaN(Math.sqrt(-1))", True),
    ("isNaN(Math.pow(-8, 1 / 3))", True),
    ("Math.pow(10, 400)", None),
    ("Math.log(0) === -Infinity", True),
    ("Math.floor(Infinity) === Infinity", True),
    ("Math.atan2(1, 0) > 1.5", True),
    ("isNaN(Math.max(1, undefined))", True),
    ("isNaN(+'1_0')", True),
    ("+' 0x1F '", 31),
    ("parseFloat('-.5e-1abc')", -0.05),
    ("parseInt('08')", 8),
    ("2166136261 * 16777619 >>> 0", 84696352),
]

TEXTS = [
    ("''.split(',')", [""]),
    ("''.split('')", []),
    ("'a1b2c'.split(/(\\d)/)", ["a", "1", "b", "2", "c"]),
    ("'a,b,,c'.split(',', 3)", ["a", "b", ""]),
    ("'a-b-c'.replace(/(b)/g, function (m, g, o, s) { return m + g + o + s; })", "a-bb2a-b-c-c"),
    ("'a-b-c'.replace('b', function (m, o) { return '$&' + o; })", "a-$&2-c"),
    ("'a-b-c'.replace(/(\\w)-(\\w)/, '$2-$1')", "b-a-c"),
    ("'a-b-c'.replace(/b/, \"[$&$`$']\")", "a-[ba--c]-c"),
    ("'aaa'.replace(/x*/g, '-')", "-a-a-a-"),
    ("'abc'.replace('x', 'y')", "abc"),
    ("'abc'.substr(-2, 1)", "b"),
    ("escape('\u00e9 \u20ac+/')", "%E9%20%u20AC+/"),
    ("unescape('%E9%u20AC%')", "\u00e9\u20ac%"),
    ("encodeURIComponent('\u00e9&=')", "%C3%A9%26%3D"),
    ("decodeURIComponent('%C3%A9%26')", "\u00e9&"),
    ("decodeURI('%C3%A9%26')", "\u00e9%26"),
    ("(function () { try { decodeURIComponent('%'); } catch (e) { return e.name; } })()", "URIError"),
    ("(function () { var r = []; for (var k in 'ab') r.push(k); return r; })()", ["0", "1"]),
]

OBJECTS = [
    ("(function () { var a = [1, 2, 3, 4]; return [a.splice(-1), a]; })()", [[4], [1, 2, 3]]),
    ("(function () { var a = [1, 2, 3, 4]; return [a.splice(1, 2, 'x'), a]; })()", [[2, 3], [1, "x", 4]]),
    ("(function () { var a = Object.freeze([1]); try { a.push(2); } catch (e) { return [e.name, a]; } })()",
     ["TypeError", [1]]),
    ("Object.keys('ab')", ["0", "1"]),
    ("Object.keys({b: 1, 2: 1, a: 1, 1: 1})", ["1", "2", "b", "a"]),
    ("[10, 9, 1, undefined, 'b', 'B'].sort()", [1, 10, 9, "B", "b", None]),
    ("[3, 1, 2].sort(function (a, b) { return b - a; })", [3, 2, 1]),
    ("JSON.parse('[1, {\"a\": null}]')", [1, {"a": None}]),
    ("JSON.parse('[1,2]', function (k, v) { return k === '' ? v : v * 2; })", [2, 4]),
    ("JSON.stringify({a: [1, {b: 2}], c: undefined, '': null})", '{"a":[1,{"b":2}],"":null}'),
    ("JSON.stringify({a: 1, b: [1]}, null, 1)", '{\n "a": 1,\n "b": [\n  1\n ]\n}'),
    ("new Date(NaN)", None),
    ("isNaN(new Date(8.64e15 + 1).getTime())", True),
    ("new Date(new Date(5)).getTime()", 5),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "value"), NUMBERS + TEXTS + OBJECTS)
def test_the_standard_library(map_docs: Map, expression: str, value: Any) -> None:
    assert map_docs(f"function (doc) {{ emit(1, {expression}); }}") == [[1, value]]


def test_a_remainder_leaves_numbers_alone(map_docs: Map) -> None:
    assert map_docs("function (doc) { var r = -5 % 3; emit(1, [r, 1, 1 + 1, -5 % 3 + 1]); }") == [[1, [-2, 1, 2, -1]]]
