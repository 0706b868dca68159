"""The command line's tools around recordings: ``check``, ``replay``, ``record`` and ``compare``."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from couchfake.recordings.check import Check
    from couchfake.recordings.report import Outcome

Commands = argparse._SubParsersAction  # argparse has no public name for it

_URL = "the server, with its admin's login: http://name:password@host:port/"


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add the tools' commands to the program's."""
    _add_check(commands)
    _add_replay(commands)
    _add_record(commands)
    _add_compare(commands)


def _add_check(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("check", help="measure how closely a server matches CouchDB 3.5.0")
    command.add_argument("url", metavar="URL", help=_URL)
    command.add_argument("--area", action="append", default=[], metavar="NAME", help="only this area; may be repeated")
    command.add_argument(
        "-k", dest="chosen", default="", metavar="TEXT", help="only scenarios whose name contains this"
    )
    command.add_argument("--html", type=Path, metavar="FILE", help="write a self-contained HTML report")
    command.add_argument("-v", "--verbose", action="store_true", help="write every difference to standard error")
    command.set_defaults(command=_reporting_failure(check))


def _add_replay(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("replay", help="play recorded exchanges and compare the responses")
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a recording, plain or gzipped")
    command.add_argument("--url", help="the server to play them against, with its admin's login (default: a fake)")
    command.add_argument(
        "-k", dest="chosen", default="", metavar="TEXT", help="only scenarios whose name contains this"
    )
    command.add_argument("--force", action="store_true", help="delete databases that a scenario creates if they exist")
    command.add_argument("--as-test", type=Path, metavar="FILE", help="play nothing; write a pytest test instead")
    command.add_argument("-v", "--verbose", action="store_true", help="write every difference to standard error")
    command.set_defaults(command=_reporting_failure(replay))


def _add_record(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("record", help="record the traffic between an application and a server")
    command.add_argument("--upstream", required=True, metavar="URL", help=_URL)
    command.add_argument("--out", required=True, type=Path, metavar="FILE", help="the recording; .gz is compressed")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    command.add_argument("--as-test", type=Path, metavar="FILE", help="write a pytest test as well")
    command.set_defaults(command=_reporting_failure(record))


def _add_compare(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("compare", help="play random requests against a server and a fake, side by side")
    command.add_argument("url", metavar="URL", help=_URL)
    command.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the seed of the random requests (default: 0)"
    )
    command.add_argument(
        "--requests", type=int, default=1000, metavar="M", help="the number of requests (default: %(default)s)"
    )
    command.add_argument("--area", action="append", default=[], metavar="NAME", help="only this area; may be repeated")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the differences as a recording")
    command.set_defaults(command=_reporting_failure(compare))


def _reporting_failure(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        from couchfake.recordings.target import ReplayFailed, WrongArguments

        with _quiet():
            try:
                return command(options)
            except (ReplayFailed, OSError) as error:
                print(f"couchfake: {error}", file=sys.stderr)
                return 2 if isinstance(error, WrongArguments) else 1

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence a fake's log: errors of design functions are what many recordings are about."""
    logger = logging.getLogger("couchfake")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


# ---- check


def check(options: argparse.Namespace) -> int:
    """Check a server. Return 0 if every answer agrees, 1 if one differs."""
    from couchfake.recordings.check import Check
    from couchfake.recordings.report import summary, total, write_page
    from couchfake.recordings.target import Target

    prepared = Check(Target(options.url), options.area, options.chosen)
    outcome = _run_check(prepared, options.verbose)
    print(total(outcome.areas))
    differing = summary(outcome)
    if differing:
        print("", "What differs:", *differing, sep="\n")
    print(f"\n{outcome.seconds:.0f} seconds.")
    if options.html:
        write_page(outcome, options.html)
        print(f"The report is {options.html}.")
    return 0 if outcome.agrees else 1


def _run_check(prepared: Check, verbose: bool) -> Outcome:
    from tqdm import tqdm

    from couchfake.recordings.replay import print_differences
    from couchfake.recordings.report import HEADING

    started = time.monotonic()
    print(f"{prepared.server} at {prepared.target.name}, against recordings of {prepared.recorded_from}\n")
    print(HEADING, flush=True)
    results = []
    with tqdm(total=len(prepared.scenarios), unit="scenario", leave=False, disable=None) as bar:
        for result in prepared.run(bar.update):
            results.append(result)
            bar.write(str(result), file=sys.stdout)
            sys.stdout.flush()
            if verbose:
                print_differences(result)
    return prepared.outcome(results, started)


# ---- replay


def replay(options: argparse.Namespace) -> int:
    """Play recordings. Return 0 if every answer agrees, 1 if one differs or the recordings cannot be played."""
    if options.as_test:
        from couchfake.recordings.replay import write_test

        write_test(options.files, options.as_test)
        return 0
    from couchfake.recordings import replay as replaying

    agrees = replaying.replay(options.files, options.url, options.chosen, options.verbose, options.force)
    return 0 if agrees else 1


# ---- record


def record(options: argparse.Namespace) -> int:
    """Record until Ctrl-C or SIGTERM, then write the recording."""
    from couchfake.recordings.recorder import record_until_signalled

    count, skipped = record_until_signalled(options.upstream, options.out, options.host, options.port)
    print(f"{count} exchanges recorded in {options.out}")
    if skipped:
        print(f"{skipped} not recorded: the client went away before the end of the answer", file=sys.stderr)
    if options.as_test:
        from couchfake.recordings.replay import write_test

        write_test([options.out], options.as_test)
    return 0


# ---- compare


def compare(options: argparse.Namespace) -> int:
    """Compare a server with a fake. Return 0 if they agree, 1 if they differ."""
    from couchfake.recordings.differential import compare_with_fake

    return 0 if compare_with_fake(options.url, options.seed, options.requests, options.area, options.out) else 1
