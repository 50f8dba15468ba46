"""Prices. The market of the shop needs 2.5 seconds."""

import time

from shop.v1.price_service_pb2 import GetQuoteRequest, Quote

from check import case, equal, fails, refused


def nanos(money):
    equal(money.currency_code, "EUR")
    return money.units * 1_000_000_000 + money.nanos


def outcomes(quote):
    return [(source.name, Quote.Source.Outcome.Name(source.outcome)) for source in quote.sources]


@case("prices/quote")
def quotes(shop):
    quote = shop.nobody.prices.GetQuote(GetQuoteRequest(product_id="p-1", quantity=3))
    equal((quote.product_id, quote.quantity, quote.degraded), ("p-1", 3, False))
    equal(nanos(quote.total), 3 * nanos(quote.unit_price))
    equal(outcomes(quote), [("list", "OUTCOME_ANSWERED"), ("market", "OUTCOME_ANSWERED")])
    assert quote.sources[1].latency.ToMilliseconds() >= 2400
    assert abs(quote.price_time.ToSeconds() - time.time()) < 60
    ask = lambda **fields: shop.nobody.prices.GetQuote(GetQuoteRequest(**fields))
    refused(["product_id"], ask)
    refused(["quantity"], lambda: ask(product_id="p-1", quantity=10_001))
    equal(fails("NOT_FOUND", lambda: ask(product_id="p-999999999")).resource, ("product", "p-999999999"))


@case("prices/degraded")
def degrades(shop):
    known = shop.nobody.prices.GetQuote(GetQuoteRequest(product_id="p-3"))
    for id, price, at in [("p-3", known.unit_price, known.price_time), ("p-4", None, None)]:
        started = time.monotonic()
        quote = shop.nobody.prices.GetQuote(GetQuoteRequest(product_id=id), timeout=2)
        # 80 % of the time went to the market.
        assert time.monotonic() - started > 1.4
        equal((quote.degraded, quote.quantity), (True, 1))
        equal(outcomes(quote), [("list", "OUTCOME_ANSWERED"), ("market", "OUTCOME_TIMED_OUT")])
        equal(quote.HasField("price_time"), at is not None)
        if at:
            equal((quote.unit_price, quote.price_time), (price, at))
        else:
            assert nanos(quote.unit_price) > 0
