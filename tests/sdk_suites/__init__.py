"""The test suites of the official Centrifuge SDKs, run against Ringway: `scripts/test-sdk-suites`."""
