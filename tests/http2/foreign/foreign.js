// Node's HTTP/2, as server and as client:
//
//   node foreign.js serve                                   prints "listening on ADDR"
//   node foreign.js call URL REQUESTS CONCURRENCY BODY_BYTES
//
// The server echoes bodies and trailers. The client checks that it gets back what it sent.
"use strict";
const http2 = require("node:http2");

function serve() {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    let checksum;
    stream.on("trailers", (trailers) => (checksum = trailers["x-checksum"]));
    stream.on("wantTrailers", () => stream.sendTrailers(checksum ? { "x-checksum": checksum } : {}));
    stream.on("error", () => {});
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.pipe(stream);
  });
  server.listen(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
}

function one(session, path, body) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":method": "POST", ":path": path }, { waitForTrailers: true });
    const chunks = [];
    let trailers = {};
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-checksum": "none" }));
    stream.on("trailers", (received) => (trailers = received));
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      const echoed = Buffer.concat(chunks);
      if (!echoed.equals(body)) reject(new Error(`${echoed.length} bytes instead of ${body.length}`));
      else if (trailers["x-checksum"] !== "none") reject(new Error("no trailers"));
      else resolve();
    });
    stream.end(body);
  });
}

async function call(url, requests, concurrency, size) {
  const session = http2.connect(url, { rejectUnauthorized: false, maxSessionMemory: 1000 });
  const body = Buffer.alloc(size, "abcdefg");
  const path = new URL(url).pathname;
  let left = requests;
  let failed = 0;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await one(session, path, body).catch((error) => {
        failed += 1;
        console.error(`foreign: ${error.message}`);
      });
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  session.close();
  console.log(`${requests - failed} succeeded, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

const [what, url, ...numbers] = process.argv.slice(2);
if (what === "serve") serve();
else call(url, ...numbers.map(Number));
