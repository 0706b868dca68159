"""Chapters of the API are imported when they first answer, and once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from couchfake import CouchFake

def found():
    fake = CouchFake()
    session = fake.session()
    session.put(fake.url + "shop").raise_for_status()
    session.put(fake.url + "shop/tea", json={"price": 3}).raise_for_status()
    session.put(fake.url + "shop/_design/a", json={"views": {"v": {"map": "function (doc) {}"}}}).raise_for_status()
    session.get(fake.url + "shop/_design/a/_view/v").raise_for_status()
    if not asks:
        return None
    return session.post(fake.url + "shop/_find", json={"selector": {"price": {"$gt": 2}}}).json()["docs"]

asks = False
found()  # imports all but the chapter of _find
before = dict(sys.modules)
asks = True
assert found()
sys.modules.clear()
sys.modules.update(before)
print(len(found()))
"""


def test_modules_that_pytester_removes_are_not_imported_a_second_time() -> None:
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
