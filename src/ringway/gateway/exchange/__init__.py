"""Plain HTTP requests that are carried to backends, on routes with `http=true`."""
