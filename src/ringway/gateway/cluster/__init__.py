"""The cluster in the view of a gateway, and the control of the gateway by operators."""
