/** That the class stands wherever TypeScript wants a WebSocket, or a class of them. Compiled, never run. */
import { type Options, RingwaySocket } from "../dist/index.js";

const options: Options = { gateways: ["https://a.example", "https://b.example"], key: "room-7", moveTimeoutMs: 5000 };
export const Class: typeof WebSocket = RingwaySocket.with(options);
export const socket: WebSocket = new RingwaySocket(new URL("https://a.example"), ["graphql-transport-ws"]);

socket.onmessage = (event) => event.data;
socket.addEventListener("close", (event) => event.code);
socket.send(new Uint8Array(1));
socket.send("text");
socket.binaryType = "arraybuffer";

export const node: string = new RingwaySocket("/").node;
export const state: 0 | 1 | 2 | 3 = RingwaySocket.OPEN;
