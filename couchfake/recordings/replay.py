"""``couchfake replay``: play recorded exchanges against a server and say how far its answers agree."""

from __future__ import annotations

import http.client
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from couchfake import CouchFake
from couchfake.recordings.player import Played, load, play
from couchfake.recordings.senders import Sender, in_process, over_socket

_DEFAULT_USER = "adm:pass"  # with which the real server was recorded


class ReplayFailed(Exception):
    """A file that is no recording, or a server that does not answer; the text says so in one line."""


def replay(paths: Iterable[Path], url: str | None = None, chosen: str = "", verbose: bool = False) -> bool:
    """Play the scenarios of ``paths`` whose names contain ``chosen`` against the server at ``url``, or a fresh fake.

    Prints a line for each recording: its scenarios that agree entirely, and the shares of steps that agree in status,
    in body and exactly. True where every step agrees at least in its body. Raises ReplayFailed.
    """
    send, user = _server(url)
    print(f"{'area':<26}{'scenarios':>9}{'steps':>8}{'status':>9}{'body':>9}{'exact':>9}")
    total: Counter[str] = Counter()
    for path in paths:
        counts = _replay_one(path, send, user, chosen, verbose)
        if counts["scenarios"]:
            _print_counts(path.name.partition(".")[0], counts)
            total += counts
    _print_counts("TOTAL", total)
    return total["body"] == total["steps"]


def _server(url: str | None) -> tuple[Sender, str]:
    """What sends to the server, and the login for steps that name none."""
    if url is None:
        name, _, password = _DEFAULT_USER.partition(":")
        return in_process(CouchFake(admins={name: password}).wsgi), _DEFAULT_USER
    parts = urlsplit(url)
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else _DEFAULT_USER
    return over_socket(urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))), user


def _replay_one(path: Path, send: Sender, user: str, chosen: str, verbose: bool) -> Counter[str]:
    try:
        scenarios = [scenario for scenario in load(path)["scenarios"] if chosen in scenario["name"]]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ReplayFailed(f"{path} cannot be read as a recording: {error}") from error
    counts: Counter[str] = Counter()
    for scenario in scenarios:
        try:
            steps = list(play(scenario, send, user))
        except (OSError, http.client.HTTPException) as error:
            raise ReplayFailed(f"the server does not answer: {error}") from error
        grades = Counter(step.grade for step in steps)
        counts += Counter(
            scenarios=1,
            agreeing=grades["exact"] == len(steps),
            steps=len(steps),
            status=len(steps) - grades["none"],
            body=grades["body"] + grades["exact"],
            exact=grades["exact"],
        )
        if verbose:
            _print_differences(scenario["name"], steps)
    return counts


def _print_differences(scenario: str, steps: Iterable[Played]) -> None:
    for step in steps:
        if step.grade != "exact":
            print(f"{scenario} step {step.number}: {step.request} [{step.grade}]", file=sys.stderr)
            for difference in step.differences:
                print(f"    {difference}", file=sys.stderr)


def _print_counts(name: str, counts: Counter[str]) -> None:
    shares = "".join(f"{100 * counts[grade] / max(1, counts['steps']):>8.1f}%" for grade in ("status", "body", "exact"))
    print(f"{name:<26}{counts['agreeing']:>5}/{counts['scenarios']:<5}{counts['steps']:>6}{shares}")
