// What operators and tools ask.
"use strict";

const { assert, equal, fails } = require("./check");
const { FileDescriptorProto } = require("./schemas");

const SERVICES = ["Chat", "Order", "Price", "Product", "Upload"].map((name) => `shop.v1.${name}Service`);

// The services that the shop lists, and all files that they are in, by name.
async function reflected(shop) {
  const stream = shop.nobody.reflection.stream("ServerReflectionInfo");
  const ask = (request) => {
    stream.send(request);
    return stream.next();
  };
  const names = (await ask({ listServices: "" })).listServicesResponse.service.map(({ name }) => name);
  const files = {};
  for (const name of names) {
    const { fileDescriptorResponse } = await ask({ fileContainingSymbol: name });
    for (const bytes of fileDescriptorResponse.fileDescriptorProto) {
      const file = FileDescriptorProto.decode(bytes);
      files[file.name] = file;
    }
  }
  stream.finish();
  equal(await stream.rest(), []);
  return [names, files];
}

// The paths of all methods that the shop has, by reflection.
async function methods(shop) {
  const [names, files] = await reflected(shop);
  const paths = Object.values(files).flatMap((file) =>
    file.service.flatMap(({ name, method }) => method.map((each) => `/${file.package}.${name}/${each.name}`)),
  );
  return paths.filter((path) => names.includes(path.split("/")[1]));
}

const cases = {
  async "services/health"(shop) {
    for (const service of ["", ...SERVICES]) {
      // After a start it may not be known yet.
      const states = shop.nobody.health.stream("Watch", { service });
      while ((await states.next()).status !== "SERVING");
      states.cancel();
      equal((await shop.nobody.health.call("Check", { service })).status, "SERVING");
    }
    await fails("NOT_FOUND", shop.nobody.health.call("Check", { service: "nothing" }));
    const { statuses } = await shop.nobody.health.call("List");
    equal(SERVICES.map((name) => statuses[name].status), Array(5).fill("SERVING"));
  },

  async "services/schema"(shop) {
    const [names, files] = await reflected(shop);
    equal(names.filter((name) => name.startsWith("shop.")), SERVICES);
    const product = files["shop/v1/product.proto"].messageType.find(({ name }) => name === "Product");
    equal(product.field.find(({ name }) => name === "warranty").typeName, ".google.protobuf.Duration");
    // Nothing that is imported is missing.
    for (const { dependency } of Object.values(files)) for (const name of dependency) assert(files[name], name);
  },
};

module.exports = { cases, methods };
