// The aviary on grpc-js: server.js MODULES PROTO... MODULES is the folder that the packages are installed in, each
// PROTO a folder of schemas. Says its address, and serves until it is ended.
//
// Reflection tells of the twigs alone: the descriptors that it makes of messages with maps are not valid, and no
// client takes them.
"use strict";

const path = require("path");
const [modulesFolder, ...includeDirs] = process.argv.slice(2);
const modules = (name) => require(path.join(modulesFolder, name));
const grpc = modules("@grpc/grpc-js");
const health = modules("grpc-health-check");
const { ReflectionService } = modules("@grpc/reflection");
const loader = modules("@grpc/proto-loader");

// Fields that are not set are there, with their defaults; but not those that can be told from unset ones.
const options = { includeDirs, longs: String, enums: String, bytes: Buffer, keepCase: true, defaults: true };
const plain = loader.loadSync("aviary/plain/v1/plain.proto", options);
const schema = loader.loadSync("aviary/v1/aviary.proto", options);

const milliseconds = (duration) => (duration ? Number(duration.seconds) * 1000 + duration.nanos / 1e6 : 0);

const varint = (value) => (value > 127 ? [(value & 127) | 128, ...varint(value >> 7)] : [value]);
const octets = (number, value) => Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(value.length)]), value]);

function statusOf(request) {
  const metadata = new grpc.Metadata();
  if (request.details.length) {
    // google.rpc.Status, field by field: code, message, details.
    const parts = [Buffer.from([8, ...varint(request.code)]), octets(2, Buffer.from(request.message))];
    parts.push(...request.details.map((detail) => octets(3, detail)));
    metadata.set("grpc-status-details-bin", Buffer.concat(parts));
  }
  return { code: request.code, details: request.message, metadata };
}

const aviary = {
  Echo: (call, answer) => answer(null, call.request),
  Ponder: (call, answer) => answer(null, call.request),
  Fail: (call, answer) => (call.request.code ? answer(statusOf(call.request)) : answer(null, {})),
  Sleep: (call, answer) => setTimeout(() => answer(null, call.request), milliseconds(call.request.time)),
  Inspect: (call, answer) => {
    const { names, headers, trailers, binary } = call.request;
    const metadata = {};
    for (const name of names) {
      const values = call.metadata.get(name).map((value) => `"${value}"`);
      if (values.length) metadata[name] = { values };
    }
    const sent = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) sent.set(name, value);
    if (binary.length) sent.set("x-binary-bin", binary);
    call.sendMetadata(sent);
    const last = new grpc.Metadata();
    for (const [name, value] of Object.entries(trailers)) last.set(name, value);
    answer(null, { metadata, has_deadline: call.getDeadline() !== Infinity }, last);
  },
  Lay: (call, answer) => answer(null, { shell: Buffer.from(Array.from({ length: call.request.size }, (_, i) => i % 256)) }),
  Flock: async (call) => {
    const { count, code, message, pause } = call.request;
    for (let i = 1; i <= count; i++) {
      if (i > 1) await new Promise((done) => setTimeout(done, milliseconds(pause)));
      call.write({ name: `bird ${i}`, large: i });
    }
    if (code) call.emit("error", { code, details: message });
    else call.end();
  },
  Count: (call, answer) => {
    const names = [];
    call.on("data", (bird) => names.push(bird.name));
    call.on("end", () => answer(null, { count: names.length, names }));
  },
  Sing: (call) => {
    call.on("data", (song) => {
      if (song.code) call.emit("error", { code: song.code, details: song.text });
      else call.write({ ...song, text: song.text.toUpperCase() });
    });
    call.on("end", () => call.end());
  },
};

const twigs = {
  Echo: aviary.Echo,
  Stream: (call) => {
    for (const twig of call.request.twigs) call.write(twig);
    call.end();
  },
};

const server = new grpc.Server();
const states = new health.HealthImplementation({
  "": "SERVING",
  "aviary.v1.AviaryService": "SERVING",
  broken: "NOT_SERVING",
  changing: "SERVING",
});
states.addToServer(server);
new ReflectionService(plain).addToServer(server);
server.addService(schema["aviary.v1.AviaryService"], aviary);
server.addService(plain["aviary.plain.v1.TwigService"], twigs);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on plain=127.0.0.1:${port}`);
  let isServing = true;
  setInterval(() => states.setStatus("changing", (isServing = !isServing) ? "SERVING" : "NOT_SERVING"), 200);
});
