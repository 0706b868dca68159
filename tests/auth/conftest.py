"""A users' database without a server around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from couchfake.auth import users
from couchfake.auth.authenticate import Authenticator, Presented
from couchfake.auth.passwords import hash_admin
from couchfake.auth.permissions import SERVER, UserContext, default_security
from couchfake.config import Config
from couchfake.storage.database import Database, Visible
from couchfake.storage.documents import DocumentEntry, ParsedBodies
from couchfake.storage.edits import Edit
from couchfake.storage.revision_ids import RevisionId
from couchfake.storage.revision_tree import Revision
from couchfake.storage.writing import write_one


class Rules:
    """Only the rules of user documents."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def before_doc_update(self, database: Database, edit: Edit, user: Any, new_edits: bool) -> None:
        users.before_doc_update(self.config, database, edit, user)

    def runs_javascript(self, database: Database, edit: Edit, user: Any) -> bool:
        return False

    def validators(self, database: Database) -> Any:
        return None

    def has_validators(self, database: Database) -> bool:
        return False

    def validate(self, database: Database, edit: Edit, old: Revision | None, user: Any) -> None:
        return

    def after_doc_read(self, database: Database, entry: DocumentEntry, leaf: Revision, user: Any) -> Revision:
        return leaf

    def reader(self, database: Database, user: Any) -> Visible | None:
        return None

    def max_partition_size(self) -> int:
        return 0

    def stem_interactive_updates(self) -> bool:
        return True

    def after_doc_update(self, database: Database, edits: list[Edit]) -> None:
        return

    def after_write(self, database: Database) -> None:
        return


class Server:
    """Configuration, users and authentication, and a clock that is set by hand."""

    def __init__(self, **settings: dict[str, str]) -> None:
        self.now = 1000.0
        self.config = Config({"admins": {"adm": "pass"}, **settings}, hash_admin=hash_admin)
        self.database = Database("_users", "uuid", self.now, Rules(self.config), ParsedBodies())
        self.database.security = default_security(self.config)
        self.users = users.Users(self.config, {"_users": self.database}, lambda: self.now)
        self.authenticator = Authenticator(self.config, self.users, lambda: self.now)

    def put(
        self, name: str, members: dict[str, Any], rev: RevisionId | None = None, user: UserContext = SERVER
    ) -> RevisionId:
        body = {"name": name, "type": "user", "roles": [], **members}
        return write_one(self.database, Edit(users.DOCID_PREFIX + name, body, rev=rev), user)

    def document(self, name: str) -> dict[str, Any]:
        entry = self.database.entry(users.DOCID_PREFIX + name)
        assert entry is not None
        return self.database.open_doc(entry)

    def seen(self, docid: str, user: UserContext) -> dict[str, Any]:
        """A document as a user sees it."""
        entry = self.database.entry(docid)
        assert entry is not None
        leaf = users.visible(self.config, self.database, docid, entry.winner, user)
        return self.database.open_doc(entry, leaf)

    def who(self, method: str = "GET", path: str = "_session", peer: str = "10.0.0.9", **headers: str) -> UserContext:
        lower = {name.lower().replace("_", "-"): value for name, value in headers.items()}
        return self.authenticator.user_context(
            Presented(method, path.split("/"), lambda name: lower.get(name.lower()), peer)
        )


@pytest.fixture
def make_server() -> Callable[..., Server]:
    return Server


@pytest.fixture
def server() -> Server:
    return Server()
