"""Registration of backends by HTTP: servers of any kind announce themselves, and live by a lease."""
