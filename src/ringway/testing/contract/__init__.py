"""Contract suite of an engine: the promises of `ringway.ports` as tests, one file for each port; start at `engine`."""
