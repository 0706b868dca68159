"""``--couch-html FILE``: a self-contained page with what the servers of failed tests contain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import pytest

WORKER_OUTPUT = "couch_html"

_STYLE = """
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:2.5rem 0 .5rem;border-top:2px solid #c62828;padding-top:1rem}
h3{font-size:1rem}code,pre{font:13px/1.45 ui-monospace,Consolas,monospace}h2,summary,li{overflow-wrap:anywhere}
pre{border:1px solid #8886;border-radius:6px;padding:.6rem;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}
summary{cursor:pointer;padding:.15rem 0;font:13px/1.45 ui-monospace,Consolas,monospace}.bad{color:#d33;font-weight:600}
.tree{overflow-x:auto;border:1px solid #8886;border-radius:6px;margin:.3rem 0}.quiet{opacity:.7}
"""
_HEAD = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    f"<title>CouchDB of failed tests</title><style>{_STYLE}</style></head><body><h1>CouchDB of failed tests</h1>"
)


class HtmlReport:
    """The failures of one process. With pytest-xdist the controller writes those of all workers."""

    def __init__(self) -> None:
        self.failures: list[dict[str, Any]] = []

    def write(self, path: Path) -> None:
        """Write the page. Raise OSError if the file cannot be written."""
        path.write_text(page_of(self.failures), "utf-8")


def write_report(config: pytest.Config, report: HtmlReport, path: Path) -> None:
    """Write the file; in an xdist worker, hand the failures to the controller. Raise OSError if it fails."""
    workeroutput = getattr(config, "workeroutput", None)
    if workeroutput is not None:
        workeroutput[WORKER_OUTPUT] = report.failures
    else:
        report.write(path)


def page_of(failures: Iterable[Mapping[str, Any]]) -> str:
    """Return the page. Everything that tests, requests and documents hold is escaped."""
    sections = [_section(number, failure) for number, failure in enumerate(failures, 1)]
    links = "".join(f'<li><a href="#f{n}">{escape(title)}</a></li>' for n, (title, _) in enumerate(sections, 1))
    body = f"<ol>{links}</ol>" if sections else "<p>No test with a CouchDB failed.</p>"
    return _HEAD + body + "".join(text for _, text in sections) + "</body></html>\n"


def _section(number: int, failure: Mapping[str, Any]) -> tuple[str, str]:
    title = failure["test"] + (f" ({failure['server']})" if failure["server"] else "")
    earlier = f'<p class="quiet">{failure["left_out"]} earlier requests</p>' if failure["left_out"] else ""
    log = f"<h3>Log of design functions</h3><pre>{escape(chr(10).join(failure['log']))}</pre>" if failure["log"] else ""
    requests = "".join(map(_request, failure["requests"])) or '<p class="quiet">None.</p>'
    text = (
        f'<section id="f{number}"><h2>{escape(title)}</h2><pre>{escape(failure["message"])}</pre>'
        f"<h3>Requests</h3>{earlier}{requests}{log}{''.join(map(_database, failure['databases']))}</section>"
    )
    return title, text


def _request(request: Mapping[str, Any]) -> str:
    kind = ' class="bad"' if request["status"] >= 400 or request["status"] == 0 else ""
    bodies = "".join(f"<pre>{escape(request[name])}</pre>" for name in ("body", "answer") if request[name])
    return f"<details><summary{kind}>{escape(request['line'])}</summary>{bodies}</details>"


def _database(database: Mapping[str, Any]) -> str:
    shown = len(database["documents"])
    count = f"{database['total']} documents" + (f", the first {shown}" if shown < database["total"] else "")
    documents = "".join(
        f"<details><summary>{escape(each['id'])}</summary><pre>{escape(each['text'])}</pre></details>"
        for each in database["documents"]
    )
    trees = "".join(
        f"<details open><summary>Revisions of {escape(each['id'])}</summary>"
        f'<div class="tree">{each["svg"]}</div></details>'
        for each in database["trees"]
    )
    return f"<h3>Database {escape(database['name'])}: {count}</h3>{documents}{trees}"
