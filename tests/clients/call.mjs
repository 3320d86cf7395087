// `node call.mjs PROGRAM NAME…`: call functions of a client's program; print what they return, as JSON.
// No connection beyond this machine is made.
import net from "node:net";
import { pathToFileURL } from "node:url";

const here = (host) => host === undefined || /^(localhost|127(\.\d+){3}|::1)$/.test(host);
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function (...args) {
  const given = Array.isArray(args[0]) ? args[0] : args;
  const host = typeof given[0] === "object" ? given[0].host : typeof given[1] === "string" ? given[1] : undefined;
  if (!here(host)) {
    console.error(`connect to ${host}: tests use loopback only`);
    throw new Error(`connect to ${host}: tests use loopback only`);
  }
  return connect.apply(this, args);
};

const [program, ...names] = process.argv.slice(2);
const functions = await import(pathToFileURL(program));
const results = {};
for (const name of names) results[name] = await functions[name]();
console.log(JSON.stringify(results));
