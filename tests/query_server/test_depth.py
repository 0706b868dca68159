"""Documents that nest thousands of levels deep, through every kind of design function, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from couchfake import CouchFake

DESIGN = {
    "views": {"v": {"map": "function (doc) { if (doc.a) emit(1, doc.a); }"}},
    "shows": {"s": "function (doc, req) { return {json: doc.a}; }"},
    "lists": {"l": "function () { var row; while ((row = getRow())) send(JSON.stringify(row.value)); }"},
    "updates": {"u": "function (doc, req) { doc.b = doc.a; return [doc, {json: doc.b}]; }"},
    "filters": {"f": "function (doc) { return !!doc.a; }"},
    "validate_doc_update": "function (doc) { if (doc.refused) throw {forbidden: JSON.stringify(doc.a)}; }",
}


class Requests:
    """Requests to one fake, whose answers must have the status that is named."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()

    def __call__(self, method: str, path: str, body: str = "", status: int = 200) -> str:
        response = self._session.request(
            method, self._url + path, data=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == status, response.text[:500]
        return response.text

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def send(engine_name: str) -> Iterator[Requests]:
    patient = {"couchdb": {"os_process_timeout": "60000"}}  # js2py needs seconds, and more where machines are busy
    with CouchFake(js_engine=engine_name, config=patient) as fake:
        send = Requests(fake.start())
        send("PUT", "/db", status=201)
        send("PUT", "/db/_design/d", json.dumps(DESIGN), 201)
        yield send
        send.close()


@pytest.mark.parametrize("levels", [990, 5000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_documents_pass_through_every_function(send: Requests, levels: int, opening: str, closing: str) -> None:
    deep = opening * levels + "1" + closing * levels
    send("PUT", "/db/x", f'{{"a":{deep}}}', 201)
    assert deep in send("PUT", "/db/y", f'{{"a":{deep},"refused":true}}', 403).replace('\\"', '"')
    assert f'"value":{deep}' in send("GET", "/db/_design/d/_view/v")
    assert send("GET", "/db/_design/d/_list/l/v") == deep
    assert send("GET", "/db/_design/d/_show/s/x").rstrip() == deep
    assert send("POST", "/db/_design/d/_update/u/x", status=201).rstrip() == deep
    assert f'"b":{deep}' in send("GET", "/db/_changes?filter=d/f&include_docs=true")
    assert '"id":"x"' in send("GET", "/db/_changes?filter=_view&view=d/v")
