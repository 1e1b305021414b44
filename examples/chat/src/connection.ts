/** Connections of this page: the official SDK over RingwaySocket, which reports their nodes and their moves. */
import { Centrifuge } from "centrifuge";
import { type RingwayEvent, RingwaySocket } from "../../../clients/typescript/src/index.ts";

export interface Connection {
  client: Centrifuge;
  /** The node that serves it; empty while it is not connected. */
  node: string;
}

/** Open a connection; `tell` is called with each event beneath the SDK. */
export function open(tell: (connection: Connection, event: RingwayEvent) => void): Connection {
  const websocket = RingwaySocket.with({
    gateways: location.origin, // the gateway serves this page, and names the node
    onEvent: (event) => {
      if (event.type === "connected") connection.node = event.node;
      else if (event.type === "moved") connection.node = event.to;
      else connection.node = "";
      tell(connection, event);
    },
  });
  const address = location.origin.replace("http", "ws"); // the SDK needs an address; the class replaces it
  const client = new Centrifuge(address, { websocket, timeout: 60_000 }); // as long as a gateway may ask to wait
  const connection: Connection = { client, node: "" };
  return connection;
}
