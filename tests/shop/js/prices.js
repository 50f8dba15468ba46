// Prices. The market of the shop needs 2.5 seconds.
"use strict";

const { assert, equal, fails, refused } = require("./check");

const ask = (shop, productId, quantity, options) =>
  shop.nobody.prices.call("GetQuote", { productId, quantity }, options);
const outcomes = ({ sources }) => sources.map(({ name, outcome }) => `${name} ${outcome}`);

function nanos({ currencyCode, units, nanos }) {
  equal(currencyCode, "EUR");
  return BigInt(units) * 1_000_000_000n + BigInt(nanos);
}

const cases = {
  async "prices/quote"(shop) {
    const quote = await ask(shop, "p-1", 3);
    equal([quote.productId, quote.quantity, quote.degraded], ["p-1", 3, false]);
    equal(nanos(quote.total), 3n * nanos(quote.unitPrice));
    equal(outcomes(quote), ["list OUTCOME_ANSWERED", "market OUTCOME_ANSWERED"]);
    const { seconds, nanos: rest } = quote.sources[1].latency;
    assert(Number(seconds) + rest / 1e9 >= 2.4);
    assert(Math.abs(Number(quote.priceTime.seconds) * 1000 - Date.now()) < 60_000);
    await refused(["product_id"], ask(shop, "", 1));
    await refused(["quantity"], ask(shop, "p-1", 10_001));
    equal((await fails("NOT_FOUND", ask(shop, "p-999999999", 1))).resource, "product p-999999999");
  },

  async "prices/degraded"(shop) {
    const known = await ask(shop, "p-3", 1);
    for (const [id, priceTime] of [["p-3", known.priceTime], ["p-4", null]]) {
      const started = Date.now();
      const quote = await ask(shop, id, 0, { deadline: started + 2000 });
      // 80 % of the time went to the market.
      assert(Date.now() - started > 1400);
      equal([quote.degraded, quote.quantity, quote.priceTime], [true, 1, priceTime]);
      equal(outcomes(quote), ["list OUTCOME_ANSWERED", "market OUTCOME_TIMED_OUT"]);
      if (priceTime) equal(quote.unitPrice, known.unitPrice);
      assert(nanos(quote.unitPrice) > 0n);
    }
  },
};

module.exports = { ask, cases };
