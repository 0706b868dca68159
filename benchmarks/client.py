"""``python -m benchmarks.client``: the CPU time of the client's calls beside that of other clients' calls.

All of them call one server in another process, in turns, and the best of several rounds counts: so a ratio does not
depend on the machine. couchdb-python and pycouchdb are measured where they are installed (the group ``benchmarks``).
In process the client is measured beside the fake's bare session.
"""

from __future__ import annotations

import argparse
import importlib
import random
import time
import warnings
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import couchdb_client
from benchmarks.servers import ADMIN, Reached, in_process, served

Call = Callable[[], object]

#: It has the same rows however many documents are written meanwhile: those have no name.
VIEW = {"views": {"by_name": {"map": "function (doc) { if (doc.name) emit(doc.name, doc.n); }"}}}
ROWS = 5000

#: Calls that are made many times in each round.
SMALL = ("get", "save", "view, one row")


def fill(reached: Reached) -> None:
    """Make the database ``bench``, with a document, a view, and some thousand more documents."""
    with reached.session() as session:
        session.put(f"{reached.url}/bench")
        session.put(f"{reached.url}/bench/_design/app", json=VIEW)
        docs: list[Any] = [{"_id": f"{number:04}", "name": f"name {number:04}", "n": number} for number in range(ROWS)]
        session.post(f"{reached.url}/bench/_bulk_docs", json={"docs": docs})
        session.get(f"{reached.url}/bench/_design/app/_view/by_name?limit=1")


def ids(name: str) -> Callable[[], str]:
    """Return a function that makes a new document ID at each call."""
    count = 0

    def next_id() -> str:
        nonlocal count
        count += 1
        return f"{name}-{count}"

    return next_id


def like_couchdb_python(db: Any, name: str) -> dict[str, Call]:
    """The calls of a database with couchdb-python's interface."""
    new = ids(name)
    return {
        "get": lambda: db["0007"],
        "save": lambda: db.save({"_id": new(), "n": 1}),
        "view, one row": lambda: list(db.view("app/by_name", key="name 0007")),
        "view, all rows": lambda: sum(1 for row in db.view("app/by_name") if row.value is not None),
        "changes": lambda: len(db.changes(limit=ROWS)["results"]),
        "continuous changes": lambda: sum(1 for _ in db.changes(feed="continuous", limit=ROWS, timeout=1)),
        "bulk of 1000": lambda: db.update([{"_id": new(), "n": 1} for _ in range(1000)]),
    }


def like_pycouchdb(db: Any) -> dict[str, Call]:
    new = ids("pycouchdb")
    return {
        "get": lambda: db.get("0007"),
        "save": lambda: db.save({"_id": new(), "n": 1}),
        "view, one row": lambda: list(db.query("app/by_name", key="name 0007")),
        "view, all rows": lambda: sum(1 for row in db.query("app/by_name") if row["value"] is not None),
        "bulk of 1000": lambda: db.save_bulk([{"_id": new(), "n": 1} for _ in range(1000)]),
    }


def bare(session: Any, url: str) -> dict[str, Call]:
    """The same requests by requests alone."""
    new = ids("bare")
    view = f"{url}/bench/_design/app/_view/by_name"
    key = quote('"name 0007"')

    def save() -> Any:
        docid = new()
        return session.put(f"{url}/bench/{docid}", json={"_id": docid, "n": 1}).json()

    def bulk() -> Any:
        docs = [{"_id": new(), "n": 1} for _ in range(1000)]
        return session.post(f"{url}/bench/_bulk_docs", json={"docs": docs}).json()

    return {
        "get": lambda: session.get(f"{url}/bench/0007").json(),
        "save": save,
        "view, one row": lambda: session.get(f"{view}?key={key}").json()["rows"],
        "view, all rows": lambda: sum(1 for row in session.get(view).json()["rows"] if row["value"] is not None),
        "changes": lambda: len(session.get(f"{url}/bench/_changes?limit={ROWS}").json()["results"]),
        "bulk of 1000": bulk,
    }


def over_a_socket(reached: Reached) -> dict[str, dict[str, Call]]:
    """Return the calls of each client that is installed."""
    url = reached.url.replace("//", f"//{':'.join(ADMIN)}@") + "/"
    clients = {
        "client": like_couchdb_python(couchdb_client.Server(url)["bench"], "client"),
        "requests": bare(reached.session(), reached.url),
    }
    for name in ("couchdb", "pycouchdb"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            print(f"{name} is not installed")
            continue
        if name == "couchdb":
            clients["couchdb 1.2"] = like_couchdb_python(module.Server(url)["bench"], "couchdb")
        else:
            clients[name] = like_pycouchdb(module.Server(url).database("bench"))
    return clients


def measure(clients: dict[str, dict[str, Call]], rounds: int) -> dict[str, dict[str, float]]:
    """Return {call: {client: microseconds of this process' CPU time}}, each the best of all rounds."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for call in clients["client"]:
            for name, calls in random.sample(list(clients.items()), len(clients)):  # none always comes first
                if call not in calls:
                    continue
                count = 150 if call in SMALL else 3
                calls[call]()
                started = time.process_time()
                for _ in range(count):
                    calls[call]()
                spent = (time.process_time() - started) / count * 1e6
                best.setdefault(call, {})[name] = min(spent, best.get(call, {}).get(name, spent))
    return best


def print_table(title: str, figures: dict[str, dict[str, float]], unit: str) -> None:
    names = sorted({name for by_name in figures.values() for name in by_name} - {"client"})
    print(f"\n{title}\n{'microseconds of CPU':<20}{'client':>10}" + "".join(f"{name:>14}" for name in names))
    for call, by_name in figures.items():
        cells = "".join(f"{by_name[name]:>14.0f}" if name in by_name else f"{'':>14}" for name in names)
        ratio = f"   {by_name['client'] / by_name[unit]:.2f} × {unit}" if unit in by_name else ""
        print(f"{call:<20}{by_name['client']:>10.0f}{cells}{ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.client", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # couchdb-python's own
    with served() as reached:
        fill(reached)
        print_table("over a socket", measure(over_a_socket(reached), options.rounds), "couchdb 1.2")
    with in_process() as reached:
        fill(reached)
        url = reached.url.replace("//", f"//{':'.join(ADMIN)}@") + "/"
        server = couchdb_client.Server(url, session=reached.new_session())
        clients = {
            "client": like_couchdb_python(server["bench"], "client"),
            "bare": bare(reached.session(), reached.url),
        }
        print_table("in process", measure(clients, options.rounds), "bare")


if __name__ == "__main__":
    main()
