"""No password, hash, cookie or cookie secret is in a log or in an answer where the real server does not show it."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.replicator.jobs import Job

ADMIN = ("adm", "Adm1n-s3cret")
USER = ("ada", "us3r-s3cret")
WRONG = "wr0ng-s3cret"
COOKIE_SECRET = "c00kie-s3cret"


class Script:
    """Sends requests and keeps every answer; ``may_show`` are the secrets that the answer is allowed to have."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.heard: list[tuple[str, str, tuple[str, ...]]] = []
        self.secrets = [ADMIN[1], USER[1], WRONG, COOKIE_SECRET]
        for login in (ADMIN, USER, (USER[0], WRONG)):
            self.secrets.append(base64.b64encode(":".join(login).encode()).decode())

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        auth: Any = ADMIN,
        may_show: tuple[str, ...] = (),
        **options: Any,
    ) -> requests.Response:
        answer = requests.request(method, self.url + path, json=body, auth=auth, timeout=20, **options)
        said = answer.text + repr(sorted(answer.headers.items()))
        self.heard.append((f"{method} {path}", said, may_show))
        return answer

    def with_login(self, login: tuple[str, str], path: str) -> str:
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{login[0]}:{login[1]}@{rest}{path}"

    def leaks(self) -> list[str]:
        """Return which answer shows which secret to a user who may not see it."""
        return [
            f"{request}: {secret}"
            for request, said, may_show in self.heard
            for secret in self.secrets
            if secret in said and secret not in may_show
        ]


@pytest.fixture
def script() -> Iterator[Script]:
    config = {"chttpd_auth": {"secret": COOKIE_SECRET}, "replicator": {"interval": "100"}}
    with CouchFake(admins=dict([ADMIN]), config=config) as fake:
        yield Script(fake.url)


def users(script: Script) -> None:
    document = f"/_users/org.couchdb.user:{USER[0]}"
    made = {"name": USER[0], "type": "user", "roles": [], "password": USER[1]}
    assert script("PUT", document, made).status_code == 201
    stored = script("GET", document).json()
    hashes = (stored["derived_key"], stored["salt"])
    script.heard[-1] = (*script.heard[-1][:2], hashes)
    script.secrets += hashes
    script("GET", document, auth=USER, may_show=hashes)
    script("GET", document, auth=None)
    script("PUT", document, {**made, "roles": 5})
    # The real server quotes a password that is not a string.
    script("PUT", document, {**made, "password": [WRONG]}, may_show=(WRONG,))
    script("PUT", "/_users/org.couchdb.user:bob", {**made, "password": WRONG})
    script("GET", "/_users/_all_docs?include_docs=true", auth=USER)
    script("GET", "/_users/_changes?include_docs=true", may_show=hashes)


def sessions(script: Script) -> None:
    login = {"name": USER[0], "password": USER[1]}
    cookie = script("POST", "/_session", login, auth=None).cookies["AuthSession"]
    assert cookie is not None
    last = script.heard.pop()
    script.heard.append((last[0], last[1], (cookie,)))
    script.secrets.append(cookie)
    script("GET", "/_session", auth=None, headers={"Cookie": f"AuthSession={cookie}"})
    script("GET", "/_session", auth=None, headers={"Cookie": f"AuthSession={cookie[:-3]}abc"})
    script("POST", "/_session", {"name": USER[0], "password": WRONG}, auth=None)
    script("POST", "/_session", {"name": USER[0], "password": [WRONG]}, auth=None)
    script("GET", "/_all_dbs", auth=(USER[0], WRONG))
    script("GET", "/", auth=None, headers={"Authorization": f"Basic {WRONG}!"})
    script("GET", "/", auth=None, headers={"Authorization": f"Bearer {WRONG}"})
    script("DELETE", "/_session", auth=None, headers={"Cookie": f"AuthSession={cookie}"})


def configuration(script: Script) -> None:
    path = "/_node/_local/_config"
    hashed = script("GET", f"{path}/admins/{ADMIN[0]}").json()
    key = hashed.split(",")[0].rpartition("-")[2]
    script.heard.pop()
    script.secrets.append(key)
    script("GET", path, may_show=(COOKIE_SECRET, key))
    script("GET", path, auth=USER)
    script("GET", f"{path}/chttpd_auth/secret", auth=USER)
    script("GET", f"{path}/admins", auth=None)
    script("PUT", f"{path}/admins/eve", WRONG)
    script("DELETE", f"{path}/admins/eve")
    script("PUT", f"{path}/admins/e[v]e", WRONG)
    script("PUT", f"{path}/chttpd_auth/secret", {"x": WRONG})


def replications(script: Script) -> None:
    for name in ("from", "to"):
        assert script("PUT", f"/{name}").status_code == 201
    script("PUT", "/from/a", {"n": 1})
    script("PUT", "/_replicator")
    source = script.with_login(ADMIN, "/from")
    target = {"url": f"{script.url}/to", "auth": {"basic": {"username": ADMIN[0], "password": ADMIN[1]}}}
    assert script("POST", "/_replicate", {"source": source, "target": target}).status_code == 200
    script("POST", "/_replicate", {"source": script.with_login((USER[0], WRONG), "/from"), "target": target})
    script("POST", "/_replicate", {"source": script.with_login(ADMIN, "/none"), "target": target})
    script("POST", "/_replicate", {"source": f"http://x:{WRONG}@127.0.0.1:1/db", "target": target})
    # To the real server, too, anything but a URL is the name of a database, and is reported missing.
    script("POST", "/_replicate", {"source": {"url": f"nonsense://x:{WRONG}@y"}, "target": target}, may_show=(WRONG,))
    script("POST", "/_replicate", {"source": f"http://x:{WRONG}@[y", "target": target})
    jobs = {
        "follows": {"source": source, "target": target, "continuous": True},
        "fails": {"source": script.with_login(ADMIN, "/none"), "target": target},
        "refused": {"source": script.with_login((USER[0], WRONG), "/from"), "target": target},
    }
    with tried_jobs() as tried:
        for name, job in jobs.items():
            assert script("PUT", f"/_replicator/{name}", job).status_code == 201
        for _ in jobs:
            tried.get(timeout=20)
    script("GET", "/_scheduler/docs")
    for path in ("/_active_tasks", "/_scheduler/jobs", "/_scheduler/docs"):
        assert script("GET", path).status_code == 200
    for name in jobs:
        script("GET", f"/_replicator/{name}", auth=USER)
        script("GET", f"/_scheduler/docs/_replicator/{name}")
    script("GET", "/from/_local_docs?include_docs=true")
    script("GET", "/to/_local_docs?include_docs=true")


@contextmanager
def tried_jobs() -> Iterator[SimpleQueue[str]]:
    """Yield a queue to which each replication's first state after "running", or "running" if it goes on, is added."""
    states: SimpleQueue[str] = SimpleQueue()
    set_state = Job._set_state

    def noted(job: Job, state: str, reason: str | None = None) -> None:
        set_state(job, state, reason)
        if state != "running" or job.request.options.continuous:
            states.put(state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "_set_state", noted)
        yield states


def errors(script: Script) -> None:
    script("PUT", "/db")
    script("PUT", "/db/_design/d", {"views": {"v": {"map": "function (doc) { throw('x'); }"}}, "shows": {"s": "nope("}})
    script("PUT", "/db/a", {"password": "not one of ours"})
    script("GET", "/db/_design/d/_view/v")
    script("GET", "/db/_design/d/_show/s/a")
    script("GET", "/db/%zz")
    script("PATCH", "/db/a")
    for path in ("/_node/_local/_stats", "/_node/_local/_system", "/_node/_local/_prometheus", "/_membership", "/"):
        script("GET", path)


def test_no_secret_is_shown(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for part in (users, sessions, configuration, replications, errors):
            part(script)
    assert script.leaks() == []
    logged = "\n".join([caplog.text, *(json.dumps(vars(record), default=repr) for record in caplog.records)])
    assert [secret for secret in script.secrets if secret in logged] == []


def test_a_mistake_of_the_servers_own_tells_nothing_of_the_request(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = CouchFake(admins=dict([ADMIN]))

    def fails(*_: Any) -> Any:
        raise RuntimeError("boom")

    monkeypatch.setattr(fake.node.authenticator, "user_context", fails)
    with fake:
        answer = requests.get(f"{fake.url}_all_dbs", auth=ADMIN, timeout=5)
    assert answer.status_code == 500
    assert "boom" not in answer.text
    encoded = base64.b64encode(":".join(ADMIN).encode()).decode()
    assert ADMIN[1] not in caplog.text
    assert encoded not in caplog.text
    assert "boom" in caplog.text
