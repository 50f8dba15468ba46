// The packages, and what they make of the schemas.
"use strict";

const fs = require("fs");
const path = require("path");
const [modules, schema, google] = process.argv.slice(2);
const load = (name) => require(path.join(modules, name));
const grpc = load("@grpc/grpc-js");
const protobuf = load("protobufjs");

const files = [
  ...fs.readdirSync(path.join(schema, "shop/v1")).map((name) => `shop/v1/${name}`),
  "grpc/health/v1/health.proto",
  "grpc/reflection/v1/reflection.proto",
];
const options = { includeDirs: [schema, google], longs: String, enums: String, oneofs: true, defaults: true };
const definitions = load("@grpc/proto-loader").loadSync(files, options);

// Types for the details of errors, which no method has.
const types = new protobuf.Root();
types.resolvePath = (from, name) => {
  const found = path.join(google, name);
  return fs.existsSync(found) ? found : name;
};
types.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"]);

const { FileDescriptorProto } = load("protobufjs/ext/descriptor");

module.exports = { FileDescriptorProto, definitions, grpc, packages: grpc.loadPackageDefinition(definitions), types };
