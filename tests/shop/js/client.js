// grpc-js's client of the shop: client.js MODULES SCHEMA GOOGLE, then the command line of ../python/client.py.
// MODULES is the folder that the packages are installed in, the others are those of the schemas.
"use strict";

const { parseArgs } = require("util");
const { called, Shop } = require("./clients");
const { ends, keep, kept } = require("./lasting");
const { methods } = require("./services");

const modules = ["products", "orders", "prices", "chat", "files", "access", "calls", "services"];
const cases = Object.assign({}, ...modules.map((name) => require(`./${name}`).cases));

async function all(shop, limited) {
  let code = 0;
  for (const [name, run] of Object.entries(cases)) {
    const started = Date.now();
    let said = "ok";
    try {
      await run(name === "access/rate" ? limited : shop);
    } catch (error) {
      console.log(error.stack);
      [said, code] = ["failed", 1];
    }
    console.log(`case ${name} ${said} ${((Date.now() - started) / 1000).toFixed(1)}`);
  }
  for (const path of await methods(shop)) console.log(`method ${path}`);
  for (const path of [...called].sort()) console.log(`called ${path}`);
  return code;
}

async function main() {
  const file = { type: "string" };
  const { values, positionals } = parseArgs({
    args: process.argv.slice(5),
    options: { ca: file, cert: file, key: file },
    allowPositionals: true,
  });
  const [mode, address, ...rest] = positionals;
  const shop = new Shop(address, values);
  switch (mode) {
    case "all":
      return all(shop, new Shop(rest[0], values));
    case "ends":
      await ends(shop);
      return 0;
    case "keep":
      console.log((await keep(shop)).join(" "));
      return 0;
    case "kept":
      await kept(shop, ...rest);
      return 0;
    default:
      throw new Error(`unknown mode ${mode}`);
  }
}

main().then((code) => process.exit(code));
