from __future__ import annotations

import time

import pytest

from couchfake.mango.pcre import regex
from couchfake.mango.pcre.regex import is_valid_pattern, regex_test


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
        "(*BOGUS)",
        "x*(?#c)+",
        "\\N{DIGIT ONE}",
        "(?(1)a|b|c)(d)",
        "\\k<none>",
        "(?5)",
    ],
)
def test_what_pcre_refuses_is_no_pattern(pattern: str) -> None:
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
        ("^(\\((?:[^()]|(?1))*\\))$", "(a(b)c)"),
        ("(a)?(?(1)b|c)", "ab"),
        ("\\x41\\101\\t\\cA\\o{102}", "AA\t\x01B"),
        ("\\p{Lu}", "aB"),
        ("\\R", "\r\n"),
        ("(?=a)a(?!b)(?<=a)(?<!x)", "ac"),
        ("(?<=ab|c)d", "cd"),
        ("a(?#comment)b", "ab"),
        ("(*UTF8)^.$", "ä"),
        ("日", "日本"),
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
        ("(?m)^$", "a\n"),
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


def test_a_runaway_pattern_ends_and_is_no_match(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex, "SECONDS_FOR_ONE", 0.05)
    monkeypatch.setattr(regex, "SECONDS_FOR_ALL", 0.1)
    test = regex_test("^(\\w+\\s?)*\\(\\d+$")
    started = time.monotonic()
    assert not any(test("aaaa bbbb cccc dddd eeee ffff gggg hhhh iiii jjjj kkkk! " * 3) for _ in range(50))
    assert time.monotonic() - started < 10
    assert test("word word(12")
