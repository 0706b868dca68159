"""A blog on Flask and Flask-CouchDB, which imports ``couchdb`` itself. Takes the server's URL."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

import couchdb_client

couchdb_client.install_as_couchdb()

import flask  # noqa: E402 - after the name is installed, as in every program that uses it
from flaskext.couchdb import (  # noqa: E402
    CouchDBManager,
    DateTimeField,
    Document,
    ListField,
    TextField,
    ViewDefinition,
    ViewField,
    paginate,
)


class Post(Document):  # type: ignore[misc]  # Flask-CouchDB has no types
    doc_type = "post"
    title = TextField()
    author = TextField()
    tags = ListField(TextField())
    created = DateTimeField(default=datetime.now)
    by_author = ViewField("blog", "function (doc) { if (doc.doc_type == 'post') { emit(doc.author, doc); } }")
    tagged = ViewField("blog", "function (doc) { (doc.tags || []).forEach(function (tag) { emit(tag, doc); }); }")


titles = ViewDefinition("blog", "titles", "function (doc) { if (doc.title) { emit(doc.title, null); } }")


class Manager(CouchDBManager):  # type: ignore[misc]
    def all_viewdefs(self) -> Iterator[Any]:
        """Flask-CouchDB's own method calls ``dict.itervalues``, which Python 3 does not have."""
        return chain(self.general_viewdefs, *self.dc_viewdefs.values())


def make_app(url: str) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config.update(COUCHDB_SERVER=url, COUCHDB_DATABASE="blog", TESTING=True)
    manager = Manager()
    manager.add_document(Post)
    manager.add_viewdef(titles)
    manager.setup(app)

    @app.post("/posts/<docid>")
    def write(docid: str) -> dict[str, Any]:
        post = Post(id=docid, **flask.request.get_json())
        post.store()
        return {"rev": post.rev}

    @app.get("/posts/<docid>")
    def read(docid: str) -> dict[str, Any]:
        post = Post.load(docid) or flask.abort(404)
        return {"title": post.title, "tags": list(post.tags), "year": post.created.year, "type": post["doc_type"]}

    @app.get("/authors/<author>")
    def by(author: str) -> list[str]:
        return [post.title for post in Post.by_author[author]]

    @app.get("/tags/<tag>")
    def about(tag: str) -> list[str]:
        return [post.title for post in Post.tagged[tag]]

    @app.get("/titles")
    def pages() -> dict[str, Any]:
        page = paginate(titles(), 2, flask.request.args.get("start"))
        return {"titles": [row["key"] for row in page.items], "next": page.next, "prev": page.prev}

    return app


def main(url: str) -> None:
    browser = make_app(url).test_client()
    for number in range(5):
        post = {"title": f"N{number}", "author": "Ann" if number % 2 else "Joe", "tags": ["all", f"t{number}"]}
        assert browser.post(f"/posts/{number}", json=post).get_json()["rev"].startswith("1-")
    assert browser.get("/posts/1").get_json() == {
        "title": "N1", "tags": ["all", "t1"], "year": datetime.now().astimezone().year, "type": "post",
    }  # fmt: skip
    assert browser.get("/posts/missing").status_code == 404
    assert browser.get("/authors/Ann").get_json() == ["N1", "N3"]
    assert browser.get("/tags/t4").get_json() == ["N4"]
    assert len(browser.get("/tags/all").get_json()) == 5
    first = browser.get("/titles").get_json()
    assert (first["titles"], first["prev"]) == (["N0", "N1"], None)
    second = browser.get("/titles", query_string={"start": first["next"]}).get_json()
    assert second["titles"] == ["N2", "N3"]
    assert browser.get("/titles", query_string={"start": second["prev"]}).get_json()["titles"] == ["N0", "N1"]
    last = browser.get("/titles", query_string={"start": second["next"]}).get_json()
    assert (last["titles"], last["next"]) == (["N4"], None)


if __name__ == "__main__":
    main(sys.argv[1])
