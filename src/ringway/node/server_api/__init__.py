"""Server API of a node: what backends call over HTTP, as Centrifugo's API; one call reaches the whole cluster."""
