// The vectors that the Python client keeps too: tests/conformance/README.md says what they mean.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { mayReturn } from "../dist/pause.js";
import { Timeline } from "./timeline.mjs";

const VECTORS = JSON.parse(readFileSync(new URL("../../../tests/conformance/socket.json", import.meta.url), "utf8"));

for (const [index, kase] of VECTORS.cases.entries()) {
  if ((kase.only ?? "typescript") !== "typescript") continue;
  test(`${kase.clause}: ${kase.name}`, async () => {
    // The bundle that is shipped; a new copy for each case, for it remembers what gateways said.
    const { RingwaySocket } = await import(`../dist/ringway.min.js?${index}`);
    await new Timeline(kase, RingwaySocket).run((seen, then, when) => assert.deepEqual(seen, then, when));
  });
}

test("P-6: who may return after a close", () => {
  const found = Object.fromEntries(Object.keys(VECTORS.returns).map((code) => [code, mayReturn(Number(code))]));
  assert.deepEqual(found, VECTORS.returns);
});
