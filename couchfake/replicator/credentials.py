"""Documents of ``_replicator`` as other users than their owner see them: without credentials.

Source: ``couch_replicator_docs:after_doc_read``.
"""

from __future__ import annotations

import re
from copy import copy
from typing import Any

from couchfake.auth.context import UserContext
from couchfake.storage import attachments
from couchfake.storage.bodies import Body
from couchfake.storage.database import Database
from couchfake.storage.revision_ids import revision_hash
from couchfake.storage.revision_tree import Revision
from couchfake.values import json

_LOGIN = re.compile(r"http(s)?://[^:]+:[^@]+@(.*)$")


def visible(database: Database, docid: str, leaf: Revision, user: UserContext) -> Revision:
    """Return the revision itself for its owner, else a copy without credentials and with the hash of that copy."""
    if docid.startswith("_design/") or leaf.body is None or leaf.body.value.get("owner") == user.name:
        return leaf
    body = {
        name: _stripped(value) if name in ("source", "target") else value for name, value in leaf.body.value.items()
    }
    parent = leaf.parent.key if leaf.parent is not None else None
    shown = copy(leaf)
    shown.id = bytes.fromhex(revision_hash(leaf.deleted, parent, body, attachments.hash_tuples(leaf.attachments)))
    shown.body = Body(body, json.encode(body), database.parsed)
    return shown


def _stripped(endpoint: Any) -> Any:
    if isinstance(endpoint, str):
        return _LOGIN.sub(lambda match: f"http{match[1] or ''}://{match[2]}", endpoint, count=1)
    if isinstance(endpoint, dict):
        return {name: value for name, value in endpoint.items() if name not in ("headers", "auth")}
    return endpoint
