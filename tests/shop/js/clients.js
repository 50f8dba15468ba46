// The services of the shop, as someone calls them.
"use strict";

const fs = require("fs");
const { grpc, packages } = require("./schemas");

// Paths of all methods that were called.
const called = new Set();

const TIMEOUT = 60_000; // milliseconds, for calls that do not say

// A stream of responses, with a queue of its own for errors: who does not read yet is not ended by them.
class Stream {
  constructor(call) {
    this.call = call;
    this.headers = new Promise((done) => call.once("metadata", done));
    call.on("error", () => {});
    this.messages = call[Symbol.asyncIterator]();
  }

  // The next message; undefined at the end.
  async next() {
    return (await this.messages.next()).value;
  }

  async rest() {
    const found = [];
    for (let message; (message = await this.next()) !== undefined; ) found.push(message);
    return found;
  }

  send(message) {
    this.call.write(message);
  }

  finish() {
    this.call.end();
  }

  cancel() {
    this.call.cancel();
  }
}

// A service as promises: call(METHOD, REQUEST), stream(METHOD, [REQUEST]) and upload(METHOD, REQUESTS).
class Service {
  constructor(client) {
    this.client = client;
  }

  call(method, request = {}, { metadata = new grpc.Metadata(), ...options } = {}) {
    const ended = new Promise((done, failed) => {
      const finish = (error, response) => (error ? failed(error) : done(response));
      this.last = this.client[method](request, metadata, options, finish);
    });
    ended.call = this.last;
    return ended;
  }

  // With a request if there is one, and many otherwise.
  stream(method, request, options = {}) {
    const { requestStream } = this.client.constructor.service[method];
    const metadata = new grpc.Metadata();
    return new Stream(
      requestStream ? this.client[method](metadata, options) : this.client[method](request ?? {}, metadata, options),
    );
  }

  upload(method, requests) {
    return new Promise((done, failed) => {
      const call = this.client[method]((error, response) => (error ? failed(error) : done(response)));
      let hasEnded = false;
      const ended = new Promise((done) => call.once("status", done)).then(() => (hasEnded = true));
      (async () => {
        for (const request of requests) {
          // No more than is taken, and nothing once the call has ended.
          if (!call.write(request)) await Promise.race([new Promise((ready) => call.once("drain", ready)), ended]);
          if (hasEnded) return;
        }
        call.end();
      })();
    });
  }
}

// All services, called with one token or none.
class Client {
  constructor(address, credentials, token) {
    const metadata = new grpc.Metadata();
    if (token) metadata.set("authorization", `Bearer ${token}`);
    const note = (options, next) => {
      called.add(options.method_definition.path);
      options.deadline ??= Date.now() + TIMEOUT;
      return new grpc.InterceptingCall(next(options), {
        start: (own, listener, start) => {
          own.merge(metadata);
          start(own, listener);
        },
      });
    };
    // A connection of its own.
    const options = { "grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": 16 << 20 };
    const service = (type) => new Service(new type(address, credentials, { ...options, interceptors: [note] }));
    const { shop, grpc: standard } = packages;
    this.products = service(shop.v1.ProductService);
    this.orders = service(shop.v1.OrderService);
    this.prices = service(shop.v1.PriceService);
    this.chat = service(shop.v1.ChatService);
    this.files = service(shop.v1.UploadService);
    this.health = service(standard.health.v1.Health);
    this.reflection = service(standard.reflection.v1.ServerReflection);
    // Calls that are not noted, and without the token.
    this.plain = new grpc.Client(address, credentials, options);
    this.metadata = metadata;
  }
}

// A shop with the admin Ann and the customers Bob and Eve.
class Shop {
  constructor(address, { ca, cert, key }) {
    const parts = [ca, key, cert].map((file) => file && fs.readFileSync(file));
    const credentials = ca ? grpc.credentials.createSsl(...parts) : grpc.credentials.createInsecure();
    this.credentials = credentials;
    const as = (token) => new Client(address, credentials, token);
    this.nobody = as();
    this.stranger = as("made-up");
    this.ann = as("ann-token");
    this.bob = as("bob-token");
    this.eve = as("eve-token");
  }
}

module.exports = { called, Shop };
