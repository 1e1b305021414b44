"""The cluster as a gateway knows it, and the control of the gateway by operators."""
