export { RingwaySocket } from "./socket.js";
export type { Options, RingwayEvent } from "./options.js";
