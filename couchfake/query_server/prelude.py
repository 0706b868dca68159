"""The JavaScript that surrounds design functions, put together from its files for each engine."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

PRELUDE_LINE = 10_000
"""The prelude's own code lies beyond this line, so that a line number shows whether it is in a function's source."""

PARTS = ("views", "mime", "render")
"""Parts that are loaded into a script when it first needs them."""


def read(name: str) -> str:
    """Return the text of one of the prelude's files."""
    return (files("couchfake.query_server") / "javascript" / f"{name}.js").read_text(encoding="utf-8")


@cache
def quickjs_prelude(*, utc: bool) -> str:
    """Return a program for QuickJS whose value is the function ``dispatch``. ``utc`` makes Date work in UTC."""
    parts = {name: read(name) for name in (*PARTS, "quickjs_foreign")}
    return "\n" * PRELUDE_LINE + "\n".join(
        [
            read("utc_date") if utc else "",
            "(function () {",
            f"var PRELUDE_LINE = {PRELUDE_LINE}, PRELUDE_START = '\\n'.repeat({PRELUDE_LINE});",
            f"var partTexts = {json.dumps(parts)};",
            read("quickjs_realm"),
            "var realm = makeRealm();",
            read("core"),
            "return dispatch;",
            "})()",
        ]
    )


@cache
def js2py_prelude() -> tuple[str, dict[str, str]]:
    """Return a program for js2py, whose value is a function from ``host`` to ``dispatch``, and the parts by name."""
    texts = [
        "(function (host) {",
        read("js2py_realm"),
        "var realm = makeRealm(host);",
        read("core"),
        "return dispatch;",
        "})",
    ]
    return "\n".join(texts), {name: read(name) for name in PARTS}
