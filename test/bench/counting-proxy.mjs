// Passes TCP connections on to 127.0.0.1:TARGET and counts their bytes in both directions. Arguments: PORT CONTROL-PORT TARGET.
// A connection to the control port is answered with the counts since the last answer, as JSON, once no connection is open any more.
import { connect, createServer } from "node:net";

const [port, controlPort, target] = process.argv.slice(2).map(Number);
let counts = { sent: 0, received: 0 };
let open = 0;
let waiting = [];

function answer() {
  if (open > 0) return;
  for (const socket of waiting) {
    socket.end(JSON.stringify(counts));
    counts = { sent: 0, received: 0 };
  }
  waiting = [];
}

function pass(client) {
  open += 1;
  const server = connect({ host: "127.0.0.1", port: target, allowHalfOpen: true });
  client.on("data", (chunk) => {
    counts.sent += chunk.length;
  });
  server.on("data", (chunk) => {
    counts.received += chunk.length;
  });
  client.pipe(server).pipe(client);
  // Whatever breaks one side ends the other.
  client.on("error", () => server.destroy());
  server.on("error", () => client.destroy());
  client.on("close", () => {
    server.destroy();
    open -= 1;
    answer();
  });
}

createServer({ allowHalfOpen: true }, pass).listen(port, "127.0.0.1");
createServer((socket) => {
  // Who only looked whether somebody listens is gone already.
  socket.on("error", () => undefined);
  waiting.push(socket);
  answer();
}).listen(controlPort, "127.0.0.1");
