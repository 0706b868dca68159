#!/usr/bin/env python3
"""How fast design functions run: documents a second through three simple views, and what a single call costs.

python benchmarks/bench_javascript.py [--engine quickjs] [--docs 5000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable

from couchfake.query_server import QueryServer

SIMPLE = [
    ("by_type", "function (doc) { emit(doc.type, null); }"),
    ("by_city", "function (doc) { if (doc.type === 'person') { emit([doc.city, doc.age], doc.score); } }"),
    ("by_tag", "function (doc) { (doc.tags || []).forEach(function (tag) { emit(tag, 1); }); }"),
]
SPLITTING = """function (doc) {
  (doc.bio || '').split(' ').forEach(function (w) { if (w.length > 6) { emit(w.toUpperCase(), null); } });
}"""
WORDS = ("words", SPLITTING)
MUTATING = ("mutating", "function (doc) { doc.seen = true; var out = []; out.push(doc.city); emit(out, doc.age); }")


def person(number: int) -> bytes:
    dice = random.Random(number)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(3, 10))) for _ in range(50)]
    doc = {
        "_id": f"p{number:06d}",
        "_rev": f"1-{number:032x}",
        "type": "person",
        "name": " ".join(words[:2]),
        "age": dice.randint(1, 99),
        "city": words[2],
        "tags": words[3:8],
        "active": dice.random() < 0.5,
        "score": round(dice.random() * 1000, 3),
        "address": {"street": words[8], "zip": "12345", "geo": [dice.uniform(-90, 90), dice.uniform(-180, 180)]},
        "bio": " ".join(words[10:]),
    }
    return json.dumps(doc, separators=(",", ":")).encode()


def rate(work: Callable[[], int], rounds: int) -> float:
    """Operations a second, the median of some rounds; ``work`` says how many it did."""
    rates = []
    for _ in range(rounds):
        start = time.perf_counter()
        count = work()
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--engine", default="quickjs")
    arguments.add_argument("--docs", type=int, default=5000)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    docs = [person(number) for number in range(options.docs)]
    batches = [docs[start : start + 200] for start in range(0, len(docs), 200)]
    server = QueryServer(options.engine)

    def mapping(functions: list[tuple[str, str]]) -> Callable[[], int]:
        def work() -> int:
            session = server.compile_map(functions)
            for _ in session.map_batches(batches):
                pass
            server.release(session, functions)
            return len(docs)

        return work

    for name, functions in (
        ("three simple views", SIMPLE),
        ("benchmark's three views", [*SIMPLE[1:], WORDS]),
        ("one simple view", SIMPLE[:1]),
        ("one view that mutates", [MUTATING]),
    ):
        print(f"{name:30} {rate(mapping(functions), options.rounds):>10,.0f} documents/s")

    session = server.compile_map(SIMPLE[:1])
    reducer = server.reducer("function (keys, values) { return sum(values); }")
    design = server.design_functions(
        {"_id": "_design/d", "validate_doc_update": "function (doc) { if (!doc.type) throw {forbidden: 'type'}; }"}
    )
    doc = json.loads(docs[0])
    user = {"db": "db", "name": "ann", "roles": []}
    rows = [[[number, "id"], number] for number in range(10)]
    for name, call in (
        ("map one document", lambda: session.map_docs(docs[:1])),
        ("reduce ten rows", lambda: reducer.reduce(rows)),
        ("validate one document", lambda: design.validate_doc_update(doc, None, user, {})),
    ):

        def work(call: Callable[[], object] = call) -> int:
            for _ in range(300):
                call()
            return 300

        work()
        print(f"{name:30} {1e6 / rate(work, options.rounds):>10,.0f} µs")
    start = time.perf_counter()
    for number in range(30):
        server.compile_map([("v", f"function (doc) {{ emit({number}); }}")]).close()
    print(f"{'compile a map function':30} {(time.perf_counter() - start) / 30 * 1e6:>10,.0f} µs")
    server.close()


if __name__ == "__main__":
    main()
