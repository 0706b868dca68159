"""The statistics of a server, as ``_stats`` and ``_prometheus`` show them.

The names and descriptions are CouchDB's. Those without a meaning here (files, processes of query servers) are missing.
Source: CouchDB documentation, "Server: /_node/{node-name}/_stats".
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any

_STATUS_TEXTS = {
    200: "200 OK responses",
    201: "201 Created responses",
    202: "202 Accepted responses",
    204: "204 No Content responses",
    206: "206 Partial Content",
    301: "301 Moved Permanently responses",
    302: "302 Found responses",
    304: "304 Not Modified responses",
    400: "400 Bad Request responses",
    401: "401 Unauthorized responses",
    403: "403 Forbidden responses",
    404: "404 Not Found responses",
    405: "405 Method Not Allowed responses",
    406: "406 Not Acceptable responses",
    409: "409 Conflict responses",
    412: "412 Precondition Failed responses",
    413: "413 Request Entity Too Long responses",
    414: "414 Request URI Too Long responses",
    415: "415 Unsupported Media Type responses",
    416: "416 Requested Range Not Satisfiable responses",
    417: "417 Expectation Failed responses",
    500: "500 Internal Server Error responses",
    501: "501 Not Implemented responses",
    503: "503 Service unavailable responses",
}

COUNTERS = {
    "couchdb.auth_cache_hits": "number of authentication cache hits",
    "couchdb.auth_cache_misses": "number of authentication cache misses",
    "couchdb.database_purges": "number of times a database was purged",
    "couchdb.database_reads": "number of times a document was read from a database",
    "couchdb.database_writes": "number of times a database was changed",
    "couchdb.document_inserts": "number of documents inserted",
    "couchdb.document_writes": "number of document write operations",
    "couchdb.local_document_writes": "number of _local document write operations",
    "couchdb.open_databases": "number of open databases",
    "couchdb.open_os_files": "number of file descriptors CouchDB has open",
    "couchdb.httpd.bulk_requests": "number of bulk requests",
    "couchdb.httpd.clients_requesting_changes": "number of clients for continuous _changes",
    "couchdb.httpd.purge_requests": "number of purge requests",
    "couchdb.httpd.requests": "number of HTTP requests",
    "couchdb.httpd.temporary_view_reads": "number of temporary view reads",
    "couchdb.httpd.view_reads": "number of view reads",
    "couchdb.query_server.vdu_rejects": "number of rejections by validate_doc_update function",
    **{
        f"couchdb.httpd_request_methods.{method}": f"number of HTTP {method} requests"
        for method in ("COPY", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT")
    },
    **{f"couchdb.httpd_status_codes.{code}": f"number of HTTP {text}" for code, text in _STATUS_TEXTS.items()},
    "mango.docs_examined": "number of documents examined by mango queries coordinated by this node",
    "mango.quorum_docs_examined": "number of documents examined by mango queries, using cluster quorum",
    "mango.unindexed_queries": "number of mango queries that could not use an index",
}

REQUEST_TIME = "couchdb.request_time"
HISTOGRAMS = {REQUEST_TIME: "length of a request inside CouchDB without MochiWeb"}

_PERCENTILES = (50, 75, 90, 95, 99, 999)
_SAMPLE = 1000


class Stats:
    """The counters and histograms of one server. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters = dict.fromkeys(COUNTERS, 0)
        self._requests = 0
        self._methods: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        # Of the latest requests only: the real server's histograms look back ten seconds.
        self._samples: dict[str, deque[float]] = {name: deque(maxlen=_SAMPLE) for name in HISTOGRAMS}

    def add(self, name: str, amount: int = 1) -> None:
        """Add to a counter. Names that are not in the table are ignored."""
        with self._lock:
            if name in self._counters:
                self._counters[name] += amount

    def request(self, method: str, status: int, milliseconds: float) -> None:
        """Count an answered request."""
        with self._lock:
            self._requests += 1
            self._methods[method] += 1
            self._statuses[status] += 1
            self._samples[REQUEST_TIME].append(milliseconds)

    def save(self) -> Callable[[], None]:
        """Return a function that sets all counters and histograms back to what they are now."""
        with self._lock:
            counters, requests = dict(self._counters), self._requests
            methods, statuses = Counter(self._methods), Counter(self._statuses)
            samples = {name: list(sample) for name, sample in self._samples.items()}

        def restore() -> None:
            with self._lock:
                self._counters, self._requests = dict(counters), requests
                self._methods, self._statuses = Counter(methods), Counter(statuses)
                self._samples = {name: deque(sample, maxlen=_SAMPLE) for name, sample in samples.items()}

        return restore

    def _all_counters(self) -> dict[str, int]:
        counters = {**self._counters, "couchdb.httpd.requests": self._requests}
        counters.update((f"couchdb.httpd_request_methods.{name}", count) for name, count in self._methods.items())
        counters.update((f"couchdb.httpd_status_codes.{code}", count) for code, count in self._statuses.items())
        return {name: value for name, value in counters.items() if name in COUNTERS}

    def tree(self, **now: int) -> dict[str, Any]:
        """Return all statistics, nested by the parts of their names. ``now``: counters that are kept elsewhere."""
        with self._lock:
            counters = {**self._all_counters(), **{f"couchdb.{name}": value for name, value in now.items()}}
            samples = {name: list(sample) for name, sample in self._samples.items()}
        tree: dict[str, Any] = {}
        for name, value in counters.items():
            _put(tree, name, {"value": value, "type": "counter", "desc": COUNTERS[name]})
        for name, sample in samples.items():
            _put(tree, name, {"value": summary(sample), "type": "histogram", "desc": HISTOGRAMS[name]})
        return tree

    def prometheus(self, **now: int) -> str:
        """Return all statistics in Prometheus' text format, version 2.0 of CouchDB's names."""
        lines: list[str] = []
        for name, leaf in leaves(self.tree(**now)):
            metric = name.replace("couchdb.", "couchdb_", 1).replace(".", "_")
            label = ""
            for family, key in (("couchdb_httpd_status_codes", "code"), ("couchdb_httpd_request_methods", "method")):
                if metric.startswith(family + "_"):
                    label, metric = f'{{{key}="{metric[len(family) + 1 :]}"}}', family
            if leaf["type"] == "counter":
                kind, value = ("gauge", leaf["value"]) if "open_" in metric else ("counter", leaf["value"])
                metric = metric if kind == "gauge" else metric + "_total"
                if f"# TYPE {metric} {kind}" not in lines:
                    lines.append(f"# TYPE {metric} {kind}")
                lines.append(f"{metric}{label} {value}")
            else:
                metric += "_seconds"
                lines.append(f"# TYPE {metric} summary")
                lines += [
                    f'{metric}{{quantile="{percent / (100 if percent < 100 else 1000)}"}} {value / 1000}'
                    for percent, value in leaf["value"]["percentile"]
                ]
                lines.append(f"{metric}_count {leaf['value']['n']}")
        return "\n".join(lines) + "\n"


def leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the statistics of a tree with their dotted names."""
    for name, value in tree.items():
        if "type" in value:
            yield prefix + name, value
        else:
            yield from leaves(value, f"{prefix}{name}.")


def summary(sample: list[float]) -> dict[str, Any]:
    """Return a histogram's figures as CouchDB (``bear``) computes them: zeros for fewer than five values."""
    count = len(sample)
    ordered = sorted(sample) if count >= 5 else [0.0]
    mean = sum(ordered) / len(ordered)
    variance = sum((each - mean) ** 2 for each in ordered) / max(1, len(ordered) - 1)
    positive = [each for each in ordered if each > 0]
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "arithmetic_mean": mean,
        "geometric_mean": math.exp(sum(map(math.log, positive)) / len(positive)) if positive else 0,
        "harmonic_mean": len(positive) / sum(1 / each for each in positive) if positive else 0,
        "median": _percentile(ordered, 50),
        "variance": variance,
        "standard_deviation": math.sqrt(variance),
        "skewness": _moment(ordered, mean, variance, 3),
        "kurtosis": _moment(ordered, mean, variance, 4) - 3 if variance else 0,
        "percentile": [[percent, _percentile(ordered, percent)] for percent in _PERCENTILES],
        "histogram": _histogram(ordered),
        "n": count,
    }


def _percentile(ordered: list[float], percent: int) -> float:
    share = percent / (100 if percent < 100 else 1000)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _moment(ordered: list[float], mean: float, variance: float, order: int) -> float:
    if not variance:
        return 0
    deviation = math.sqrt(variance)
    return sum(((each - mean) / deviation) ** order for each in ordered) / len(ordered)


def _histogram(ordered: list[float]) -> list[list[float]]:
    """Return ten bins of equal width: their upper bounds and numbers of values."""
    low, high = ordered[0], ordered[-1]
    width = (high - low) / 10 or 1
    counts = [0] * 10
    for each in ordered:
        counts[min(9, int((each - low) / width))] += 1
    return [[low + width * (place + 1), count] for place, count in enumerate(counts)]


def _put(tree: dict[str, Any], name: str, leaf: dict[str, Any]) -> None:
    *branches, last = name.split(".")
    for branch in branches:
        tree = tree.setdefault(branch, {})
    tree[last] = leaf
