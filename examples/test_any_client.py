"""``couch_url`` is a URL for any program: another client library, a subprocess, a browser."""

import json
import urllib.request


def test_another_client_writes_and_ours_reads(couch_db, couch_url):
    request = urllib.request.Request(
        f"{couch_url}{couch_db.name}/from-outside",
        data=json.dumps({"hello": "world"}).encode(),
        headers={"Content-Type": "application/json"},
        method="PUT",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 201
    assert couch_db["from-outside"]["hello"] == "world"


def test_two_servers_replicate(couch, couch_db, make_couch):
    other = make_couch()
    copy = other.create("copy")
    couch_db["john"] = {"visits": 1}
    couch.replicate(couch_db.name, other.resource.url.rstrip("/") + "/copy")
    assert copy["john"] == couch_db["john"]
