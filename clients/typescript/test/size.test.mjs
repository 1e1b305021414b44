// What a page pays for the package.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const BYTES_MAX = 6 * 1024;

test("the package is small, and needs no other", () => {
  const bytes = gzipSync(readFileSync(new URL("../dist/ringway.min.js", import.meta.url)), { level: 9 }).length;
  console.log(`ringway.min.js: ${bytes} bytes, gzipped`);
  assert.ok(bytes <= BYTES_MAX);
  const { dependencies } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.equal(dependencies, undefined);
});
