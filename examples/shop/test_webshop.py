"""A suite for the web shop, which uses each part of the test kit."""

import pytest
import requests


class TestProducts:
    """Each test begins with the seed: what the one before wrote is undone."""

    def test_a_product_is_shown(self, client):
        assert client.get("/products/tea").json == {"name": "tea", "price": 3, "stock": 2}

    def test_a_product_is_created(self, client, shop):
        assert client.put("/products/juice", json={"price": 5}).status_code == 200
        assert shop["juice"]["price"] == 5

    def test_what_another_test_created_is_gone(self, client):
        assert client.get("/products/juice").status_code == 404

    def test_buying_lowers_the_stock(self, client, shop):
        assert client.post("/products/tea/buy").json == {"stock": 1}
        assert shop["tea"].rev.startswith("2-")

    def test_a_product_can_be_sold_out(self, client):
        assert client.post("/products/cake/buy").status_code == 200
        assert client.post("/products/cake/buy").status_code == 400

    @pytest.mark.parametrize("price", [0, -1, "3", None])
    def test_a_wrong_price_is_refused(self, client, price):
        assert client.put("/products/juice", json={"price": price}).status_code == 400

    def test_the_value_of_the_stock(self, client):
        assert client.get("/value").json == {"value": 2 * 3 + 5 * 4 + 6}


class TestRequests:
    """What the application asks of its database."""

    def test_showing_a_product_takes_one_request(self, client, couchfake):
        couchfake.requests.clear()
        client.get("/products/tea")
        assert couchfake.requests.count == 1

    def test_a_wrong_price_never_reaches_the_database(self, client, couchfake):
        couchfake.requests.clear()
        client.put("/products/juice", json={"price": 0})
        assert couchfake.requests.to("PUT").count == 0

    def test_cheap_products_are_found_by_an_index(self, client, couchfake):
        assert client.get("/cheap?below=5").json == {"products": ["tea", "coffee"]}
        query = couchfake.requests.to("POST", "/shop/_find").last.json
        explained = couchfake.ask("POST", "/shop/_explain", query)
        assert explained["index"]["name"] == "by-price"


class TestFaults:
    """What the application does when something goes wrong."""

    def test_a_short_outage_goes_unnoticed(self, client, couchfake):
        with couchfake.faults.refuse(503, times=2):
            assert client.get("/products/tea").status_code == 200

    def test_a_long_outage_is_reported(self, client, couchfake):
        with couchfake.faults.refuse(503):
            assert client.get("/products/tea").status_code == 503

    def test_a_lost_answer_creates_no_second_product(self, client, couchfake, shop):
        with couchfake.faults.lose_answer(method="PUT", times=1):
            assert client.put("/products/juice", json={"price": 5}).status_code == 200
        assert shop["juice"].rev.startswith("1-")

    def test_two_customers_buy_at_the_same_moment(self, client, couchfake, shop):
        other = {"type": "product", "price": 3, "stock": 1}  # somebody else bought one right before
        with couchfake.faults.conflict(other, document_id="tea", times=1):
            assert client.post("/products/tea/buy").json == {"stock": 0}
        assert shop["tea"]["stock"] == 0

    def test_a_full_disk_is_not_hidden(self, client, couchfake, shop):
        with couchfake.faults.disk_full():
            assert requests.put(f"{couchfake.url}shop/x", json={}, timeout=10).status_code == 507
        assert "x" not in shop


class TestConflicts:
    """Replicated copies of the shop sold the same product."""

    def test_the_lowest_stock_counts(self, client, shop, couch_conflict, couch_tree):
        product = {"type": "product", "price": 9}
        couch_conflict(shop, "wine", {**product, "stock": 3}, {**product, "stock": 1}, base={**product, "stock": 4})
        assert client.post("/products/wine/merge").json == {"stock": 1}
        assert couch_tree(shop, "wine").conflicts == []


class TestPriceList:
    """A thread of the application follows the changes feed."""

    def test_it_has_the_prices_of_the_seed(self, price_list):
        assert price_list.wait_until(lambda prices: prices == {"tea": 3, "coffee": 4, "cake": 6})

    def test_a_new_price_arrives(self, client, price_list, shop):
        tea = shop["tea"]
        tea["price"] = 7
        shop.save(tea)
        assert price_list.wait_until(lambda prices: prices.get("tea") == 7)

    def test_a_broken_feed_is_opened_again(self, couchfake, price_list, shop):
        with couchfake.faults.cut_feed(1, times=2) as fault:
            price_list.wait_until(lambda prices: len(prices) == 3)
            shop["juice"] = {"type": "product", "price": 5}
        assert price_list.wait_until(lambda prices: prices.get("juice") == 5)
        assert not fault.is_on


class TestTime:
    """The server's clock."""

    @pytest.mark.couch(admins={"adm": "pass"})
    def test_a_login_expires(self, couchfake):
        session, url = couchfake.session(), couchfake.session_url + "_session"
        session.post(url, json={"name": "adm", "password": "pass"}).raise_for_status()
        assert session.get(url).json()["userCtx"]["name"] == "adm"
        couchfake.clock.advance(601)
        assert session.get(url).json()["userCtx"]["name"] is None


class TestScopes:
    """A server of its own, beside the one of the session."""

    def test_a_fresh_database(self, couch, shop):
        couch.create("scratch")
        assert "shop" in couch

    def test_it_is_gone_in_the_next_test(self, couch, shop):
        assert "scratch" not in couch


class TestMoreOfTheKit:
    """Snapshots within a test, waits that are skipped, interception, gates, and a network."""

    def test_a_part_of_a_test_is_undone(self, client, couchfake):
        with couchfake.rollback():
            client.put("/products/juice", json={"price": 5})
        assert client.get("/products/juice").status_code == 404

    def test_waiting_for_news_takes_no_time(self, webshop, indexed, couchfake, couch_url):
        with couchfake.clock.skip_waits():
            url = couch_url + "shop/_changes?feed=longpoll&since=now&timeout=60000"
            assert requests.get(url, timeout=10).json()["results"] == []

    def test_a_program_with_a_fixed_address_reaches_the_server(self, couchfake, shop):
        with couchfake.intercept("http://couchdb:5984"):
            assert requests.get("http://couchdb:5984/shop/tea", timeout=10).json()["price"] == 3

    def test_nothing_fails_behind_the_scenes(self, client, couch_gates):
        couch_gates.allow(404, "/shop/juice")
        assert client.get("/products/tea").status_code == 200
        assert client.get("/products/juice").status_code == 404

    def test_two_shops_agree_after_the_line_between_them_was_cut(self, couch_network):
        oslo, rome = couch_network.server(), couch_network.server()
        north, south = oslo.create("shop"), rome.create("shop")
        oslo.replicate("shop", rome.resource.url + "shop", continuous=True)
        couch_network.settle()
        couch_network.cut(oslo, rome)
        north["tea"] = {"price": 3}
        couch_network.heal()
        with couch_network.fake(oslo).clock.skip_waits():
            couch_network.settle()
        assert south["tea"]["price"] == 3
