"""The query server for views in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from couchdb_client import view

COUCHPY = [sys.executable, "-m", "couchdb_client.view"]
ADD = ["add_fun", "def fun(doc): yield doc.get('a'), doc"]


def answers(*commands: Any, status: int = 0) -> list[Any]:
    """The lines that the server answers to commands, decoded."""
    output = BytesIO()
    lines = [command if isinstance(command, str) else json.dumps(command) for command in commands]
    assert view.run(input=BytesIO("".join(f"{line}\n" for line in lines).encode()), output=output) == status
    return [json.loads(line) for line in output.getvalue().splitlines()]


def reduced(source: str, *rows: Any) -> Any:
    return answers(["reduce", [source], rows])


def test_the_lines_are_json_as_utf8() -> None:
    output = BytesIO()
    sent = json.dumps(ADD).encode() + b'\n["map_doc", {"a": "\xc3\xa5"}]\n'
    view.run(input=BytesIO(sent), output=output)
    assert output.getvalue() == b'true\n[[["\xc3\xa5", {"a": "\xc3\xa5"}]]]\n'


def test_each_map_function_has_its_rows() -> None:
    pairs = ["add_fun", "def fun(doc): return [(1, 2), [3, 4]]"]
    assert answers(ADD, pairs, ["map_doc", {"a": 1}]) == [True, True, [[[1, {"a": 1}]], [[1, 2], [3, 4]]]]


def test_reset_forgets_functions() -> None:
    assert answers(ADD, ["reset", {"reduce_limit": True}], ["map_doc", {}], ["reset"]) == [True, True, [], True]


def test_shared_code_in_javascript_is_passed_over() -> None:
    assert answers(["add_lib", {"x": "exports.y = 1"}], ADD, ["map_doc", {}]) == [True, True, [[[None, {}]]]]


def test_imports_and_constants_may_stand_beside_the_function() -> None:
    source = "import math\nfrom json import dumps\nONE = 1\ndef fun(doc):\n    yield dumps([ONE]), math.pi > 3\n"
    assert answers(["add_fun", source], ["map_doc", {}]) == [True, [[["[1]", True]]]]
    windows = ["add_fun", source.replace("\n", "\r\n")]
    assert answers(windows, ["map_doc", {}]) == [True, [[["[1]", True]]]]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def fun(doc) yield 1", "expected ':'"),
        ("1 / 0", "division by zero"),
        ("x = 1", 'string must eval to a function (ex: "def(doc): return 1")'),
        ("def one(doc): pass\ndef two(doc): pass", 'string must eval to a function (ex: "def(doc): return 1")'),
    ],
)
def test_a_source_that_is_not_a_function_is_refused(source: str, reason: str) -> None:
    assert answers(["add_fun", source], ["map_doc", {}]) == [["error", "map_compilation_error", reason], []]
    assert reduced(source, [None, 1]) == [["error", "reduce_compilation_error", reason]]


@pytest.mark.parametrize("body", ["yield 1, 1 / 0", "return None", "yield 1"])
def test_a_map_function_that_fails_has_no_rows_and_is_logged(body: str) -> None:
    added, log, rows = answers(["add_fun", f"def fun(doc): {body}"], ["map_doc", {}])
    assert (added, rows) == (True, [[]])
    assert log[0] == "log"
    assert log[1].startswith("Traceback (most recent call last):")
    assert "Error: " in log[1]


def test_functions_may_log() -> None:
    source = "def fun(doc):\n  log('ü')\n  log({'a': [1, 2]})\n  yield 1, 2"
    lines = answers(["add_fun", source], ["map_doc", {}])
    assert lines == [True, ["log", "ü"], ["log", '{"a": [1, 2]}'], [[[1, 2]]]]


def test_reduce_functions_get_keys_and_values() -> None:
    source = "def fun(keys, values, rereduce): return [keys, values, rereduce]"
    keys = [["k", "id"], ["l", "id"]]
    assert reduced(source, [keys[0], 1], [keys[1], 2]) == [[True, [[keys, [1, 2], False]]]]
    assert answers(["rereduce", [source], [1, 2]]) == [[True, [[None, [1, 2], True]]]]
    assert answers(["reduce", [source], []]) == [[True, [[[], [], False]]]]


def test_reduce_functions_need_no_third_parameter() -> None:
    source = "def fun(keys, values): return sum(values)"
    assert reduced(source, [None, 1], [None, 2]) == [[True, [3]]]
    assert answers(["rereduce", [source], [3, 4]]) == [[True, [7]]]


def test_all_reduce_functions_are_answered() -> None:
    sources = ["def fun(keys, values): return sum(values)", "def fun(keys, values): return len(values)"]
    assert answers(["reduce", sources, [[None, 5]]]) == [[True, [5, 1]]]
    assert answers(["rereduce", sources, [5, 6]]) == [[True, [11, 2]]]


def test_a_reduce_function_that_fails_is_an_error_and_the_server_goes_on() -> None:
    lines = answers(["rereduce", ["def fun(keys, values, again): return 1 / 0"], [1]], ["reset"])
    assert lines == [["error", "reduce_runtime_error", "division by zero"], True]


@pytest.mark.parametrize(
    ("line", "error", "reason"),
    [
        (["bogus"], "unknown_command", "unknown command 'bogus'"),
        (["ddoc", "new", "_design/a", {}], "unknown_command", "unknown command 'ddoc'"),
        ([], "unknown_command", "unknown command None"),
        ([["reset"]], "unknown_command", "unknown command ['reset']"),
        ({"a": 1}, "unknown_command", "unknown command None"),
        (["add_fun"], "unknown_command", "add_fun with 0 arguments"),
        ("junk", "json_error", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_line_that_is_not_a_command_ends_the_server(line: Any, error: str, reason: str) -> None:
    assert answers(line, ["reset"], status=1) == [["error", error, reason]]


def test_rows_that_json_cannot_hold_end_the_server() -> None:
    lines = answers(["add_fun", "def fun(doc): yield 1, object()"], ["map_doc", {}], status=1)
    assert lines[1] == ["error", "json_error", "Object of type object is not JSON serializable"]


def test_what_functions_print_does_not_disturb_the_protocol() -> None:
    lines = [["add_fun", "def fun(doc):\n  print('hello')\n  yield 1, 2"], ["map_doc", {}]]
    sent = "".join(json.dumps(line) + "\n" for line in lines).encode()
    done = subprocess.run(COUCHPY, input=sent, capture_output=True, check=True)
    assert done.stdout == b"true\n[[[1, 2]]]\n"
    assert done.stderr.strip() == b"hello"


def test_the_command_logs_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    command = [*COUCHPY, f"--log-file={path}", "--debug", "--json-module=json"]
    done = subprocess.run(command, input=b'["reset"]\n["bogus"]\n', capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == b"true"
    assert "[DEBUG] Processing ['reset']" in path.read_text()


@pytest.mark.parametrize("option", ["--bogus", "--json-module=yaml"])
def test_the_command_refuses_wrong_options(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        view.main([option])
    assert "usage: couchpy" in capsys.readouterr().err
