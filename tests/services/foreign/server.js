// Health and reflection of grpc-js, and an echo: server.js MODULES. Prints the address and serves until it is
// ended. MODULES is the folder that the packages are installed in.
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
// Reflection tells of the echo alone: the descriptors that it makes of messages with maps, such as one of the
// health service, are not valid, and no other client takes them either.
const options = { includeDirs: [path.join(__dirname, "proto")], longs: String };
const schema = loader.loadSync("echo/v1/echo.proto", options);
new ReflectionService(schema).addToServer(server);
server.addService(schema["echo.v1.Echo"], {
  Say: (call, answer) => answer(null, { text: call.request.text, at: { seconds: 42 }, numbers: [1, 2] }),
});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
  let isServing = true;
  setInterval(() => states.setStatus("changing", (isServing = !isServing) ? "SERVING" : "NOT_SERVING"), 200);
});
