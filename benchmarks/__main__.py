"""``python -m benchmarks``: rates over a socket and in process, start-up, growth and memory.

A rate divided by the yardstick's (a bare http.server that answers 'ok' to the same client in the same run) can be
compared between machines; a rate by itself cannot.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.scale import times_at
from benchmarks.servers import in_process, served, yardstick
from benchmarks.sizes import memory_of
from benchmarks.startup import first_tests_ms, plugin_import_ms
from benchmarks.workloads import ROWS, Workloads

PARTS = ["rates", "startup", "growth", "memory"]


def rates(rows: list[str], rounds: int, docs: int) -> dict[str, Any]:
    """{row: {way: operations a second}}, medians of all rounds; and the yardstick's rate under ``yardstick``."""
    found: dict[str, dict[str, list[float]]] = {row: {} for row in rows}
    with contextlib.ExitStack() as stack:
        measure = stack.enter_context(yardstick())
        ways = {"socket": stack.enter_context(served()), "in process": stack.enter_context(in_process())}
        work = {way: Workloads(server, docs) for way, server in ways.items()}
        for each in work.values():
            each.set_up()
        yardsticks = []
        for _ in range(rounds):
            yardsticks.append(measure())
            for row in rows:
                for way, each in work.items():
                    found[row].setdefault(way, []).append(each.rate(row))
    medians: dict[str, Any] = {
        row: {way: statistics.median(values) for way, values in by_way.items()} for row, by_way in found.items()
    }
    return {"yardstick": statistics.median(yardsticks), **medians}


def print_rates(measured: dict[str, Any]) -> None:
    unit = measured["yardstick"]
    print(f"\nyardstick: {unit:.0f} requests/s")
    print(f"{'operations/s':<22}{'socket':>10}{'/yardst.':>10}{'in process':>12}{'/yardst.':>10}")
    for row, by_way in measured.items():
        if row != "yardstick":
            socket, inside = by_way["socket"], by_way["in process"]
            print(f"{row:<22}{socket:>10.0f}{socket / unit:>10.3f}{inside:>12.0f}{inside / unit:>10.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--only", default="", help=f"rows, with commas, of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--docs", type=int, default=5000, help="documents in the database that is read")
    parser.add_argument("--large", type=int, default=100_000, help="documents in the large database")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args()
    rows = [row for row in ROWS if row in options.only.split(",") or not options.only]
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown or not rows:
        parser.error(f"there is no {unknown[0]}" if unknown else "there are no such rows")
    parts = options.parts or PARTS
    figures: dict[str, Any] = {}
    if "rates" in parts:
        figures["rates"] = rates(rows, options.rounds, options.docs)
        print_rates(figures["rates"])
    if "startup" in parts:
        figures["startup"] = {"import of the plugin": plugin_import_ms(), **first_tests_ms()}
        print("\nmilliseconds, in process")
        for name, value in figures["startup"].items():
            print(f"{name:<52}{value:>8.2f}")
    if "growth" in parts:
        figures["growth"] = times_at(100, options.large)
        print(f"\n{'milliseconds':<26}{'100 docs':>12}{f'{options.large} docs':>14}")
        for name, (first, second) in figures["growth"].items():
            print(f"{name:<26}{first:>12.3f}{second:>14.3f}")
    if "memory" in parts:
        figures["memory"] = memory_of(options.large)
        empty, filled = figures["memory"]["empty"], figures["memory"]["filled"]
        print(f"\nmemory: {filled:.0f} MB with {options.large} documents of 500 bytes, {empty:.0f} MB without")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
