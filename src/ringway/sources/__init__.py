"""Sources of backends: each follows one description of servers, and reports them to the gateway."""
