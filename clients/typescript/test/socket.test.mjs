// What is left beside the vectors: Node.js, slots that outlive a socket, and time limits that Python does not share.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Timeline } from "./timeline.mjs";

const TICKET = "T".repeat(44);
const answer = (more = {}) => ({
  status: 200,
  body: { url: `ws://n1/c?ticket=${TICKET}`, ticket: TICKET, node: "n1", expires_in: 10, alternates: [], ...more },
});
const CONNECT = { connect: `ws://n1/c?ticket=${TICKET}&moves=*` };

let copies = 0;
const load = () => import(`../dist/ringway.min.js?socket${copies++}`);

async function play(steps, kase = {}) {
  const { RingwaySocket } = await load();
  const timeline = new Timeline({ gateways: ["http://g1"], steps, ...kase }, RingwaySocket);
  await timeline.run((seen, then, when) => assert.deepEqual(seen, then, when));
  return timeline;
}

test("a slot that a library gave up waiting for is the next socket's", async () => {
  const { RingwaySocket } = await load();
  const timeline = new Timeline({ gateways: ["http://g1"], steps: [
    { open: true, then: [{ ask: "http://g1/gateway" }] },
    { respond: answer({ wait_ms: 9000, expires_in: 19 }), then: [] },
    { pass_ms: 5000, then: [] },
    { shut: [undefined, undefined], then: [{ failed: true }] },
    { open: true, then: [] },
    { pass_ms: 3999, then: [] },
    { pass_ms: 1, then: [CONNECT] },
    { accept: "", then: [{ opened: "" }] },
  ] }, RingwaySocket);
  await timeline.run((seen, then, when) => assert.deepEqual(seen, then, when));
});

test("a slot whose ticket has expired is asked for anew", () =>
  play([
    { open: true, then: [{ ask: "http://g1/gateway" }] },
    { respond: answer({ wait_ms: 1000, expires_in: 11 }), then: [] },
    { shut: [undefined, undefined], then: [{ failed: true }] },
    { pass_ms: 11_000, then: [] },
    { open: true, then: [{ ask: "http://g1/gateway" }] },
  ]));

test("connecting ends after its time, which what servers ask for does not count against", () =>
  play(
    [
      { open: true, then: [{ ask: "http://g1/gateway" }] },
      { respond: { status: 503, body: { wait_ms: 20_000 } }, then: [] },
      { pass_ms: 20_250, then: [{ ask: "http://g1/gateway" }] },
      { respond: answer({ wait_ms: 30_000 }), then: [] },
      { pass_ms: 30_000, then: [CONNECT] },
      { pass_ms: 9_999, then: [] },
      { pass_ms: 1, then: [] }, // the handshake had its 10 s; the pause follows
      { pass_ms: 500, then: [{ ask: "http://g1/gateway" }] },
      { pass_ms: 4_250, then: [{ failed: true }] },
    ],
    { random: [0.5, 0.5, 0.5] },
  ));

test("a WebSocket's own URL is used once, as a browser does", () =>
  play(
    [
      { open: true, then: [{ connect: "ws://n1/c?a=b&key=k" }] },
      { refuse: null, then: [{ failed: true }] },
    ],
    { gateways: ["ws://n1/c?a=b"], key: "k" },
  ));

test("a socket that is closed while it connects ends at once", async () => {
  const { socket } = await play([
    { open: true, then: [{ ask: "http://g1/gateway" }] },
    { respond: answer(), then: [CONNECT] },
    { shut: [3000, "no"], then: [{ failed: true }] },
  ]);
  assert.equal(socket.readyState, 3);
});

test("what was not sent stays in bufferedAmount", async () => {
  const { socket } = await play([
    { open: true, then: [{ ask: "http://g1/gateway" }] },
    { respond: answer(), then: [CONNECT] },
    { accept: "", then: [{ opened: "" }] },
    { signal: { node: "n2", ticket: TICKET }, then: [{ answer: true }, { ask: `http://g1/gateway?node=n2&ticket=${TICKET}` }] },
    { send: "häh", then: [] },
    { respond: null, then: [{ closed: [1012, ""] }] },
    { send: "four", then: [] },
  ]);
  assert.equal(socket.bufferedAmount, 8);
});

test("a message that only looks like the node's own is the application's", async () => {
  const timeline = await play([
    { open: true, then: [{ ask: "http://g1/gateway" }] },
    { respond: answer(), then: [CONNECT] },
    { accept: "", then: [{ opened: "" }] },
    { arrive: `move n2 ${TICKET}`, then: [{ message: `move n2 ${TICKET}` }] },
    { arrive: `0123456789 move n2 ${TICKET}`, then: [{ message: `0123456789 move n2 ${TICKET}` }] },
  ]);
  const { mark } = timeline.transport;
  assert.match(mark, /^[0-9a-z]{10}$/);
  assert.equal(timeline.socket.readyState, 1);
});

test("handlers keep their place among the listeners, and null takes them away", async () => {
  const timeline = await play([
    { open: true, then: [{ ask: "http://g1/gateway" }] },
    { respond: answer(), then: [CONNECT] },
    { accept: "", then: [{ opened: "" }] },
  ]);
  const { socket, transport } = timeline;
  const seen = [];
  socket.onmessage = null;
  assert.equal(socket.onmessage, null);
  socket.addEventListener("message", () => seen.push("listener"));
  const handler = () => seen.push("handler");
  socket.onmessage = handler;
  assert.equal(socket.onmessage, handler);
  transport.onmessage({ data: "x", origin: "" });
  assert.deepEqual(seen, ["handler", "listener"]);
});

test("the class keeps what it was made with, and so do those made of it", async () => {
  const { RingwaySocket } = await load();
  const One = RingwaySocket.with({ gateways: ["http://g1"], key: "k" });
  const Two = One.with({ key: "l" });
  assert.deepEqual([One.options.key, Two.options.key, Two.options.gateways], ["k", "l", ["http://g1"]]);
  assert.deepEqual([Two.CONNECTING, Two.OPEN, Two.CLOSING, Two.CLOSED], [0, 1, 2, 3]);
  assert.deepEqual(RingwaySocket.options, {});
});

test("where there is no WebSocket, as in Node.js 20, the option that gives one is named", async () => {
  const { RingwaySocket } = await load();
  const Socket = RingwaySocket.with({ transport: undefined });
  assert.throws(() => new Socket("http://g1"), { name: "TypeError", message: /the option transport/ });
});
