// Health and reflection of grpc-js, and nothing else: server.js MODULES. Prints the address and serves
// until it is ended. MODULES is the folder that the packages are installed in.
//
// The service "changing" goes from one state to the other, over and over.
"use strict";

const path = require("path");
const modules = (name) => require(path.join(process.argv[2], name));
const grpc = modules("@grpc/grpc-js");
const health = modules("grpc-health-check");
const { ReflectionService } = modules("@grpc/reflection");
const loader = modules("@grpc/proto-loader");

const server = new grpc.Server();
const states = new health.HealthImplementation({ "": "SERVING", broken: "NOT_SERVING", changing: "SERVING" });
states.addToServer(server);
// As `proto-loader` has it, which the health package shows only by its file.
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const schema = loader.loadSync(health.protoPath, options);
new ReflectionService(schema).addToServer(server);
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
  let isServing = true;
  setInterval(() => states.setStatus("changing", (isServing = !isServing) ? "SERVING" : "NOT_SERVING"), 200);
});
