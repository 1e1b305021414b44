"""TLS: the settings of ports and of connections, the files behind them, and the acceptance of clients."""
