"""Members of the cluster: all that they do, whatever holds their connections."""
