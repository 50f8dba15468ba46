// The till.
"use strict";

const { assert, equal, fails, refused } = require("./check");
const { change, create, euro, order, orderOf, stock, step } = require("./products");

const get = (client, id) => client.orders.call("GetOrder", { id });

const cases = {
  async "orders/create"(shop) {
    const one = (await create(shop, "ORDER-1", 5, { price: euro(12, 99), percentOff: 10 })).id;
    const two = (await create(shop, "ORDER-2", 6, { price: euro(0, 10) })).id;
    const payments = [
      { card: { token: "tok", lastFour: "4242" } },
      { bankTransfer: { iban: "NO9386011117947" } },
      { giftCard: { code: "WELCOME" } },
    ];
    for (const [index, payment] of payments.entries()) {
      const wanted = [[one, 1], [two, 2]];
      const made = await order(shop.bob, `create-${index}`, wanted, { ...payment, note: { value: "ring" } });
      // 10 % less than 12.99, in whole cents.
      equal(made.lines, [
        { productId: one, productName: "a ORDER-1", quantity: 1, unitPrice: euro(11, 69), total: euro(11, 69) },
        { productId: two, productName: "a ORDER-2", quantity: 2, unitPrice: euro(0, 10), total: euro(0, 20) },
      ]);
      equal([made.customer, made.status, made.total], ["bob", "STATUS_PENDING", euro(11, 89)]);
      equal([made.payment, made[made.payment], made.note.value], [...Object.entries(payment)[0], "ring"]);
      equal(made.shippingAddress, orderOf("", []).order.shippingAddress);
      const done = index + 1;
      equal([await stock(shop, one), await stock(shop, two)], [[5 - done, done], [6 - 2 * done, 2 * done]]);
      for (const client of [shop.bob, shop.ann]) equal(await get(client, made.id), made);
      // That of someone else is not told of.
      const failed = await fails("NOT_FOUND", get(shop.eve, made.id));
      equal([failed.reason, failed.resource], ["NOT_FOUND", `order ${made.id}`]);
    }
    await refused(["id"], get(shop.bob, ""));
  },

  async "orders/refused"(shop) {
    const { id } = await create(shop, "ORDER-REFUSED");
    const bad = orderOf("", [[id, 0], ["", 1], [id, 1]], { bankTransfer: { iban: "short" } });
    delete bad.order.shippingAddress;
    const send = (request) => shop.bob.orders.call("CreateOrder", request);
    const fields = ["idempotency_key", "order.bank_transfer.iban", "order.shipping_address"];
    const lines = ["order.lines[0].quantity", "order.lines[1].product_id", "order.lines[2].product_id"];
    await refused([...fields, ...lines], send(bad));
    await refused(["order.lines", "order.payment"], send(orderOf("x", [], {})));
    await refused(["order"], send({ idempotencyKey: "x" }));
    equal(await stock(shop, id), [5, 0]);
  },

  async "orders/key"(shop) {
    const { id } = await create(shop, "ORDER-KEY", 100);
    const made = await order(shop.bob, "key", [[id, 1]]);
    equal(await order(shop.bob, "key", [[id, 1]]), made);
    await step(shop.ann, made.id, "PAID");
    const again = await order(shop.bob, "key", [[id, 1]]);
    equal([again.id, again.status, await stock(shop, id)], [made.id, "STATUS_PAID", [99, 1]]);
    const failed = await fails("ALREADY_EXISTS", order(shop.bob, "key", [[id, 2]]));
    equal([failed.reason, failed.resource], ["IDEMPOTENCY_KEY_TAKEN", `order ${made.id}`]);
    // Keys are one's own.
    assert.notEqual((await order(shop.eve, "key", [[id, 1]])).id, made.id);
    const orders = await Promise.all(Array.from({ length: 16 }, () => order(shop.bob, "at-once", [[id, 3]])));
    equal(new Set(orders.map((each) => each.id)).size, 1);
    equal(await stock(shop, id), [95, 5]);
  },

  async "orders/stock"(shop) {
    const few = (await create(shop, "ORDER-FEW", 1)).id;
    const many = (await create(shop, "ORDER-MANY", 9)).id;
    const asleep = (await create(shop, "ORDER-ASLEEP", 5, { status: "STATUS_SUSPENDED" })).id;
    const lines = [[many, 1], [few, 2], ["p-999999999", 1], [asleep, 1]];
    const failed = await fails("FAILED_PRECONDITION", order(shop.bob, "stock", lines));
    equal(failed.reason, "OUT_OF_STOCK");
    const kinds = ["STOCK", "UNKNOWN_PRODUCT", "NOT_FOR_SALE"];
    equal(failed.preconditions, kinds.map((kind, index) => `${kind} order.lines[${index + 1}]`));
    equal([await stock(shop, many), await stock(shop, few)], [[9, 0], [1, 0]]);
    // Nothing has become of the key.
    await order(shop.bob, "stock", [[few, 1]]);
    equal(await stock(shop, few), [0, 1]);
  },

  async "orders/list"(shop) {
    const { id } = await create(shop, "ORDER-LIST", 100);
    const made = [];
    for (let number = 0; number < 7; number++) made.push((await order(shop.eve, `list-${number}`, [[id, 1]])).id);
    await step(shop.eve, made[3], "CANCELLED");
    const list = (client, request) => client.orders.call("ListOrders", request);
    const pages = async (client, fields = {}) => {
      const found = [];
      for (let pageToken = ""; ; ) {
        const page = await list(client, { pageSize: 3, pageToken, ...fields });
        found.push(...page.orders.filter(({ lines }) => lines[0].productId === id).map((each) => each.id));
        pageToken = page.nextPageToken;
        if (!pageToken) return found;
      }
    };
    const newestFirst = [...made].reverse();
    equal(await pages(shop.eve), newestFirst);
    equal(await pages(shop.eve, { customer: "eve" }), newestFirst);
    equal(await pages(shop.ann), newestFirst);
    equal(await pages(shop.ann, { customer: "eve", status: "STATUS_CANCELLED" }), [made[3]]);
    equal(await pages(shop.bob), []);
    await fails("PERMISSION_DENIED", pages(shop.bob, { customer: "eve" }));
    const page = await list(shop.eve, { pageSize: 3 });
    await refused(["page_token"], list(shop.eve, { pageToken: "x" }));
    // That of another list: all orders, and not those of Eve.
    await refused(["page_token"], list(shop.ann, { pageToken: page.nextPageToken }));
    await refused(["page_size", "status"], list(shop.eve, { pageSize: -1, status: 99 }));
  },

  async "orders/steps"(shop) {
    const { id } = await create(shop, "ORDER-STEPS", 10);
    const made = (await order(shop.bob, "steps", [[id, 2]])).id;
    const failed = await fails("FAILED_PRECONDITION", step(shop.ann, made, "SHIPPED"));
    equal([failed.reason, failed.preconditions], ["NO_SUCH_STEP", [`STATUS ${made}`]]);
    equal({ ...failed.details.ErrorInfo.metadata }, { status: "PENDING", next: "PAID,CANCELLED" });
    await fails("PERMISSION_DENIED", step(shop.bob, made, "PAID"));
    await fails("NOT_FOUND", step(shop.eve, made, "CANCELLED"));
    await refused(["status"], step(shop.ann, made, "UNSPECIFIED"));
    for (const [status, reserved] of [["PAID", 2], ["SHIPPED", 0], ["DELIVERED", 0]]) {
      equal((await step(shop.ann, made, status)).status, `STATUS_${status}`);
      equal(await stock(shop, id), [8, reserved]);
    }
    for (const status of ["CANCELLED", "DELIVERED", "PENDING"]) {
      await fails("FAILED_PRECONDITION", step(shop.ann, made, status));
    }
    // From here it goes back on the shelf.
    for (const status of ["PENDING", "PAID"]) {
      const back = (await order(shop.bob, `back-${status}`, [[id, 3]])).id;
      if (status === "PAID") await step(shop.ann, back, status);
      equal(await stock(shop, id), [5, 3]);
      equal((await step(shop.bob, back, "CANCELLED")).status, "STATUS_CANCELLED");
      equal(await stock(shop, id), [8, 0]);
    }
    await fails("NOT_FOUND", step(shop.ann, "o-999999999", "PAID"));
  },

  async "orders/track"(shop) {
    const { id } = await create(shop, "ORDER-TRACK", 10);
    const made = (await order(shop.bob, "track", [[id, 1]])).id;
    const events = shop.bob.orders.stream("TrackOrder", { id: made });
    for (const status of ["PENDING", "PAID", "SHIPPED", "DELIVERED"]) {
      if (status !== "PENDING") await step(shop.ann, made, status);
      const event = await events.next();
      equal([event.orderId, event.status], [made, `STATUS_${status}`]);
      assert(Number(event.time.seconds) > 0);
    }
    equal(await events.rest(), []);
    // Who comes late hears how it ended.
    const late = await shop.ann.orders.stream("TrackOrder", { id: made }).rest();
    equal(late.map(({ status }) => status), ["STATUS_DELIVERED"]);
    await fails("NOT_FOUND", shop.eve.orders.stream("TrackOrder", { id: made }).next());
    // What changes about the product is no step of the order.
    await change(shop, { id, name: "other" });
    equal((await get(shop.bob, made)).lines[0].productName, "a ORDER-TRACK");
  },
};

module.exports = { cases, get };
