"""Random selectors over random documents: compiled and plainly interpreted, they must agree.

The plain interpretation goes through a selector one condition at a time. It compares values pair by pair, with ICU's
own comparison of two strings; nothing is compiled, and nothing is turned into keys.
"""

from __future__ import annotations

import re
from typing import Any

import icu
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake.mango.matcher import Matcher
from couchfake.mango.ranges import MAX, MIN, field_ranges
from couchfake.mango.selector import normalise
from couchfake.values.collation import Collator

# ---- the plain interpretation

ICU = icu.Collator.createInstance(icu.Locale.getRoot())
MISSING = object()
WRONG_WAY = object()


def rank(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool):
        return 1
    if isinstance(value, (int, float)):
        return 2
    if isinstance(value, str):
        return 3
    return 4 if isinstance(value, list) else 5


def compare(left: Any, right: Any) -> int:
    if rank(left) != rank(right):
        return -1 if rank(left) < rank(right) else 1
    kind = rank(left)
    if kind in (1, 2):
        return (left > right) - (left < right)
    if kind == 3:
        return ICU.compare(left, right)
    if kind == 4:
        return compare_sequences(left, right)
    if kind == 5:
        return compare_sequences(
            [x for pair in left.items() for x in pair], [x for pair in right.items() for x in pair]
        )
    return 0


def compare_sequences(left: list, right: list) -> int:
    for one, other in zip(left, right):
        order = compare(one, other)
        if order:
            return order
    return (len(left) > len(right)) - (len(left) < len(right))


def compare_raw(left: Any, right: Any) -> int:
    assert isinstance(left, str)
    if not isinstance(right, str):
        return 1
    one, other = left.encode(), right.encode()
    return (one > other) - (one < other)


def look_up(value: Any, field: str) -> Any:
    for name in field.split("."):
        if isinstance(value, dict):
            if name not in value:
                return MISSING
            value = value[name]
        elif isinstance(value, list) and re.fullmatch(r"\d+", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return WRONG_WAY
    return value


def plainly_matches(selector: dict, value: Any, order: Any = compare) -> bool:
    """``selector`` is normalised."""
    if not selector:
        return True
    ((name, argument),) = selector.items()
    if name == "$and":
        return all(plainly_matches(each, value, order) for each in argument)
    if name == "$or":
        return not argument or any(plainly_matches(each, value, order) for each in argument)
    if name == "$nor":
        return not any(plainly_matches(each, value, order) for each in argument)
    if name == "$not":
        return not plainly_matches(argument, value, order)
    if name == "":
        return plainly_matches(argument, value, order)
    if not name.startswith("$"):
        found = look_up(value, name)
        if found is MISSING:
            return argument == {"$exists": False}
        return found is not WRONG_WAY and plainly_matches(argument, found, compare_raw if name == "_id" else order)
    return condition(name, argument, value, order)


def condition(name: str, argument: Any, value: Any, order: Any) -> bool:
    if name in ("$lt", "$lte", "$eq", "$ne", "$gte", "$gt"):
        result = order(value, argument)
        return {
            "$lt": result < 0,
            "$lte": result <= 0,
            "$eq": result == 0,
            "$ne": result != 0,
            "$gte": result >= 0,
            "$gt": result > 0,
        }[name]
    if name in ("$in", "$nin"):
        values = value if isinstance(value, list) else [value]
        found = any(order(each, wanted) == 0 for each in values for wanted in argument)
        return found if name == "$in" else not found
    if name == "$exists":
        return argument
    if name == "$type":
        return ["null", "boolean", "number", "string", "array", "object"][rank(value)] == argument
    if name == "$size":
        return isinstance(value, list) and len(value) == argument
    if name == "$mod":
        divisor, remainder = argument
        return type(value) is int and abs(value) % abs(divisor) * (-1 if value < 0 else 1) == remainder
    if name == "$regex":
        return isinstance(value, str) and re.search(argument, value) is not None
    if name == "$beginsWith":
        return isinstance(value, str) and value.startswith(argument)
    if name == "$elemMatch":
        return isinstance(value, list) and any(plainly_matches(argument, each, order) for each in value)
    if name == "$allMatch":
        return isinstance(value, list) and value != [] and all(plainly_matches(argument, each, order) for each in value)
    if name == "$keyMapMatch":
        return isinstance(value, dict) and any(plainly_matches(argument, each, order) for each in value)
    if name == "$all":
        return (
            isinstance(value, list)
            and argument != []
            and all(any(type(one) is type(each) and one == each for each in value) for one in argument)
        )
    raise AssertionError(name)


# ---- random selectors and documents

COLLATOR = Collator()
FIELDS = st.sampled_from(["a", "b", "o", "o.x", "o.y", "l", "l.0", "_id"])
STRINGS = st.sampled_from(["", "a", "A", "b", "ab", "ä", "ß", "ss", "z", "10", "9", "-x", "x\u0301", "日本"])
NUMBERS = st.integers(-3, 12) | st.sampled_from([0.5, 1.0, 2.5, 1e30, 10**20])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, STRINGS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    max_leaves=5,
)
COMPARISONS = st.sampled_from(["$lt", "$lte", "$eq", "$ne", "$gte", "$gt"])


def operator_conditions() -> st.SearchStrategy[dict]:
    return st.one_of(
        st.tuples(COMPARISONS, VALUES).map(lambda pair: {pair[0]: pair[1]}),
        st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(VALUES, max_size=3)).map(lambda pair: {pair[0]: pair[1]}),
        st.booleans().map(lambda value: {"$exists": value}),
        st.sampled_from(["null", "number", "string", "array", "object", "boolean"]).map(lambda value: {"$type": value}),
        st.integers(0, 3).map(lambda value: {"$size": value}),
        st.tuples(st.integers(1, 4), st.integers(-1, 3)).map(lambda value: {"$mod": list(value)}),
        st.sampled_from(["^a", "b$", "[a-m]", "x?"]).map(lambda value: {"$regex": value}),
        st.sampled_from(["", "a", "ä", "1"]).map(lambda value: {"$beginsWith": value}),
        st.lists(STRINGS, max_size=2).map(lambda value: {"$all": value}),
    )


CONDITIONS = st.recursive(
    operator_conditions(),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["$elemMatch", "$allMatch", "$keyMapMatch", "$not"]), inner).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=2)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
    ),
    max_leaves=3,
)


SELECTORS = st.recursive(
    st.dictionaries(FIELDS, st.one_of(SCALARS, CONDITIONS), min_size=1, max_size=3),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["$and", "$or", "$nor"]), st.lists(inner, min_size=1, max_size=3)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
        inner.map(lambda each: {"$not": each}),
    ),
    max_leaves=4,
)
DOCUMENTS = st.fixed_dictionaries(
    {"_id": st.sampled_from(["a", "B", "ä", "~"])},
    optional={
        "a": VALUES,
        "b": SCALARS,
        "o": st.dictionaries(st.sampled_from("xyz"), SCALARS, max_size=3),
        "l": st.lists(SCALARS, max_size=3),
    },
)


def raw_comparable(selector: Any) -> bool:
    """The plain interpreter orders ids among strings only."""
    return "_id" not in repr(selector) or not any(name in repr(selector) for name in ("$all", "Match"))


@given(SELECTORS.filter(raw_comparable), DOCUMENTS)
@settings(max_examples=400, deadline=None)
def test_a_compiled_selector_agrees_with_a_plain_interpretation(selector: dict, document: dict) -> None:
    normal = normalise(selector)
    assert Matcher(normal, COLLATOR).match(document) is plainly_matches(normal, document)


@given(SELECTORS)
@settings(max_examples=200, deadline=None)
def test_the_normal_form_of_a_normal_form_is_itself(selector: dict) -> None:
    normal = normalise(selector)
    assert normalise(normal) == normal


@given(SELECTORS.filter(raw_comparable), DOCUMENTS)
@settings(max_examples=200, deadline=None)
def test_a_selector_tested_apart_from_its_documents_underscored_members_gives_the_same(
    selector: dict, document: dict
) -> None:
    matcher = Matcher(normalise(selector), COLLATOR)
    body = {name: value for name, value in document.items() if name != "_id"}
    assert matcher.matches(body, {"_id": document["_id"]}) is matcher.match(document)


@given(SELECTORS.filter(raw_comparable), DOCUMENTS)
@settings(max_examples=300, deadline=None)
def test_the_ranges_of_a_selector_hold_every_document_that_matches(selector: dict, document: dict) -> None:
    normal = normalise(selector)
    if not plainly_matches(normal, document):
        return
    for field, span in field_ranges(normal, COLLATOR.sort_key).items():
        value = look_up(document, field)
        if value in (MISSING, WRONG_WAY) or field == "_id":
            continue
        assert span is not None
        assert span.low is MIN or compare(span.low, value) <= 0
        assert span.high is MAX or compare(value, span.high) <= 0
