"""Write the transcripts of failure messages into the pages: ``python docs/transcripts.py``.

A transcript follows a comment ``<!-- transcript: NAME -->``. Each one runs pytest on files in a temporary folder, or a
program, and takes a part of what it prints. Durations, ports and names of test databases are replaced by fixed ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

DOCS = Path(__file__).parent
ROOT = DOCS.parent
_PLACE = re.compile(r"(?P<head><!-- transcript: (?P<name>\w+) -->\n```text\n)(?P<body>.*?)(?P<tail>```$)", re.M | re.S)


_NOT_PASSED_ON = ("COUCHFAKE_", "PYTEST_", "CI", "BUILD_NUMBER")
"""Beginnings of variables that change what pytest prints; on a CI server it shortens nothing."""


@dataclass(frozen=True)
class Transcript:
    """What to run, and which lines to show: those from ``first`` to before ``last`` (regular expressions)."""

    files: Mapping[str, str]
    first: str
    last: str = r"^=+ "
    program: str | None = None
    options: tuple[str, ...] = field(default=("--tb=short",))

    def text(self) -> str:
        """Run it, and return the lines to show."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files.items():
                Path(folder, name).write_text(dedent(content), "utf-8")
            lines = _stable(self._output(folder)).splitlines()
        start = next(n for n, line in enumerate(lines) if re.search(self.first, line))
        end = next((n for n in range(start + 1, len(lines)) if re.search(self.last, lines[n])), len(lines))
        return "\n".join(line.rstrip() for line in lines[start:end]).rstrip() + "\n"

    def _output(self, folder: str) -> str:
        run = [sys.executable, "-m", "pytest", "-p", "conftest_plugin", "-p", "no:cacheprovider", *self.options]
        command = run if self.program is None else [sys.executable, self.program]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)},
            "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "90",
        }  # fmt: skip
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=60, check=False)
        return done.stdout.decode("utf-8") + done.stderr.decode("utf-8")


def _stable(text: str) -> str:
    text = re.sub(r"couchfake-test-[0-9a-f]{32}", "couchfake-test-5d3c…", text)
    text = re.sub(r"couchfake-test-[0-9a-f]+(\.\.\.|…)", "couchfake-test-5d3c…", text)
    text = re.sub(r"\(\d+(\.\d+)? ms\)", "(0.4 ms)", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:40713", text)


TRANSCRIPTS = {
    "scope": Transcript(
        {
            "test_shop.py": """\
                import pytest

                @pytest.fixture(scope="session")
                def shop(couch_db):
                    return couch_db

                def test_shop(shop): ...
                """
        },
        first=r"lives for one test",
    ),
    "count": Transcript(
        {
            "test_shop.py": """\
                def test_one_query_is_enough(couchfake, couch_db):
                    couch_db["tea"] = {"price": 3}
                    list(couch_db.view("_all_docs"))
                    assert couchfake.requests.to("POST", "**/_find").count == 1
                """
        },
        first=r"^E  ",
        last=r"^-+ CouchDB",
    ),
    "report": Transcript(
        {
            "test_shop.py": """\
                def test_prices(couch_db):
                    couch_db["_design/shop"] = {
                        "views": {"prices": {"map": "function (doc) { log('no price: ' + doc._id); }"}}
                    }
                    couch_db["tea"] = {"cost": 3}
                    rows = list(couch_db.view("shop/prices"))
                    assert [row.key for row in rows] == [3]
                """
        },
        first=r"^____",
    ),
    "documents": Transcript(
        {
            "test_shop.py": """\
                def test_tea(couch_db):
                    couch_db["tea"] = {"price": 3, "tags": ["hot", "green"]}
                    assert couch_db["tea"] == {"_id": "tea", "price": 4, "tags": ["hot", "black"]}
                """
        },
        first=r"^E  ",
        last=r"^-+ CouchDB",
    ),
    "gate": Transcript(
        {
            "test_shop.py": """\
                import pytest

                @pytest.mark.couch(gates=["unindexed_query"])
                def test_cheap(couch_db):
                    list(couch_db.find({"selector": {"kind": "tea", "price": {"$lt": 4}}}))
                """
        },
        first=r"^couch_gates: ",
        last=r"^-+ CouchDB",
    ),
    "fault": Transcript(
        {
            "test_shop.py": """\
                from couchfake.testing import couch_fixture

                shop = couch_fixture("shop", scope="session")

                def test_it(shop, couchfake):
                    couchfake.faults.refuse(503, path="/shop/**")

                def test_next(shop): ...
                """
        },
        first=r"a fault was left on",
        last=r"^=",
    ),
    "tree": Transcript(
        {
            "tree.py": """\
                from couchfake import CouchFake

                fake = CouchFake()
                fake.session().put(fake.url + "shop").raise_for_status()
                print(fake.grow("shop", "tea", [{"n": 1}, [{"n": 2}, {"n": 3}], {"n": 4}, None]))
                """
        },
        first=r"^tea",
        program="tree.py",
    ),
    "conflict": Transcript(
        {
            "test_shop.py": """\
                def test_the_price_is_clear(couch_db, couch_conflict):
                    couch_conflict(couch_db, "tea", {"price": 3}, {"price": 4}, base={"price": 2})
                    assert "_conflicts" not in couch_db.get("tea", conflicts=True)
                """
        },
        first=r"^-+ CouchDB documents in conflict",
        last=r"^=",
    ),
    "unreachable": Transcript(
        {"test_shop.py": "def test_it(couch_db): ...\n"},
        first=r"cannot be reached",
        options=("--couch-url", "http://adm:S3CRET@127.0.0.1:1/"),
    ),
}  # fmt: skip


def pages() -> Iterator[Path]:
    """The pages that have transcripts."""
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]:
        if _PLACE.search(path.read_text("utf-8")):
            yield path


def with_transcripts(text: str, found: dict[str, str]) -> str:
    """Return a page with its transcripts replaced. ``found`` keeps those that have run."""

    def replaced(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in found:
            found[name] = TRANSCRIPTS[name].text()
        return match["head"] + found[name] + match["tail"]

    return _PLACE.sub(replaced, text)


if __name__ == "__main__":
    ran: dict[str, str] = {}
    for page in pages():
        page.write_text(with_transcripts(page.read_text("utf-8"), ran), "utf-8")
