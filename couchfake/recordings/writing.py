"""Write a recording: JSON with a line for each step, so that a difference between two of them can be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


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
    """Return a step as JSON on one line: what was captured and asked first, then the answer."""
    ordered = {name: step[name] for name in ("request", "capture", "response") if name in step}
    return json.dumps(ordered, ensure_ascii=False)


def write_recording(recording: dict[str, Any], path: Path) -> None:
    """Write a recording to a file, compressed if its name ends in ``.gz``. Raise OSError if it cannot be written."""
    data = (as_text(recording) + "\n").encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
