// What holds for calls of all methods.
"use strict";

const { assert, equal, fails, sleep } = require("./check");
const { grpc } = require("./schemas");
const { hear, join, leave, talk } = require("./chat");
const { MIB, upload } = require("./files");
const { ask } = require("./prices");
const { create, get, order } = require("./products");

const GZIP = 2; // grpc-js's number for it

const cases = {
  async "calls/deadline"(shop) {
    const { id } = await create(shop, "DEADLINE");
    const waiting = await order(shop.bob, "deadline", [[id, 1]]);
    const soon = () => ({ deadline: Date.now() + 300 });
    const started = Date.now();
    await fails("DEADLINE_EXCEEDED", shop.bob.products.stream("WatchProducts", { ids: ["p-1"] }, soon()).rest());
    await fails("DEADLINE_EXCEEDED", shop.bob.orders.stream("TrackOrder", { id: waiting.id }, soon()).rest());
    await fails("DEADLINE_EXCEEDED", ask(shop, "p-1", 1, { deadline: Date.now() }));
    assert(Date.now() - started < 10_000);
    // Nothing is wrong with the connection.
    equal((await get(shop, id)).id, id);
  },

  async "calls/cancel"(shop) {
    const bob = talk(shop.bob, join("cancel"));
    await hear(bob);
    const eve = talk(shop.eve, join("cancel"));
    equal(await hear(bob), "eve joined, 2 are here");
    await hear(eve);
    eve.cancel();
    await fails("CANCELLED", eve.next());
    equal(await hear(bob), "eve left, 1 are here");
    await leave(bob);
    const every = shop.eve.products.stream("StreamProducts");
    await every.next();
    every.cancel();
    await fails("CANCELLED", every.rest());
    const quote = ask(shop, "p-1", 1);
    sleep(100).then(() => quote.call.cancel());
    await fails("CANCELLED", quote);
    equal((await get(shop, "p-1")).id, "p-1");
  },

  async "calls/metadata"(shop) {
    const headers = (metadata) => {
      const ended = shop.nobody.products.call("GetProduct", { id: "p-1" }, { metadata });
      const found = new Promise((done) => ended.call.once("metadata", done));
      return ended.then(() => found);
    };
    const own = new grpc.Metadata();
    own.set("x-request-id", "tern-42");
    equal((await headers(own)).get("x-request-id"), ["tern-42"]);
    assert((await headers()).get("x-request-id")[0]);
    for (const path of ["/shop.v1.ProductService/Nothing", "/shop.v1.Nothing/GetProduct"]) {
      const empty = () => Buffer.alloc(0);
      const send = new Promise((done, failed) => {
        const finish = (error, response) => (error ? failed(error) : done(response));
        shop.ann.plain.makeUnaryRequest(path, empty, empty, {}, shop.ann.metadata, finish);
      });
      await fails("UNIMPLEMENTED", send);
    }
  },

  async "calls/gzip"(shop) {
    const request = { pageSize: 200 };
    const plain = await shop.nobody.products.call("ListProducts", request);
    const { client } = shop.nobody.products;
    const zipped = new client.constructor(client.getChannel().getTarget(), shop.credentials, {
      "grpc.default_compression_algorithm": GZIP,
    });
    const found = await new Promise((done, failed) => {
      zipped.ListProducts(request, (error, response) => (error ? failed(error) : done(response)));
    });
    equal(found, plain);
  },

  async "calls/large"(shop) {
    // More than the 4 MiB that servers of gRPC take by default.
    await fails("RESOURCE_EXHAUSTED", upload(shop.bob, Buffer.alloc(5 * MIB), { name: "large" }, 5 * MIB));
    equal((await get(shop, "p-1")).id, "p-1");
  },
};

module.exports = { cases };
