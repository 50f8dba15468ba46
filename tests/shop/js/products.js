// The shelves.
"use strict";

const { assert, equal, fails, refused } = require("./check");

const euro = (units, cents = 0) => ({ currencyCode: "EUR", units: `${units}`, nanos: cents * 10_000_000 });

// A product for 10 EUR.
const product = (sku, available = 5, fields = {}) => ({
  sku,
  name: `a ${sku}`,
  category: "CATEGORY_HOME",
  price: euro(10),
  inventory: { available, reserved: 0, reorderLevel: 0 },
  ...fields,
});

const put = (shop, wanted) => shop.ann.products.call("CreateProduct", { product: wanted });
const create = (shop, ...args) => put(shop, product(...args));
const get = (shop, id) => shop.nobody.products.call("GetProduct", { id });

async function stock(shop, id) {
  const { available, reserved } = (await get(shop, id)).inventory;
  return [available, reserved];
}

const change = (shop, changed, paths) =>
  shop.ann.products.call("UpdateProduct", { product: changed, updateMask: paths && { paths } });

// So many pieces of some products, paid for with a gift card.
const orderOf = (key, lines, fields = { giftCard: { code: "WELCOME" } }) => ({
  idempotencyKey: key,
  order: {
    lines: lines.map(([productId, quantity]) => ({ productId, quantity })),
    shippingAddress: {
      recipient: "Bob",
      lines: ["1 Shore Road"],
      postalCode: "12345",
      city: "Northhaven",
      countryCode: "NO",
    },
    ...fields,
  },
});

const order = (client, ...args) => client.orders.call("CreateOrder", orderOf(...args));
const step = (client, id, status) => client.orders.call("UpdateOrderStatus", { id, status: `STATUS_${status}` });

// All products of a list, with how many there are said to be.
async function pages(shop, pageSize, category) {
  const found = [];
  for (let pageToken = ""; ; ) {
    const page = await shop.nobody.products.call("ListProducts", { pageSize, pageToken, category });
    assert(page.products.length <= pageSize);
    found.push(...page.products);
    pageToken = page.nextPageToken;
    if (!pageToken) return [found, page.totalSize];
  }
}

const cases = {
  async "products/create"(shop) {
    const wanted = product("CREATE-1", 5, {
      description: "for tea\nand coffee",
      attributes: { colour: "blue", größe: "groß" },
      tags: ["kitchen", "gift"],
      brand: { value: "Northhaven" },
      weightKg: { value: 1.25 },
      dimensions: { widthMm: 100, heightMm: 200, depthMm: 300 },
      warranty: { seconds: "63072000", nanos: 0 },
      percentOff: 10,
    });
    const found = await put(shop, wanted);
    assert(found.id.startsWith("p-"));
    assert(Math.abs(Number(found.createTime.seconds) * 1000 - Date.now()) < 60_000);
    equal(found.createTime, found.updateTime);
    equal(await get(shop, found.id), found);
    const given = { id: found.id, createTime: found.createTime, updateTime: found.updateTime };
    equal({ ...found }, { ...wanted, ...given, status: "STATUS_ACTIVE", discount: "percentOff" });
    const taken = await fails("ALREADY_EXISTS", create(shop, "CREATE-1"));
    equal([taken.reason, taken.resource], ["SKU_TAKEN", `product ${found.id}`]);
    equal({ ...taken.details.ErrorInfo.metadata }, { sku: "CREATE-1", product: found.id });
  },

  async "products/refused"(shop) {
    const bad = { sku: "no spaces", percentOff: 95, tags: [""], weightKg: { value: -1 } };
    const fields = ["sku", "name", "category", "price", "percent_off", "tags", "weight_kg"];
    await refused(fields.map((field) => `product.${field}`), put(shop, bad));
    await refused(["product"], put(shop));
    const prices = [euro(0), euro(-1), euro(1, -1), { currencyCode: "USD", units: 1 }, { nanos: 1_000_000_000 }];
    for (const price of prices) await refused(["product.price"], create(shop, "BAD", 1, { price }));
    await refused(["product.amount_off"], create(shop, "BAD", 1, { amountOff: euro(10) }));
  },

  async "products/get"(shop) {
    equal((await get(shop, "p-1")).id, "p-1");
    for (const id of ["p-999999999", "p-01", "o-1", "nothing"]) {
      const failed = await fails("NOT_FOUND", get(shop, id));
      equal([failed.message, failed.reason], [`there is no product ${id}`, "NOT_FOUND"]);
      equal(failed.resource, `product ${id}`);
    }
    await refused(["id"], get(shop, ""));
  },

  async "products/update"(shop) {
    const made = await create(shop, "UPDATE-1", 5, { percentOff: 10, brand: { value: "Tern" }, description: "old" });
    const update = (fields, paths) => change(shop, { id: made.id, ...fields }, paths);

    // Those of the mask: one is in a message, one of a oneof, and one is cleared.
    let found = await update(
      {
        price: euro(20),
        inventory: { available: 7, reorderLevel: 9 },
        amountOff: euro(1, 50),
        description: "not of the mask",
      },
      ["price", "inventory.available", "amount_off", "brand"],
    );
    equal([found.price, found.discount, found.amountOff], [euro(20), "amountOff", euro(1, 50)]);
    equal([found.description, found.brand], ["old", null]);
    equal(found.inventory, { available: 7, reserved: 0, reorderLevel: 0 });
    // Without a mask: those that are there, but never the inventory.
    found = await update({ description: "new", inventory: { available: 1 } });
    equal([found.description, found.inventory.available, found.price], ["new", 7, euro(20)]);
    equal(await get(shop, made.id), found);

    for (const path of ["nothing", "inventory.nothing", "price.", "create_time", "inventory.reserved", "id"]) {
      await refused(["update_mask"], update({}, [path]));
    }
    await refused(["product.price", "product.amount_off"], update({ price: euro(-1) }, ["price"]));
    await refused(["product.name"], update({}, ["name"]));
    await refused(["product"], change(shop));
    await create(shop, "UPDATE-2");
    equal((await fails("ALREADY_EXISTS", update({ sku: "UPDATE-2" }, ["sku"]))).reason, "SKU_TAKEN");
    const gone = await fails("NOT_FOUND", change(shop, { id: "p-999999999", name: "x" }));
    equal(gone.resource, "product p-999999999");
  },

  async "products/delete"(shop) {
    const { id } = await create(shop, "DELETE-1");
    const waiting = await order(shop.bob, "delete", [[id, 1]]);
    const remove = () => shop.ann.products.call("DeleteProduct", { id });
    const failed = await fails("FAILED_PRECONDITION", remove());
    equal([failed.reason, failed.preconditions], ["RESERVED", [`RESERVED ${id}`]]);
    await step(shop.bob, waiting.id, "CANCELLED");
    equal(await remove(), {});
    await fails("NOT_FOUND", remove());
    await fails("NOT_FOUND", get(shop, id));
  },

  async "products/pages"(shop) {
    const [found, total] = await pages(shop, 37, "CATEGORY_BOOKS");
    const numbers = found.map(({ id }) => Number(id.slice(2)));
    equal(numbers, [...new Set(numbers)].sort((a, b) => a - b));
    equal([found.length, new Set(found.map(({ category }) => category))], [total, new Set(["CATEGORY_BOOKS"])]);
    const list = (request) => shop.nobody.products.call("ListProducts", request);
    const first = await list({});
    equal([first.products.length, first.totalSize > 1000], [50, true]);
    equal((await list({ pageSize: 1_000_000 })).products.length, 500);
    const token = first.nextPageToken;
    for (const [pageToken, category] of [["x"], ["0".repeat(32)], [token.slice(1)], [token, "CATEGORY_BOOKS"]]) {
      await refused(["page_token"], list({ pageToken, category }));
    }
    await refused(["page_size", "category"], list({ pageSize: -1, category: 99 }));
  },

  async "products/stream"(shop) {
    const books = await shop.nobody.products.stream("StreamProducts", { category: "CATEGORY_BOOKS" }).rest();
    equal(books, (await pages(shop, 500, "CATEGORY_BOOKS"))[0]);
    const every = await shop.nobody.products.stream("StreamProducts").rest();
    equal(new Set(every.map(({ id }) => id)).size, (await pages(shop, 500))[1]);
  },

  async "products/watch"(shop) {
    const events = shop.eve.products.stream("WatchProducts", { category: "CATEGORY_GARDEN" });
    await events.headers; // From now on nothing is missed.
    await create(shop, "WATCH-1"); // It is on another shelf.
    const made = await create(shop, "WATCH-2", 2, { category: "CATEGORY_GARDEN" });
    const hear = async (type) => {
      const event = await events.next();
      equal([event.type, event.product.id], [`TYPE_${type}`, made.id]);
      assert(Number(event.time.seconds) > 0);
      return event.product;
    };
    equal(await hear("CREATED"), made);
    await change(shop, { id: made.id, name: "a rake" });
    equal((await hear("UPDATED")).name, "a rake");
    const bought = await order(shop.bob, "watch", [[made.id, 2]]);
    equal((await hear("UPDATED")).inventory.available, 0);
    await hear("OUT_OF_STOCK");
    await step(shop.bob, bought.id, "CANCELLED");
    equal((await hear("UPDATED")).inventory.available, 2);
    await shop.ann.products.call("DeleteProduct", { id: made.id });
    equal((await hear("DELETED")).name, "a rake");
    events.cancel();
    await fails("CANCELLED", events.next());

    const one = shop.nobody.products.stream("WatchProducts", { ids: ["p-2"] });
    await one.headers;
    for (const id of ["p-1", "p-2"]) await change(shop, { id, description: "watched" });
    equal((await one.next()).product.id, "p-2");
    one.cancel();
    const watch = (ids) => shop.nobody.products.stream("WatchProducts", { ids }).next();
    await refused(["ids"], watch(Array(101).fill("p-1")));
    await fails("NOT_FOUND", watch(["x"]));
  },

  async "products/bulk"(shop) {
    const requests = Array.from({ length: 250 }, (_, number) => {
      const sku = { 7: "no spaces", 8: "BULK-3" }[number] ?? `BULK-${number}`;
      return number === 240 ? {} : { product: product(sku) };
    });
    const response = await shop.ann.products.upload("BulkCreateProducts", requests);
    equal([response.ids.length, new Set(response.ids).size], [247, 247]);
    const errors = response.errors.map(({ index, code, field }) => [index, code, field]);
    equal(errors, [[7, 3, "product.sku"], [8, 6, ""], [240, 3, "product"]]);
    assert(response.errors.every(({ message }) => message));
    equal((await get(shop, response.ids[0])).sku, "BULK-0");
    equal(await shop.ann.products.upload("BulkCreateProducts", []), { ids: [], errors: [] });
  },

  async "products/batch"(shop) {
    const batch = shop.ann.products.stream("ProcessProductBatch");
    const ask = async (sequence, operation = {}) => {
      batch.send({ sequence, ...operation });
      const answer = await batch.next();
      equal(answer.sequence, `${sequence}`);
      return answer;
    };
    const error = ({ error: { index, code, field } }) => [index, code, field];
    const made = (await ask("18446744073709551615", { create: product("BATCH-1") })).product;
    const adjust = (by) => ({ adjustStock: { productId: made.id, by } });
    const price = (units) => ({ setPrice: { productId: made.id, price: euro(units) } });
    equal((await ask(20, adjust(-4))).product.inventory.available, 1);
    equal(error(await ask(30, adjust(-2))), [2, 9, ""]);
    equal(error(await ask(31, adjust(2 ** 31 - 1))), [3, 9, ""]);
    equal((await ask(40, price(12))).product.price, euro(12));
    equal(error(await ask(50, price(0))), [5, 3, "set_price.price"]);
    equal(error(await ask(60)), [6, 3, "operation"]);
    equal((await ask(70, { deleteId: made.id })).deletedId, made.id);
    equal(error(await ask(80, { deleteId: made.id })), [8, 5, ""]);
    batch.finish();
    equal(await batch.rest(), []);
  },
};

module.exports = { cases, change, create, euro, get, order, orderOf, pages, stock, step };
