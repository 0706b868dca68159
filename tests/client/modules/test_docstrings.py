"""The examples in the docstrings of the client's modules."""

from __future__ import annotations

import doctest
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import couchdb_client
from couchdb_client import json


def examples() -> Iterator[doctest.DocTest]:
    for module in pkgutil.walk_packages(couchdb_client.__path__, "couchdb_client."):
        yield from (test for test in doctest.DocTestFinder().find(import_module(module.name)) if test.examples)


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: example.name)
def test_the_example_is_right(example: doctest.DocTest) -> None:
    report: list[str] = []
    doctest.DocTestRunner().run(example, out=report.append)
    json.use("json")
    assert not report, "".join(report)
