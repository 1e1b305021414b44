"""The balancer: runs in every gateway, one leads by the engine's lease; plans are `core.balance.plan`'s."""
