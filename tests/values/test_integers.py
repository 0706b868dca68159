"""Integers as requests and settings write them."""

from __future__ import annotations

import pytest

from couchfake.values.integers import read_integer


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("12", 12), ("+7", 7), ("-7", -7), ("9" * 4000, 10**4000 - 1)])
def test_an_integer_is_read(text: str, value: int) -> None:
    assert read_integer(text) == value


def test_an_integer_longer_than_python_reads_is_still_a_large_one() -> None:
    assert read_integer("9" * 5000) == 10**4000 - 1
    assert read_integer("-" + "9" * 5000) == -(10**3999) + 1


@pytest.mark.parametrize("text", ["", "x", "1.5", "1e3"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        read_integer(text)
