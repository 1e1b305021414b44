"""Stickiness of plain HTTP: requests of one session go to one backend."""
