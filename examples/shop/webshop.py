"""A small web shop on CouchDB, as an example of an application that is tested with couchfake.

Its client is made when the module is imported, from the environment variable ``COUCHDB_URL``. A thread follows the
changes feed and keeps the prices in memory.
"""

from __future__ import annotations

import json
import os
import threading

import requests
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest, HTTPException, NotFound, ServiceUnavailable
from werkzeug.routing import Map, Rule

SHOP = os.environ.get("COUCHDB_URL", "http://localhost:5984/") + "shop"
CLIENT = requests.Session()
ATTEMPTS = 3


def ask(method, path="", **options):
    """Send a request to CouchDB; try again if it is down for a moment or loses the connection."""
    for attempt in range(ATTEMPTS):
        try:
            answer = CLIENT.request(method, f"{SHOP}{path}", timeout=10, **options)
        except requests.ConnectionError:
            if attempt == ATTEMPTS - 1:
                raise ServiceUnavailable("the database is down") from None
            continue
        if answer.status_code not in (429, 503):
            return answer
    raise ServiceUnavailable("the database is down")


def change(name, edit):
    """Change a product, again and again until no other writer is faster."""
    while True:
        answer = ask("GET", f"/{name}")
        if answer.status_code == 404:
            raise NotFound(f"there is no {name}")
        product = answer.json()
        edit(product)
        if ask("PUT", f"/{name}", json=product).status_code != 409:
            return product


def show(request, name):
    answer = ask("GET", f"/{name}")
    if answer.status_code == 404:
        raise NotFound(f"there is no {name}")
    product = answer.json()
    return {"name": name, "price": product["price"], "stock": product["stock"]}


def create(request, name):
    price = request.get_json().get("price")
    if not isinstance(price, int) or price <= 0:
        raise BadRequest("a price is a positive number")
    product = {"type": "product", "price": price, "stock": 0}
    answer = ask("PUT", f"/{name}", json=product)
    if answer.status_code == 409 and ask("GET", f"/{name}").json()["price"] != price:
        raise BadRequest(f"{name} exists already")  # with the same price it was this request, tried again
    return {"name": name, **product}


def buy(request, name):
    def take_one(product):
        if product["stock"] < 1:
            raise BadRequest(f"{name} is sold out")
        product["stock"] -= 1

    return {"stock": change(name, take_one)["stock"]}


def cheap(request):
    below = request.args.get("below", type=int)
    query = {"selector": {"type": "product", "price": {"$lt": below}}, "use_index": "by-price", "sort": ["price"]}
    return {"products": [each["_id"] for each in ask("POST", "/_find", json=query).json()["docs"]]}


def value(request):
    rows = ask("GET", "/_design/shop/_view/value").json()["rows"]
    return {"value": rows[0]["value"] if rows else 0}


def merge(request, name):
    """Resolve a product in conflict: the lowest stock counts."""
    product = ask("GET", f"/{name}?conflicts=true").json()
    losers = product.pop("_conflicts", [])
    stocks = [ask("GET", f"/{name}?rev={rev}").json()["stock"] for rev in losers]
    product["stock"] = min([product["stock"], *stocks])
    deleted = [{"_id": name, "_rev": rev, "_deleted": True} for rev in losers]
    ask("POST", "/_bulk_docs", json={"docs": [product, *deleted]})
    return {"stock": product["stock"]}


ROUTES = Map(
    [
        Rule("/products/<name>", endpoint=show, methods=["GET"]),
        Rule("/products/<name>", endpoint=create, methods=["PUT"]),
        Rule("/products/<name>/buy", endpoint=buy, methods=["POST"]),
        Rule("/products/<name>/merge", endpoint=merge, methods=["POST"]),
        Rule("/cheap", endpoint=cheap, methods=["GET"]),
        Rule("/value", endpoint=value, methods=["GET"]),
    ]
)


@Request.application
def app(request):
    """The WSGI application."""
    try:
        endpoint, arguments = ROUTES.bind_to_environ(request.environ).match()
        return Response(json.dumps(endpoint(request, **arguments)), mimetype="application/json")
    except HTTPException as error:
        return error


class PriceList:
    """The prices of all products, kept up to date by a thread that follows the changes feed."""

    def __init__(self):
        self.prices = {}
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopped.set()
        self._thread.join()

    def wait_until(self, happened, timeout=10):
        """Wait until ``happened(prices)`` is true. Return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: happened(self.prices), timeout)

    def _run(self):
        url = f"{SHOP}/_changes?feed=continuous&include_docs=true&since=0&heartbeat=100"
        while not self._stopped.wait(0.01):
            try:
                with requests.get(url, stream=True, timeout=10) as answer:
                    if answer.status_code == 200:
                        self._read(answer.iter_lines(chunk_size=1))
            except (requests.RequestException, ValueError):
                continue  # the feed broke: start again from the beginning

    def _read(self, lines):
        for line in lines:
            if self._stopped.is_set():
                return
            row = json.loads(line) if line else {}
            if row.get("doc", {}).get("type") == "product":
                with self._changed:
                    self.prices[row["id"]] = row["doc"]["price"]
                    self._changed.notify_all()
