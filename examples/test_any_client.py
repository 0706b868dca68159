"""``couch_url`` is a URL for any program: another client library, a subprocess, a browser."""

import requests


def test_another_client_writes_and_ours_reads(couch_db, couch_url):
    answer = requests.put(f"{couch_url}{couch_db.name}/from-outside", json={"hello": "world"}, timeout=10)
    assert answer.status_code == 201
    assert couch_db["from-outside"]["hello"] == "world"


def test_two_servers_replicate(couch, couch_db, make_couch):
    other = make_couch()
    copy = other.create("copy")
    couch_db["john"] = {"visits": 1}
    couch.replicate(couch_db.name, other.resource.url.rstrip("/") + "/copy")
    assert copy["john"] == couch_db["john"]
