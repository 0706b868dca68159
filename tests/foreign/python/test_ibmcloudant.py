"""ibmcloudant, IBM's client for Cloudant and CouchDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

ibmcloudant = pytest.importorskip("ibmcloudant", reason="the dependency group clients is not installed")
sdk = pytest.importorskip("ibm_cloud_sdk_core", reason="the dependency group clients is not installed")
pytestmark = pytest.mark.foreign


def basic() -> Any:
    return sdk.authenticators.BasicAuthenticator("adm", "pass")


def by_cookie() -> Any:
    return ibmcloudant.CouchDbSessionAuthenticator("adm", "pass")


@pytest.fixture(params=[basic, by_cookie], ids=["basic", "cookie"])
def service(request: pytest.FixtureRequest, url: str) -> Any:
    login: Callable[[], Any] = request.param
    service = ibmcloudant.CloudantV1(authenticator=login())
    service.set_service_url(url)
    service.put_database(db="db").get_result()
    return service


def test_documents_are_saved_read_and_deleted(service: Any) -> None:
    rev = service.put_document(db="db", doc_id="a", document={"x": 1}).get_result()["rev"]
    assert rev == "1-0785e9eb543380151003dc452c3a001a"
    assert service.get_document(db="db", doc_id="a").get_result() == {"_id": "a", "_rev": rev, "x": 1}
    with pytest.raises(sdk.ApiException) as caught:
        service.put_document(db="db", doc_id="a", document={"x": 2})
    assert caught.value.status_code == 409
    service.delete_document(db="db", doc_id="a", rev=rev)
    with pytest.raises(sdk.ApiException, match="deleted"):
        service.get_document(db="db", doc_id="a")


def test_many_documents_are_written_listed_and_found(service: Any) -> None:
    docs = [{"_id": f"doc-{number}", "n": number} for number in range(5)]
    rows = service.post_bulk_docs(db="db", bulk_docs={"docs": docs}).get_result()
    assert all(row["ok"] for row in rows)
    service.post_index(db="db", index={"fields": [{"n": "asc"}]}, name="by-n", type="json")
    found = service.post_find(db="db", selector={"n": {"$gte": 3}}, fields=["n"]).get_result()["docs"]
    assert found == [{"n": 3}, {"n": 4}]
    listed = service.post_all_docs(db="db", include_docs=True, start_key="doc-3", end_key="doc-9").get_result()
    assert [row["doc"]["n"] for row in listed["rows"]] == [3, 4]


def test_views_are_paged_through(service: Any) -> None:
    service.put_design_document(
        db="db", ddoc="d", design_document={"views": {"v": {"map": "function (doc) { emit(doc.n); }"}}}
    )
    service.post_bulk_docs(
        db="db", bulk_docs={"docs": [{"_id": f"doc-{number:02}", "n": number} for number in range(45)]}
    )
    pager = ibmcloudant.Pagination.new_pagination(
        service, ibmcloudant.PagerType.POST_VIEW, db="db", ddoc="d", view="v", limit=20
    )
    assert [row.key for row in pager.rows()] == list(range(45))


def test_queries_are_paged_through(service: Any) -> None:
    docs = [{"_id": f"doc-{number:02}", "n": number} for number in range(45)]
    service.post_bulk_docs(db="db", bulk_docs={"docs": docs})
    for index in (None, {"fields": ["n"]}):
        if index is not None:
            service.post_index(db="db", index=index, type="json")
        pager = ibmcloudant.Pagination.new_pagination(
            service, ibmcloudant.PagerType.POST_FIND, db="db", selector={"n": {"$gte": 5}}, fields=["n"], limit=10
        )
        assert [[doc.n for doc in page] for page in pager.pages()] == [
            list(range(start, start + 10)) for start in (5, 15, 25, 35)
        ] + [[]]


def test_attachments_come_back_as_they_went(service: Any) -> None:
    data = bytes(range(256)) * 100
    service.put_attachment(
        db="db", doc_id="a", attachment_name="f.bin", attachment=data, content_type="application/octet-stream"
    )
    assert service.get_attachment(db="db", doc_id="a", attachment_name="f.bin").get_result().content == data


def test_all_changes_are_followed_to_the_end(service: Any) -> None:
    docs = [{"_id": f"doc-{number:03}"} for number in range(150)]
    service.post_bulk_docs(db="db", bulk_docs={"docs": docs})
    follower = ibmcloudant.ChangesFollower(service, db="db")
    assert [change.id for change in follower.start_one_off()] == [doc["_id"] for doc in docs]


def test_security_and_session_can_be_read(service: Any) -> None:
    service.put_security(db="db", members={"names": ["joe"], "roles": []})
    assert service.get_security(db="db").get_result()["members"]["names"] == ["joe"]
    assert service.get_session_information().get_result()["userCtx"]["name"] == "adm"
