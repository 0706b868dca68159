"""Update sequences as texts."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchfake.errors import BadRequest
from couchfake.storage.sequences import SequenceFormat

SEQUENCES = SequenceFormat("0123456789abcdef" * 2)
numbers = st.integers(0, (1 << 32) - 1)


def opaque(text: str) -> str:
    return text.partition("-")[2]


@given(numbers)
def test_a_sequence_that_was_given_out_is_taken_back(number: int) -> None:
    text = SEQUENCES.pack(number)
    assert text.startswith(f"{number}-")
    assert SEQUENCES.unpack(text) == number


def test_a_sequence_with_a_second_dash_is_taken_back() -> None:
    with_dashes = [number for number in range(1000) if "-" in opaque(SEQUENCES.pack(number))]
    assert with_dashes
    for number in with_dashes:
        assert SEQUENCES.unpack(SEQUENCES.pack(number)) == number


@given(numbers)
def test_the_opaque_part_counts_and_the_number_before_it_is_for_people(number: int) -> None:
    text = opaque(SEQUENCES.pack(number))
    assert SEQUENCES.unpack(text) == SEQUENCES.unpack(f"9-{text}") == SEQUENCES.unpack(f'"9-{text}"') == number


@given(st.lists(numbers))
def test_many_are_packed_as_each_alone(several: list[int]) -> None:
    assert SEQUENCES.pack_many(several) == [SEQUENCES.pack(each) for each in several]


def test_all_sequences_of_a_database_have_the_same_length() -> None:
    assert len({len(opaque(SEQUENCES.pack(number))) for number in (0, 1, 255, 256, 70_000, (1 << 32) - 1)}) == 1


def test_the_opaque_part_is_an_erlang_term_in_base64() -> None:
    text = opaque(SEQUENCES.pack(7))
    assert base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).startswith(b"\x83l")


@pytest.mark.parametrize("text", ["", "7", "7-", "7-x", "x", "-", "7-!!!", "now", "0.5", "[1,2]", "7-é", "g3k"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="Malformed sequence"):
        SEQUENCES.unpack(text)


@given(st.text())
def test_any_text_is_a_sequence_or_refused(text: str) -> None:
    try:
        assert SEQUENCES.unpack(text) >= 0
    except BadRequest:
        pass


def test_an_empty_list_is_the_beginning() -> None:
    assert SEQUENCES.unpack("0-g2o") == 0


def test_a_sequence_of_another_database_counts_from_the_start() -> None:
    assert SEQUENCES.unpack(SequenceFormat("f" * 32).pack(7)) == 0


def test_so_does_one_of_a_real_server_whose_terms_are_compressed() -> None:
    term = b"l\x00\x00\x00\x01h\x03d\x00\x01ab\x00\x00\x00\x07m\x00\x00\x00\x00j"
    packed = b"\x83P" + len(term).to_bytes(4, "big") + zlib.compress(term)
    text = base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")
    assert SEQUENCES.unpack(f"7-{text}") == 0


def test_a_sequence_that_was_cut_is_refused_or_counts_from_the_start() -> None:
    text = SEQUENCES.pack(7)
    for end in range(4, len(text)):
        try:
            assert SEQUENCES.unpack(text[:end]) == 0
        except BadRequest:
            pass
