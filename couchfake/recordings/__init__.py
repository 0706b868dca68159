"""Recorded exchanges with a real CouchDB, and how to play them against a server.

A recording has scenarios, which are lists of steps; a step is a request with the answer that the real server gave (the
format is described in ``docs/recordings.md``). Those that ship are package data, one gzipped JSON file for each area.
A recording is written as JSON with a line for each step, so that a difference between two of them can be read.

``player`` sends the requests (to a URL, or to the application in this process), ``comparison`` says how far an answer
agrees: in status, in body, or exactly (members in the recorded order too). Of the tools (``commands``), ``check`` and
``replay`` play recordings on a ``target``, ``recorder`` makes them (``transcript``), ``differential`` compares a server
with a fake; ``report`` says what was found.
"""

from __future__ import annotations

import gzip
import json
from importlib import resources
from pathlib import Path
from typing import Any

_SUFFIX = ".json.gz"


def area_names() -> list[str]:
    """Return the names of the recorded areas in alphabetical order."""
    folder = resources.files(__package__) / "corpus"
    return sorted(file.name.removesuffix(_SUFFIX) for file in folder.iterdir() if file.name.endswith(_SUFFIX))


def load_area(name: str) -> dict[str, Any]:
    """Return the recording of an area, ``{"area", "recorded_from", "scenarios"}``. Raise KeyError if there is none."""
    file = resources.files(__package__) / "corpus" / f"{name}{_SUFFIX}"
    if not file.is_file():
        raise KeyError(name)
    recording: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return recording


def as_text(recording: dict[str, Any]) -> str:
    """Return a recording as JSON with a line for each step."""
    lines = ["{"]
    lines += [f" {json.dumps(name)}: {json.dumps(recording[name])}," for name in ("area", "recorded_from")]
    lines.append(' "scenarios": [')
    for number, scenario in enumerate(recording["scenarios"]):
        head = {name: value for name, value in scenario.items() if name != "steps"}
        lines.append("  " + json.dumps(head, ensure_ascii=False)[:-1] + ', "steps": [')
        lines.append(",\n".join(f"   {step_text(step)}" for step in scenario["steps"]))
        lines.append("  ]}" + ("," if number + 1 < len(recording["scenarios"]) else ""))
    lines += [" ]", "}"]
    return "\n".join(lines)


def step_text(step: dict[str, Any]) -> str:
    """Return a step as JSON on one line: what was captured and the request first, then the response."""
    ordered = {name: step[name] for name in ("request", "capture", "response") if name in step}
    return json.dumps(ordered, ensure_ascii=False)


def load(path: Path) -> dict[str, Any]:
    """Return a recording, ``{"area", "recorded_from", "scenarios"}``, from a file that is plain or gzipped."""
    data = path.read_bytes()
    recording: dict[str, Any] = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    return recording


def write_recording(recording: dict[str, Any], path: Path) -> None:
    """Write a recording to a file, compressed if its name ends in ``.gz``. Raise OSError if it cannot be written."""
    data = (as_text(recording) + "\n").encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
