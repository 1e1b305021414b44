"""The balancer: runs in every gateway; the gateway with the engine's lease leads. `core.balance.plan` makes the
plans."""
