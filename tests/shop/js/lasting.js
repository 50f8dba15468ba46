// A shop that closes, and one that comes back.
"use strict";

const { equal, fails, sleep } = require("./check");
const { hear, join, talk } = require("./chat");
const { download, pattern, upload } = require("./files");
const orders = require("./orders");
const { ask } = require("./prices");
const { create, get, order, stock } = require("./products");

// Calls that would go on for ever are told that the shop closes; those that end by themselves do.
async function ends(shop) {
  const { id } = await create(shop, "ENDS");
  const made = await order(shop.bob, "ends", [[id, 1]]);
  const watch = shop.bob.products.stream("WatchProducts");
  await watch.headers;
  const track = shop.bob.orders.stream("TrackOrder", { id: made.id });
  await track.next();
  const member = talk(shop.eve, join("ends"));
  await hear(member);
  const quote = ask(shop, "p-1", 1);
  // The quote is being worked on by then.
  await sleep(300);
  console.log("watching");
  for (const stream of [watch, track, member]) {
    const failed = await fails("UNAVAILABLE", stream.next());
    equal([failed.reason, Number(failed.details.RetryInfo.retryDelay.seconds)], ["UNAVAILABLE", 1]);
  }
  equal((await quote).degraded, false);
}

// Leaves a product, an order and a file, and tells their ids.
async function keep(shop) {
  const { id } = await create(shop, "KEPT");
  const made = await order(shop.bob, "kept", [[id, 2]]);
  return [id, made.id, (await upload(shop.bob, pattern(100_000), { name: "kept" })).id];
}

// Finds what was left, and gets the same order for the same key.
async function kept(shop, productId, orderId, fileId) {
  equal([(await get(shop, productId)).sku, await stock(shop, productId)], ["KEPT", [3, 2]]);
  equal(await order(shop.bob, "kept", [[productId, 2]]), await orders.get(shop.bob, orderId));
  const [file, content] = await download(shop.bob, fileId);
  equal([file.name, content], ["kept", pattern(100_000)]);
}

module.exports = { ends, keep, kept };
