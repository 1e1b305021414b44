/** Connections of this page: the official SDK over RingwaySocket, which says where they are and when they were moved. */
import { Centrifuge } from "centrifuge";
import { type RingwayEvent, RingwaySocket } from "../../../clients/typescript/src/index.ts";

export interface Connection {
  client: Centrifuge;
  /** The node that serves it; empty while it has none. */
  node: string;
}

/** Open a connection; `tell` hears of everything that happens beneath the SDK. */
export function open(tell: (connection: Connection, event: RingwayEvent) => void): Connection {
  const websocket = RingwaySocket.with({
    gateways: location.origin, // which serves this page, and says where to connect
    onEvent: (event) => {
      if (event.type === "connected") connection.node = event.node;
      else if (event.type === "moved") connection.node = event.to;
      else connection.node = "";
      tell(connection, event);
    },
  });
  const address = location.origin.replace("http", "ws"); // the SDK wants one, and the class knows better
  const client = new Centrifuge(address, { websocket, timeout: 60_000 }); // as long as a gateway may ask to wait
  const connection: Connection = { client, node: "" };
  return connection;
}
