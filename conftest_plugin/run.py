"""What one pytest process keeps for the whole run: its settings, its address and the servers of wider scopes."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.address import Address, Environment, intercept_all
from conftest_plugin.html_report import HtmlReport
from conftest_plugin.inspecting import Inspected, copy_of
from conftest_plugin.scopes import ScopedServer, couch_fixtures_of, new_backend, settings_for
from conftest_plugin.settings import PER_TEST, Settings, marker_settings, settings_of
from conftest_plugin.trace import Trace

if TYPE_CHECKING:
    from conftest_plugin.fakes import FakeBackend
    from conftest_plugin.real_server import Leftovers, RealBackend
    from couchfake import CouchFake
    from couchfake.control.gates import Gates

SHOWN_LINES = 40
"""How many lines of a failure the report shows, the last ones."""

_RUN = pytest.StashKey["Run"]()


class Run:
    """One process of a test run (with pytest-xdist, one worker)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.address = Address()
        self.leftovers: Leftovers | None = None
        self.backends: list[FakeBackend | RealBackend] = []
        """The servers that are there now, the one of the running test first."""
        self.trace = Trace() if settings.trace else None
        self.html = HtmlReport() if settings.html else None
        self.inspected: list[Inspected] = []
        self.notes: list[str] = []
        """Sentences for the end of the run."""
        self._not_kept: list[str] = []
        self._gates: list[Gates] = []
        self._problems: list[str] = []  # of gates that have been closed
        self._left_on: list[str] = []
        self._servers: dict[str, ScopedServer] = {}
        self._case_fakes: list[CouchFake] = []
        self._test: pytest.Item | None = None  # the one that runs
        self._unlisted: list[ScopedServer] = []
        self._undo = contextlib.ExitStack()
        self._undo.callback(self.address.close)

    def begin(self) -> None:
        """Open the address for ``couch_env`` and ``couch_intercept``, before any conftest.py is imported."""
        if self.settings.env:
            self.address.environment = Environment(self.settings.env, self.url, self._login)
            self._undo.callback(self.address.environment.close)
        if self.settings.intercept_always:
            self._undo.enter_context(intercept_all(self.settings.intercept_always, self.address))

    @property
    def url(self) -> str:
        """The run's URL, ending in a slash, without a login: the real server's, or the address of the fakes."""
        if self.settings.on_real_server:
            from conftest_plugin.real_server import with_slash, without_login

            return without_login(with_slash(self.settings.url.value))
        return self.address.url

    @property
    def _login(self) -> tuple[str, str] | None:
        """The login in the real server's URL."""
        if not self.settings.on_real_server:
            return None
        from conftest_plugin.real_server import login_of

        return login_of(self.settings.url.value)

    def open(self, given: Mapping[str, Any], name: str, scope: str, seed: Any, database: str | None) -> ScopedServer:
        """Make the server of the fixture ``name``."""
        if scope == "function" and self._test is not None:
            marked = marker_settings(self._test)
            given = {**given, **{each: marked[each] for each in PER_TEST if each in marked}}
        settings = settings_for(self.settings, given, f"couch_fixture {name}")
        backend = self.open_backend(settings)
        try:
            server = ScopedServer(backend, scope, seed, database)
        except BaseException:
            self.close_backend(backend)
            raise
        self._servers[name] = server
        if server.names and self.address.environment is not None:
            server.environment = self.address.environment.name_databases(server.names)
        if self._test is not None:
            self._place(server, name, list(couch_fixtures_of(self._test)))
        return server

    def _place(self, server: ScopedServer, name: str, listed: list[str]) -> None:
        """Leave the run's address to the first fixture that the running test lists."""
        if server.outlives_tests and name not in listed:
            self._unlisted.append(server)  # asked for by getfixturevalue, within a test
            server.remember()
        elif listed and listed[0] != name and listed[0] in self._servers:
            self._servers[listed[0]].backend.attach()

    def close(self, name: str) -> None:
        """End the server of the fixture ``name``."""
        server = self._servers.pop(name)
        server.environment.close()
        self.close_backend(server.backend)

    def server(self, name: str) -> ScopedServer | None:
        """The server of a fixture, or None if it is not set up."""
        return self._servers.get(name)

    def database_name(self, fixtures: Iterable[str], name: str) -> str:
        """Return what a database of one of these fixtures is called on the server."""
        found = (self._servers[each].names for each in fixtures if each in self._servers)
        return next((names[name] for names in found if name in names), name)

    def check_real_server(self) -> None:
        """See once whether the real server answers. Raise pytest.UsageError if it does not."""
        if not self.settings.on_real_server:
            return
        from conftest_plugin.real_server import Leftovers, check_reachable

        check_reachable(self.settings)
        self.leftovers = Leftovers(self.settings.url.value, self.settings.prefix)

    def open_backend(
        self, settings: Settings, *, with_admin: bool = False, own_address: bool = False
    ) -> FakeBackend | RealBackend:
        """Make a server. With ``own_address`` it opens a socket of its own."""
        backend = new_backend(settings, None if own_address else self.address, with_admin=with_admin)
        fake = getattr(backend, "fake", None)
        if fake is not None:
            self._follow(fake, settings)
        self.backends.append(backend)
        return backend

    def close_backend(self, backend: FakeBackend | RealBackend) -> None:
        """End a server; on a real one, delete its databases."""
        self.backends.remove(backend)
        fake = getattr(backend, "fake", None)
        if fake is not None:
            self._end_faults(fake)
        backend.close()

    def _follow(self, fake: CouchFake, settings: Settings) -> None:
        """Note the test in what the fake logs, and watch its gates."""
        if self.trace is not None:
            fake.requests.listeners.append(self.trace.add)
        self._name_test(fake)
        if self._test is not None:
            self._watch(fake, settings.gates)

    def _end_faults(self, fake: CouchFake) -> None:
        """Switch off the faults that a test left on, and note them. Those of markers and fixtures are not a test's."""
        for fault in fake.faults:
            if fault.test is not None:
                self._left_on.append(f"{fault} ({fault.test})")
                fault.end()

    def _name_test(self, fake: CouchFake) -> None:
        fake.requests.test = fake.faults.test = fake.function_log.test = self._test.nodeid if self._test else None

    def _watch(self, fake: CouchFake, gates: tuple[str, ...]) -> None:
        if not gates:
            return
        from couchfake.control.gates import Gates

        self._gates.append(Gates(fake, gates))

    @contextlib.contextmanager
    def marked(self, backend: FakeBackend, settings: Settings, *, with_gates: bool) -> Iterator[None]:
        """Within the block, a fake that was made before has the faults and, ``with_gates``, the gates of a test."""
        if with_gates:
            for gates in self.gates_of(backend.fake):
                gates.close()
                self._gates.remove(gates)
            self._watch(backend.fake, settings.gates)
        with contextlib.ExitStack() as undo:
            for fault in settings.faults:
                undo.enter_context(backend.add_fault(fault))
            yield

    @property
    def test_id(self) -> str:
        """The id of the running test, or an empty string between tests."""
        return self._test.nodeid if self._test else ""

    @property
    def fakes(self) -> list[CouchFake]:
        """The fakes that are there now."""
        return [*(backend.fake for backend in self.backends if hasattr(backend, "fake")), *self._case_fakes]

    def named_fakes(self) -> list[tuple[str, CouchFake]]:
        """The fakes that are there now, each with the fixture that made it or a number."""
        fixtures = {id(getattr(each.backend, "fake", None)): name for name, each in self._servers.items()}
        named = []
        for number, fake in enumerate(self.fakes, 1):
            fixture = fixtures.get(id(fake))
            named.append((f"fixture {fixture}" if fixture else f"server {number}", fake))
        return named

    def ambiguity(self, item: pytest.Item) -> str | None:
        """Return a sentence that says whose address the application has, if a test uses several servers."""
        first, *others = couch_fixtures_of(item) or [""]
        if not others:
            return None
        variables = [entry.partition("=")[0].strip() for entry in self.settings.env]
        names = ", ".join(["couch", "couch_url", "couchfake", *variables])
        return (
            f"This test uses the servers of {len(others) + 1} fixtures. {names} mean the server of {first}, which comes"
            f" first; those of {', '.join(others)} are reached through their fixtures only."
        )

    def keep_failure(self, report: pytest.TestReport, at_prompt: bool) -> None:
        """Keep what a failed test's servers hold, for ``--couch-html`` and ``--couch-inspect``."""
        used = [fake for fake in self.fakes if any(each.test == report.nodeid for each in fake.requests.all)]
        for number, fake in enumerate(used or self.fakes[:1], 1):
            title = f"server {number}" if len(used) > 1 else ""
            if self.html is not None:
                from conftest_plugin.failures import failure_of

                message = "\n".join(report.longreprtext.splitlines()[-SHOWN_LINES:])
                self.html.failures.append(failure_of(fake, report.nodeid, title, message))
            if self.settings.inspect and not at_prompt:
                self._keep_copy(f"{report.nodeid} ({title})" if title else report.nodeid, fake)

    def _keep_copy(self, name: str, fake: CouchFake) -> None:
        from couchfake.control.seeds.documents import SeedError
        from couchfake.errors import CouchError

        try:
            self.inspected.append(Inspected(name, copy_of(fake)))
        except (CouchError, SeedError) as error:
            self._not_kept.append(f"{name}: {error}")

    def gates_of(self, fake: CouchFake) -> list[Gates]:
        return [gates for gates in self._gates if gates.fake is fake]

    def watch_errors(self, fake: CouchFake) -> Gates:
        """Watch the gate ``errors`` from now on."""
        from couchfake.control.gates import Gates

        self._gates.append(Gates(fake, ["errors"]))
        return self._gates[-1]

    def check_gates(self) -> None:
        """Fail the running test if it did what its gates forbid."""
        self.close_gates()
        problems, self._problems = self._problems, []
        if problems:
            pytest.fail("\n".join(f"couch_gates: {problem}" for problem in problems), pytrace=False)

    def close_gates(self) -> None:
        """Keep what the gates of the running test found, for ``check_gates``."""
        for gates in self._gates:
            self._problems += gates.problems()
            gates.close()
        self._gates.clear()

    def follow_case(self, fake: CouchFake, settings: Settings) -> None:
        """Treat the fake of a ``CouchTestCase`` as one of the run until the test ends."""
        if self.trace is not None and self.trace.add in fake.requests.listeners:
            fake.requests.listeners.remove(self.trace.add)
        self._follow(fake, settings)
        self._case_fakes.append(fake)

    def before_test(self, item: pytest.Item) -> None:
        """Remember the state of the servers that a test does not list, but may still reach.

        ``_couch_test`` takes care of those that it lists.
        """
        self._test = item
        if not self._servers:
            return
        from conftest_plugin.fakes import FakeBackend

        for backend in self.backends:
            if isinstance(backend, FakeBackend):
                self._name_test(backend.fake)
                self._watch(backend.fake, backend.gates)
        listed = couch_fixtures_of(item)
        for name, server in self._servers.items():
            if server.outlives_tests and name not in listed:
                self._unlisted.append(server)
                server.remember()

    def after_test(self) -> None:
        """Undo what the test wrote to servers that it does not list, and collect leftovers on a real server."""
        for server in self._unlisted:
            if server in self._servers.values():
                server.end()
        self._unlisted.clear()
        for gates in self._gates:
            gates.close()
        self._gates.clear()
        self._problems.clear()
        for fake in self.fakes:
            self._end_faults(fake)
        self._case_fakes.clear()
        self._test = None
        if self.leftovers is not None:
            self.leftovers.collect()

    def finish(self) -> None:
        """Collect leftovers of other processes on a real server."""
        if self.leftovers is not None:
            self.leftovers.collect()
            self.leftovers.collect_users()

    def summary(self) -> list[str]:
        """Lines for the end of the run."""
        lines = [f"couchfake: a fault was left on, and ended with its test: {each}" for each in self._left_on]
        lines += [f"couchfake: the server of a failed test cannot be inspected: {each}" for each in self._not_kept]
        lines += [f"couchfake: {note}" for note in self.notes]
        if self.settings.on_real_server and self.settings.without_effect_there:
            options = ", ".join(self.settings.without_effect_there)
            lines.append(f"couchfake: without effect, since a real server has no request log for couchfake: {options}")
        if self.leftovers is not None and self.leftovers.others:
            names = ", ".join(self.leftovers.others)
            lines.append(f"couchfake: left on the real server, not made by a fixture (see couch_prefix): {names}")
        if self.leftovers is not None and self.leftovers.users:
            lines.append(f"couchfake: users left on the real server: {', '.join(self.leftovers.users)}")
        return lines

    def end(self) -> None:
        """Close the address, and put the environment and the name resolution back."""
        self._undo.close()


def start_run(config: pytest.Config, options: argparse.Namespace) -> Run:
    """Read the settings, from this command line, and keep the run for ``run_of``. Raise pytest.UsageError.

    Called a second time, when the command line is complete: raise pytest.UsageError if that has changed a setting on
    which the run has already acted.
    """
    settings = settings_of(config, options)
    run = config.stash.get(_RUN, None)
    if run is None:
        run = config.stash[_RUN] = Run(settings)
        config.add_cleanup(run.end)
    elif run.settings != settings:
        raise pytest.UsageError(
            "couchfake: a conftest.py or a plugin has changed the options after couch_env or couch_intercept"
            " was applied"
        )
    return run


def run_of(config: pytest.Config) -> Run:
    """Return the run that this process belongs to."""
    return config.stash[_RUN]


def run_if_started(config: pytest.Config) -> Run | None:
    """Return the run, or None if its settings were wrong."""
    return config.stash.get(_RUN, None)
