"""Networks of servers: links that are cut, healed and slow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from couchfake import CouchFake
from couchfake.control.network import Network


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


def server(network: Network) -> CouchFake:
    fake = CouchFake()
    network.add(fake)
    fake.node.create_database("shop")
    return fake


def replicate(source: CouchFake, target: CouchFake) -> None:
    order = {"source": source.url + "shop", "target": target.url + "shop", "continuous": True}
    source.ask("POST", "/_replicate", order)


def put(fake: CouchFake, docid: str, body: dict[str, Any]) -> None:
    fake.ask("PUT", f"/shop/{docid}", body)


def get(fake: CouchFake, docid: str) -> Any:
    return fake.ask("GET", f"/shop/{docid}?conflicts=true")


def has(fake: CouchFake, docid: str) -> bool:
    return fake.node.database("shop").entry(docid) is not None


def test_settling_waits_until_everything_has_arrived(network: Network) -> None:
    oslo, rome, lima = server(network), server(network), server(network)
    replicate(oslo, rome)
    replicate(rome, lima)
    for n in range(50):
        put(oslo, str(n), {})
    network.settle()
    assert all(has(lima, str(n)) for n in range(50))


def test_a_cut_link_carries_nothing_and_replication_resumes_when_it_heals(network: Network) -> None:
    oslo, rome = server(network), server(network)
    replicate(oslo, rome)
    put(oslo, "before", {})
    network.settle()
    network.cut(oslo, rome)
    put(oslo, "meanwhile", {})
    network.settle()
    assert has(rome, "before")
    assert not has(rome, "meanwhile")
    network.heal(oslo, rome)
    with oslo.clock.skip_waits():
        network.settle()
    assert has(rome, "meanwhile")


def test_a_split_brain_ends_in_a_conflict_that_both_sides_see(network: Network) -> None:
    oslo, rome = server(network), server(network)
    replicate(oslo, rome)
    replicate(rome, oslo)
    network.settle()
    network.cut(oslo, rome)
    put(oslo, "tea", {"price": 3})
    put(rome, "tea", {"price": 4})
    network.heal()
    with oslo.clock.skip_waits(), rome.clock.skip_waits():
        network.settle()
    assert get(oslo, "tea") == get(rome, "tea")
    assert len(get(oslo, "tea")["_conflicts"]) == 1


def test_clients_are_cut_off_while_servers_are_not(network: Network) -> None:
    oslo, rome = server(network), server(network)
    network.cut(rome)
    replicate(oslo, rome)
    put(oslo, "tea", {})
    network.settle()
    assert has(rome, "tea")
    with pytest.raises(requests.ConnectionError):
        requests.get(rome.url, timeout=10)
    assert requests.get(oslo.url, timeout=10).status_code == 200
    network.heal(rome)
    assert requests.get(rome.url, timeout=10).status_code == 200


def test_a_slow_link_delays_by_the_servers_clock(network: Network) -> None:
    oslo, rome = server(network), server(network)
    network.slow(oslo, rome, 3600)
    put(oslo, "tea", {})
    with oslo.clock.skip_waits():
        replicate(oslo, rome)
        network.settle()
    assert has(rome, "tea")
    with pytest.raises(ValueError, match="cannot be slow by -1"):
        network.slow(oslo, rome, -1)


def test_what_never_settles_is_named(network: Network) -> None:
    oslo, rome = server(network), server(network)
    replicate(oslo, rome)
    network.slow(oslo, rome, 3600)
    put(oslo, "tea", {})
    with pytest.raises(TimeoutError, match=r"still busy after 0.1 seconds: http://.*/shop to http://.*/shop"):
        network.settle(0.1)
    oslo.clock.advance(4000)
