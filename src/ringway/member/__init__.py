"""Members of the cluster: all that they do beside holding connections."""
