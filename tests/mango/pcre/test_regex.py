from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from couchfake import CouchFake
from couchfake.mango import pcre
from couchfake.mango.pcre import is_valid_pattern, regex_test, unlimited_length
from couchfake.mango.pcre.translate import translate


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[",
        "*",
        "\\",
        "(?<n",
        "a**",
        "^*",
        "\\b+",
        "a{3,2}",
        "[z-a]",
        "(?<=a+)b",
        "\\1",
        "(?z)",
        "[[:foo:]]",
        "(?P<a>x)(?P<a>y)",
        "\\x{100}",
        "[\\x{100}]",
        "\\o{400}",
        "(*BOGUS)",
        "a(*MARK)",
        "a(*:)",
        "a(*COMMIT:name)",
        "a(*ACCEPT:name)",
        "a(*F:name)",
        "x*(?#c)+",
        "\\N{DIGIT ONE}",
        "(?(1)a|b|c)(d)",
        "\\k<none>",
        "(?5)",
        "(a{65535}){65535}",  # larger than 64 KB when compiled
        "((((a|b){20}){20}){20})",
        pytest.param("(" * 5000 + "a" + ")" * 5000, id="deep"),
        "a" * 40_000,
        "\\1(*ACCEPT)",
        "[\\N]",
        "[\\R]",
        "[\\B]",
        "[\\X]",
        "[[.a.]]",
        "[[=a=]]",
        "[\\400]",
        "[\\Qa",
        "[a-\\Q]\\E]",
        "[a-\\E",
        "[\\Q\\E^]",
        "[\\p{L",
        "\\p{}",
        "\\c\x01",
        "\\cé",
        "\\o101",
        "\\o{9}",
        "\\400",
        "\\L",
        "\\l",
        "\\U",
        "\\u0041",
        "\\k",
        "\\k{1}",
        "(a)\\g",
        "(a)\\g{-2}",
        "(a)\\2",
        "a(?#",
        "\\G?a",
        "\\K+",
        "\\E+",
        "(\\Q\\E+)",
        "a+\\E+",
    ],
)
def test_a_pattern_that_pcre_refuses_is_refused(pattern: str) -> None:
    assert not is_valid_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a{2", "a{2"),  # a brace that begins no repetition
        ("a{,3}", "a{,3}"),
        ("[]a]", "]"),
        ("[^]a]", "b"),
        ("[a-\\d]", "-"),
        ("[\\w-]", "-"),
        ("\\Qa.b\\E+", "a.bb"),
        ("^a\\Q\\Eb$", "ab"),
        ("(?<y>\\d{4})-\\k<y>", "2024-2024"),
        ("(?'q'[\"']).*\\k'q'", "'x'"),
        ("(?P<n>a)(?P=n)", "aa"),
        ("(a)\\g{-1}", "aa"),
        ("a(?i)b|c", "C"),
        ("(?i:a)b", "Ab"),
        ("(?i)[[:upper:]]", "a"),
        ("[[:^digit:]]", "x"),
        ("a.b(?s).c", "aXb\nc"),
        ("(?m)^b$", "a\nb\nc"),
        ("b$", "ab\n"),
        ("(?x) a b # a comment\n c", "abc"),
        ("(?U)a+b", "aab"),
        ("\\h\\v", " \n"),
        ("x\\Ky", "xy"),
        ("(?|(a)|(b))\\1", "bb"),
        ("(?|a|b)c", "bc"),
        ("^(\\((?:[^()]|(?1))*\\))$", "(a(b)c)"),
        ("(a)?(?(1)b|c)", "ab"),
        ("a(?R)?b", "ab"),
        ("<(?R)*>", "<<>>"),
        ("\\x41\\101\\t\\cA\\o{102}", "AA\t\x01B"),
        ("\\p{Lu}", "aB"),
        ("^[\\101\\x4b]{2}$", "AK"),
        ("^[\\p{Ll}\\p{Nd}]{2}$", "a1"),
        ("^\\p{Xan}\\p{Xwd}\\p{Xsp}\\p{Xps}$", "a_ \n"),
        ("^\\p{Xuc}\\P{Xuc}[\\p{Xuc}a][\\P{Xuc}@]$", "$a`b"),
        ("(*UTF8)^\\p{Xuc}\\p{^Xuc}$", "äa"),
        ("^\\p{Any}\\p{L&}$", "1a"),
        ("^a{2,}$", "aaa"),
        ("^\\Qa\\E.\\Qb\\E$", "axb"),
        ("^\\x{6a}\\x6b$", "jk"),
        ("(?<=(?:\\p{L}|a))b", "ab"),
        ("(?i)^(?(?=A)ab|c)$", "ab"),
        ("\\R", "\r\n"),
        ("(?=a)a(?!b)(?<=a)(?<!x)", "ac"),
        ("(?<=ab|c)d", "cd"),
        ("(?<=(ab))c", "abc"),
        ("(?<=^a)b", "ab"),
        ("(?<=a{2})b", "aab"),
        ("(?<=(?:\\Qab\\E|cd))e", "abe"),
        ("^[a-\\p{Lu}]{3}$", "a-Q"),
        ("(?<=(?<n>a)b)c", "abc"),
        ("a(?#comment)b", "ab"),
        ("a(?C)b(?C12)c", "abc"),
        ("(*UTF8)^.$", "ä"),
        ("\\8\\9", "89"),  # no such groups: the digits themselves
        ("(*ACCEPT)a", "b"),
        ("a(*ACCEPT)b", "ac"),
        ("a(*PRUNE:name)b", "ab"),
        ("^a(*MARK:one)b(*:two)$", "ab"),
        ("(a(*ACCEPT)b)c", "ad"),
        ("(?:a(*ACCEPT)b)+c", "a"),
        ("日", "日本"),
        ("^\\N$", "a"),
        ("^\\C\\C$", "a\n"),
        ("^\\X\\X$", "ab"),
        ("^\\cz\\c[$", "\x1a\x1b"),
        ("^\\0a\\011$", "\0a\t"),
        ("^\\11$", "\t"),
        ("^\\xzz$", "\0zz"),
        ("^\\pL\\PL$", "a1"),
        ("^\\p{^L}\\P{^L}$", "1a"),
        ("(a)\\g1", "aa"),
        ("(?<n>a)\\g{n}", "aa"),
        ("(?<n>a)\\k{n}", "aa"),
        ("^([ab])\\g<1>$", "ab"),
        ("^(?<n>[ab])\\g'n'$", "ab"),
        ("^([ab])\\g<-1>$", "ab"),
        ("^\\g<+1>([ab])$", "ab"),
        ("^(?+1)([ab])$", "ab"),
        ("^[\\Qa-c\\E]+$", "a-c"),
        ("^[\\Q\\Ea\\E]$", "a"),
        ("^[\\b]$", "\b"),
        ("^[\\0\\1]+$", "\0\1"),
        ("^[\\18]{2}$", "\x018"),
        ("^[\\s\\S]$", "\n"),
        ("^[\\x41-\\x43]$", "B"),
        ("\\Bb", "ab"),
        ("(*UTF8)\\Bb", "ab"),
        ("(?i)(a)\\1", "aA"),
        ("(?i)^\\101$", "a"),
        ("^a\\E+$", "aa"),
        ("^a\\Q\\E+$", "aa"),
        ("^\\Ea$", "a"),
        ("^a\\Q", "a"),
        ("[a-\\Qc\\E]", "b"),
        ("[\\Qa\\E-c]", "b"),
        ("[a-\\Q\\Ec]", "b"),
        ("^[\\Q]\\E]$", "]"),
        ("^[\\E]]$", "]"),
        ("^[a-\\E]$", "-"),
        ("^[\\Q\\n\\E]+$", "\\n"),
        ("[\\Q[:alpha:]\\E]", ":"),
        ("^[\\Qa\\E\\Qb\\E]+$", "ab"),
    ],
)
def test_a_pattern_means_what_it_means_to_pcre(pattern: str, text: str) -> None:
    assert is_valid_pattern(pattern)
    assert regex_test(pattern)(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("a(?i)b|c", "A"),
        ("(?i:a)b", "AB"),
        ("a++a", "aaa"),
        ("(?>a+)a", "aaa"),
        ("a.b", "a\nb"),
        ("^b", "a\nb"),
        ("b\\z", "ab\n"),
        ("\\Qa.b\\E", "axb"),
        ("\\d", "٣"),
        ("[\\p{Ll}\\p{Nd}]", "X"),
        ("\\p{Xan}", "_"),
        ("\\p{Xwd}", "-"),
        ("\\p{Xuc}", "a~"),
        ("[\\p{Xuc}b]", "a~"),
        ("x(?R)?y", "xx"),
        ("^a{2}$", "aaa"),
        ("^a{2}$", "a"),
        ("(?i)^[b-y]$", "Z"),
        ("(?i)^[b-y]$", "A"),
        ("(?m)^$", "a\n"),
        ("x(*ACCEPT)|c", "ab"),
        ("(a(*ACCEPT)b)c", "b"),
        ("\\N", "\n"),
        ("^\\X$", "ab"),
        ("\\p{^L}", "a"),
        ("[\\p{^Lu}]", "A"),
        ("[^\\s\\S]", "a"),
        ("[\\Qa-c\\E]", "b"),
        ("[\\Qa-\\Ec]", "b"),
        ("[^\\Q^\\E]", "^"),
        ("[\\Q\\E^a]", "a"),
        ("\\Bb", "b"),
    ],
)
def test_a_pattern_does_not_match_what_pcre_would_not(pattern: str, text: str) -> None:
    assert is_valid_pattern(pattern)
    assert not regex_test(pattern)(text)


def test_strings_are_matched_byte_by_byte_with_latin_1_letters() -> None:
    assert not regex_test("^.$")("ä")
    assert regex_test("^..$")("ä")
    assert regex_test("\\w")("é")  # its first byte is à in Latin-1
    assert not regex_test("^\\w+$")("é")
    assert not regex_test("(?i)É")("é")


def test_a_runaway_pattern_ends_without_a_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcre, "SECONDS_FOR_ONE", 0.05)
    monkeypatch.setattr(pcre, "SECONDS_FOR_ALL", 0.1)
    test = regex_test("^(\\w+\\s?)*\\(\\d+$")
    assert not any(test("aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk! " * 3) for _ in range(50))
    assert test("word word(12")


def test_searches_get_less_time_when_those_before_have_used_up_theirs() -> None:
    class Runaway:
        """A pattern whose searches take all the time that they are given."""

        def __init__(self) -> None:
            self.seconds: list[float] = []

        def search(self, text: str, timeout: float, concurrent: bool) -> None:
            self.seconds.append(timeout)
            raise TimeoutError

    runaway = Runaway()
    search = pcre._limited_search(runaway)  # type: ignore[arg-type]
    full = round(pcre.SECONDS_FOR_ALL / pcre.SECONDS_FOR_ONE)
    assert [search("x") for _ in range(full + 2)] == [None] * (full + 2)
    assert runaway.seconds == [pcre.SECONDS_FOR_ONE] * full + [pcre.SECONDS_BEYOND] * 2


def test_the_engine_without_a_limit_is_used_only_where_the_steps_are_bounded() -> None:
    def longest(pattern: str) -> int:
        return unlimited_length(translate(pattern))

    assert longest("foo") > 100_000
    assert 100 < longest("^[a-z]+$") < 1000
    for pattern in ("(a|aa)+$", "^(a|a)*$", "(a|b|ab)*c", "((a|aa){8}){4}c", "(a*){3}b", "a*a*b", "(a)\\1", "(a?b?)*c"):
        assert longest(pattern) < 41, pattern


def patterns() -> st.SearchStrategy[str]:
    atoms = st.sampled_from(["a", "b", "[ab]", ".", "a?", "ab"])
    loops = st.sampled_from(["*", "+", "?", "{2}", "{0,3}", "{8}", "{3,}", "*?", "++"])
    return st.recursive(
        atoms,
        lambda inner: st.one_of(
            st.builds("({}){}".format, inner, loops),
            st.builds("(?:{}|{}){}".format, inner, inner, loops),
            st.builds("({}|{})".format, inner, inner),
            st.builds("{}{}".format, inner, inner),
        ),
        max_leaves=12,
    )


@settings(max_examples=200, deadline=timedelta(seconds=20))
@given(patterns(), st.sampled_from(["", "c", "$", "(?!a)c"]), st.sampled_from(["a" * 40 + "b", "ab" * 200, "a" * 5000]))
def test_every_pattern_is_answered_within_the_limit(pattern: str, end: str, text: str) -> None:
    if is_valid_pattern(pattern + end):
        regex_test(pattern + end)(text)


def test_other_requests_are_served_while_a_pattern_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcre, "SECONDS_FOR_ONE", 3.0)
    searching = threading.Event()
    limited_search = pcre._limited_search

    def announced(compiled: Any) -> pcre.Search:
        search = limited_search(compiled)

        def run(text: str) -> object | None:
            searching.set()
            return search(text)

        return run

    monkeypatch.setattr(pcre, "_limited_search", announced)
    fake = CouchFake()
    db = f"{fake.url}db"
    with fake.session() as session:
        session.put(db)
        session.put(f"{db}/a", json={"s": "a" * 40 + "b"})
        query = {"selector": {"s": {"$regex": "(a|aa)+$"}}}
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(session.post, f"{db}/_find", json=query)
            assert searching.wait(10)
            assert session.get(f"{db}/a").status_code == 200
            assert not found.done()
            assert found.result().json()["docs"] == []
