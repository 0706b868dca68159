"""The fixtures that live for one test, and the run's address."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from conftest_plugin.run import Run, run_of
from conftest_plugin.scopes import couch_fixtures_of, settings_for
from conftest_plugin.settings import MARKER_SETTINGS, PER_TEST, marker_of, marker_settings, with_marker

if TYPE_CHECKING:
    import couchdb_client
    from conftest_plugin.fakes import Admin, FakeBackend
    from conftest_plugin.real_server import RealBackend
    from couchfake import CouchFake
    from couchfake.control.gates import Gates
    from couchfake.control.revision_trees import RevisionTree


@pytest.fixture
def _couch_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Undoes what the test writes to servers of wider scopes."""
    from conftest_plugin.fakes import FakeBackend

    run = run_of(request.config)
    fixtures = couch_fixtures_of(request.node)
    given = _marker_for_shared(request.node, next(iter(fixtures)))
    settings = settings_for(run.settings, given, marker_of(request.node))
    servers = [run.server(name) for name, scope in fixtures.items() if scope != "function"]
    used = [server for server in servers if server is not None]
    with contextlib.ExitStack() as undo:
        for server in reversed(used):  # the first is attached last: it has the address
            server.begin()
            undo.callback(server.end)
        for server in used:
            if given and isinstance(server.backend, FakeBackend):
                undo.enter_context(run.marked(server.backend, settings, with_gates="gates" in given))
        yield


def _marker_for_shared(item: pytest.Item, shared: str) -> dict[str, Any]:
    """Return what the marker of a test says that uses the server of the fixture ``shared``.

    Raise pytest.UsageError if its marker says what has to be said when a server is made.
    """
    given = marker_settings(item)
    late = [name for name in given if name in MARKER_SETTINGS and name not in PER_TEST]
    if late:
        raise pytest.UsageError(
            f"{marker_of(item)}: the test's server is that of the fixture {shared}, which was made before:"
            f" give {', '.join(late)} to couch_fixture"
        )
    return given


@pytest.fixture
def _couch_backend(request: pytest.FixtureRequest) -> Iterator[FakeBackend | RealBackend]:
    run = run_of(request.config)
    given = marker_settings(request.node)
    shared = next(iter(couch_fixtures_of(request.node)), None)
    if shared is not None:
        request.getfixturevalue(shared)
        server = run.server(shared)
        assert server is not None
        yield server.backend
        return
    settings = settings_for(run.settings, given, marker_of(request.node))
    backend = run.open_backend(settings, with_admin="couch_admin" in request.fixturenames)
    backend.attach()
    yield backend
    run.close_backend(backend)


@pytest.fixture
def couchfake(request: pytest.FixtureRequest) -> CouchFake:
    """The fake itself (a `couchfake.CouchFake`): faults, the clock, the request log. Skips on a real server."""
    given = marker_settings(request.node)
    if with_marker(run_of(request.config).settings, given, marker_of(request.node)).on_real_server:
        pytest.skip("there is no fake behind a real server's URL")
    fake: CouchFake = request.getfixturevalue("_couch_backend").fake
    return fake


@pytest.fixture
def couch(_couch_backend: FakeBackend | RealBackend) -> couchdb_client.Server:
    """A server (a `couchdb_client.Server`): an empty fake, or the real one; logged in as the first admin if any."""
    return _couch_backend.server()


@pytest.fixture
def couch_db(couch: couchdb_client.Server, _couch_backend: FakeBackend | RealBackend) -> couchdb_client.Database:
    """An empty database (a `couchdb_client.Database`), deleted after the test."""
    return _couch_backend.database(couch)


@pytest.fixture
def couch_url(_couch_backend: FakeBackend | RealBackend) -> str:
    """The server's URL, with a login if it needs one, for any client.

    The host and port are the same for every test of the run; each test's server answers there.
    """
    return _couch_backend.url


@pytest.fixture(scope="session")
def couch_address(request: pytest.FixtureRequest) -> str:
    """The URL for fixtures that live longer than a test. The server at it is that of the running test."""
    return run_of(request.config).url


@pytest.fixture
def couch_name(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """A function that returns the name of a database on the server: ``couch_name("shop")``.

    On a real server the databases of a ``couch_fixture`` are named like ``couchfake-test-shop-1f3c…``. On a fake, and
    for any other database, it returns its argument.
    """
    run = run_of(request.config)
    return lambda name: run.database_name(couch_fixtures_of(request.node), name)


@pytest.fixture
def couch_admin(_couch_backend: FakeBackend | RealBackend) -> Admin:
    """The login of a server admin: ``couch_admin.name`` and ``couch_admin.password``.

    It is the first of the marker's ``admins``, or that of the real server's URL. A fake without admins gets one.
    """
    if _couch_backend.admin is None:
        pytest.skip("the URL of the real server has no login of an admin")
    return _couch_backend.admin


@pytest.fixture
def make_couch(request: pytest.FixtureRequest) -> Iterator[Callable[..., couchdb_client.Server]]:
    """A function that creates further servers, each a fake with its own socket, so that they can replicate.

    It takes the settings of the marker, except ``backend``. Skips on a real server.
    """
    given = marker_settings(request.node)
    settings = with_marker(run_of(request.config).settings, given, marker_of(request.node))
    if settings.on_real_server:
        pytest.skip("there is one real server only")
    run = run_of(request.config)
    made: list[FakeBackend | RealBackend] = []

    def make(**further: Any) -> couchdb_client.Server:
        if "backend" in further:
            raise pytest.UsageError("make_couch: each server has a socket; there is no backend to choose")
        made.append(run.open_backend(with_marker(settings, further, "make_couch"), own_address=True))
        return made[-1].server()

    yield make
    for backend in made:
        run.close_backend(backend)


class CouchNetwork:
    """Servers that replicate with one another, and the links between them.

    ``server()`` makes one and returns its client; the other methods take such clients.
    """

    def __init__(self, make_couch: Callable[..., couchdb_client.Server], run: Run) -> None:
        from couchfake.control.network import Network

        self._make = make_couch
        self._run = run
        self._network = Network()
        self._fakes: dict[int, CouchFake] = {}

    def server(self, **settings: Any) -> couchdb_client.Server:
        """Make a server of the network. ``settings`` are those of ``make_couch``."""
        server = self._make(**settings)
        fake = self._run.fakes[-1]
        self._network.add(fake)
        self._fakes[id(server)] = fake
        return server

    def fake(self, server: couchdb_client.Server) -> CouchFake:
        """Return the fake behind a client. Raise TypeError if it is not one of the network."""
        __tracebackhide__ = True
        try:
            return self._fakes[id(server)]
        except KeyError:
            raise TypeError(f"couch_network takes the clients that its server() returns, not {server!r}") from None

    def cut(self, one: couchdb_client.Server, other: couchdb_client.Server | None = None) -> None:
        """Cut the link between two servers; without ``other``, cut clients off from one."""
        __tracebackhide__ = True
        self._network.cut(self.fake(one), None if other is None else self.fake(other))

    def heal(self, one: couchdb_client.Server | None = None, other: couchdb_client.Server | None = None) -> None:
        """Heal a link; without arguments, all of them."""
        __tracebackhide__ = True
        self._network.heal(None if one is None else self.fake(one), None if other is None else self.fake(other))

    def slow(self, one: couchdb_client.Server, other: couchdb_client.Server, seconds: float) -> None:
        """Delay each request between two servers."""
        __tracebackhide__ = True
        self._network.slow(self.fake(one), self.fake(other), seconds)

    def settle(self, timeout: float = 30.0) -> None:
        """Wait until no replication has anything to do. Raise TimeoutError."""
        self._network.settle(timeout)


@pytest.fixture
def couch_network(
    make_couch: Callable[..., couchdb_client.Server], request: pytest.FixtureRequest
) -> Iterator[CouchNetwork]:
    """A network of servers whose links a test cuts, restores and slows down. Skips on a real server."""
    network = CouchNetwork(make_couch, run_of(request.config))
    yield network
    network.heal()


@pytest.fixture
def couch_gates(couchfake: CouchFake, request: pytest.FixtureRequest) -> Gates:
    """The gates of the test: ``couch_gates.allow(404, "/shop/*")`` expects such responses.

    The test has the gates of its marker or of the ini file; without any it has ``errors``.
    """
    run = run_of(request.config)
    gates = run.gates_of(couchfake)
    return gates[0] if gates else run.watch_errors(couchfake)


@pytest.fixture(scope="session")
def couch_conflict() -> Callable[..., RevisionTree]:
    """A function that creates a document in conflict: ``couch_conflict(couch_db, "tea", {…}, {…}, base={…})``.

    It returns the document's revision tree. It works on a real server too.
    """
    from couchfake.control.revision_trees import conflict_branch, documents_of

    def make(db: couchdb_client.Database, docid: str, *bodies: Any, base: Any = None) -> RevisionTree:
        __tracebackhide__ = True
        if not hasattr(db, "resource"):
            raise TypeError(f"couch_conflict takes a couchdb_client.Database, such as couch_db, not {db!r}")
        documents = documents_of(docid, conflict_branch(bodies, base))
        db.resource.post_json("_bulk_docs", body={"docs": documents, "new_edits": False})
        return tree_of(db, docid)

    return make


@pytest.fixture(scope="session")
def couch_tree() -> Callable[[couchdb_client.Database, str], RevisionTree]:
    """A function that returns a document's revision tree: ``print(couch_tree(couch_db, "tea"))``."""
    return tree_of


def tree_of(db: couchdb_client.Database, docid: str) -> RevisionTree:
    """Return the revision tree of a document, on any server."""
    __tracebackhide__ = True
    if not hasattr(db, "resource"):
        raise TypeError(f"couch_tree takes a couchdb_client.Database, such as couch_db, not {db!r}")
    from couchfake.control.revision_trees import RevisionTree

    rows = db.resource.get_json(docid, open_revs="all", revs="true", headers={"Accept": "application/json"})[2]
    return RevisionTree.of_leaves(docid, [row["ok"] for row in rows if "ok" in row])
