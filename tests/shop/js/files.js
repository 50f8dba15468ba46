// Files, in pieces. The shop takes up to 1 MiB.
"use strict";

const { createHash } = require("crypto");
const { assert, equal, fails, refused } = require("./check");

const MIB = 1 << 20;
const pattern = (size) => Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31) % 251));
const sha256 = (content) => createHash("sha256").update(content).digest();

function upload(client, content, header, piece = 50_000) {
  const parts = header ? [{ header }] : [];
  for (let at = 0; at < content.length; at += piece) parts.push({ chunk: content.subarray(at, at + piece) });
  return client.files.upload("UploadFile", parts);
}

// What is known of a file, and its bytes.
async function download(client, id, offset = 0, limit = 0) {
  const [first, ...rest] = await client.files.stream("DownloadFile", { id, offset, limit }).rest();
  assert(rest.every(({ part }) => part === "chunk"));
  return [first.file, Buffer.concat(rest.map(({ chunk }) => chunk))];
}

const cases = {
  async "files/upload"(shop) {
    const content = pattern(300_000);
    const picture = { name: "kettle.png", contentType: "image/png", sha256: sha256(content) };
    const file = await upload(shop.bob, content, picture);
    equal({ ...file }, { ...picture, id: file.id, size: "300000", owner: "bob", createTime: file.createTime });
    for (const client of [shop.bob, shop.ann]) equal(await download(client, file.id), [file, content]);
    // It is not Eve's.
    equal((await fails("NOT_FOUND", download(shop.eve, file.id))).resource, `file ${file.id}`);
    const empty = await upload(shop.bob, Buffer.alloc(0), { name: "empty" });
    equal([empty.size, empty.contentType], ["0", "application/octet-stream"]);
    equal(await download(shop.bob, empty.id), [empty, Buffer.alloc(0)]);
    // Exactly as much as the shop takes.
    equal((await upload(shop.bob, Buffer.alloc(MIB), { name: "whole" })).size, `${MIB}`);
  },

  async "files/refused"(shop) {
    const [wrong, bytes] = [sha256("other"), Buffer.from("bytes")];
    const damaged = await fails("DATA_LOSS", upload(shop.bob, bytes, { name: "a", sha256: wrong }));
    const sums = { wanted: wrong.toString("hex"), found: sha256(bytes).toString("hex") };
    equal([damaged.reason, { ...damaged.details.ErrorInfo.metadata }], ["CHECKSUM", sums]);
    // By a byte, and so much that the answer comes long before the end.
    for (const size of [MIB + 1, 64 * MIB]) {
      const large = await fails("RESOURCE_EXHAUSTED", upload(shop.bob, Buffer.alloc(size), { name: "large" }));
      equal([large.reason, large.details.ErrorInfo.metadata.max_bytes], ["FILE_TOO_LARGE", `${MIB}`]);
      equal(large.details.QuotaFailure.violations.map(({ subject }) => subject), ["file"]);
    }
    await refused(["header.name"], upload(shop.bob, bytes, { name: "" }));
    await refused(["header.sha256"], upload(shop.bob, bytes, { name: "a", sha256: Buffer.from("short") }));
    await refused(["part"], upload(shop.bob, bytes));
    await refused(["part"], shop.bob.files.upload("UploadFile", ["a", "b"].map((name) => ({ header: { name } }))));
  },

  async "files/ranges"(shop) {
    const content = pattern(200_000);
    const { id } = await upload(shop.bob, content, { name: "ranges" });
    for (const [offset, limit] of [[70_000, 100_001], [199_999, 100], [0, 1], [150_000, 0], [200_000, 0]]) {
      const [file, found] = await download(shop.bob, id, offset, limit);
      equal([file.size, found], ["200000", content.subarray(offset, limit ? offset + limit : undefined)]);
    }
    await fails("OUT_OF_RANGE", download(shop.bob, id, 200_001));
    await refused(["offset", "limit"], download(shop.bob, id, -1, -1));
    await fails("NOT_FOUND", download(shop.bob, "f-999999999"));
  },
};

module.exports = { MIB, cases, download, pattern, upload };
