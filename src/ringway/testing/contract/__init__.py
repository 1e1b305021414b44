"""Contract suite of an engine: the promises of `ringway.ports` as tests, a file for each port; begin at `engine`."""
