"""The order of answers that the real server collects in a dict."""

from __future__ import annotations

from couchfake.values.erlang_dict import in_dict_order


def test_keys_come_in_the_order_of_their_buckets() -> None:
    assert in_dict_order(["a", "nope"]) == ["nope", "a"]
    assert in_dict_order(["nope", "a"]) == ["nope", "a"]


def test_keys_of_one_bucket_come_back_latest_first() -> None:
    keys = [f"key{n}" for n in range(60)]
    order = in_dict_order(keys)
    together = [key for key in order if key in {"key0", "key16", "key32"}]
    assert sorted(order) == sorted(keys)
    assert in_dict_order(list(reversed(keys))) != order
    assert len(together) == 3


def test_a_grown_table_still_has_every_key_once() -> None:
    keys = [f"document {n}" for n in range(1000)]
    assert sorted(in_dict_order(keys)) == sorted(keys)
