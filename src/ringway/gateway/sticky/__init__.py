"""Sessions of plain HTTP: requests and WebSockets of one session go to the backend that has it."""
