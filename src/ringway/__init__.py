"""Ringway scales WebSocket servers horizontally."""
