"""The admin port: metrics, health and the members, for operators and their tools."""
