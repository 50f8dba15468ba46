// Who may do what.
"use strict";

const { assert, equal, fails } = require("./check");
const { definitions, grpc } = require("./schemas");

const PUBLIC = ["GetProduct", "ListProducts", "StreamProducts", "WatchProducts", "GetQuote"];
const FOR_ADMINS = ["CreateProduct", "UpdateProduct", "DeleteProduct", "BulkCreateProducts", "ProcessProductBatch"];

const methods = Object.entries(definitions)
  .filter(([name]) => /^shop\.v1\.[A-Za-z]+Service$/.test(name))
  .flatMap(([, service]) => Object.values(service));

// Calls a method with a request that has nothing, and gives the code of its end.
function end(client, { path, requestStream, responseStream, requestSerialize, responseDeserialize }) {
  return new Promise((done) => {
    const kinds = requestStream ? ["ClientStream", "BidiStream"] : ["Unary", "ServerStream"];
    const start = client.plain[`make${kinds[Number(responseStream)]}Request`].bind(client.plain);
    const call = start(
      ...[path, requestSerialize, responseDeserialize],
      ...(requestStream ? [] : [{}]),
      ...[client.metadata.clone(), { deadline: Date.now() + 1000 }],
      ...(responseStream ? [] : [() => {}]),
    );
    call.on("status", ({ code }) => done(grpc.status[code]));
    if (responseStream) call.on("error", () => {}).resume();
    if (requestStream) call.end();
  });
}

const cases = {
  async "access/tokens"(shop) {
    for (const method of methods) {
      const name = method.originalName[0].toUpperCase() + method.originalName.slice(1);
      for (const client of [shop.nobody, shop.stranger]) {
        equal([name, (await end(client, method)) === "UNAUTHENTICATED"], [name, !PUBLIC.includes(name)]);
      }
      equal([name, (await end(shop.bob, method)) === "PERMISSION_DENIED"], [name, FOR_ADMINS.includes(name)]);
      assert(!["UNAUTHENTICATED", "PERMISSION_DENIED"].includes(await end(shop.ann, method)), name);
    }
    // What is wrong with the token is told.
    const missing = await fails("UNAUTHENTICATED", shop.nobody.orders.call("ListOrders"));
    const unknown = await fails("UNAUTHENTICATED", shop.stranger.orders.call("ListOrders"));
    assert.notEqual(missing.message, unknown.message);
  },

  // Of a shop that takes 5 calls a second.
  async "access/rate"(limited) {
    const many = async () => {
      for (let calls = 0; calls < 200; calls++) await limited.nobody.products.call("GetProduct", { id: "p-1" });
    };
    const failed = await fails("RESOURCE_EXHAUSTED", many());
    const { seconds, nanos } = failed.details.RetryInfo.retryDelay;
    const delay = Number(seconds) + nanos / 1e9;
    assert(0 < delay && delay <= 1, `${delay}`);
    equal(failed.details.QuotaFailure.violations.length, 1);
    const pushback = Number(failed.trailers.get("grpc-retry-pushback-ms")[0]);
    assert(0 < pushback && pushback <= 1000, `${pushback}`);
    // Callers with a token have calls of their own.
    await limited.bob.orders.call("ListOrders");
  },
};

module.exports = { cases };
