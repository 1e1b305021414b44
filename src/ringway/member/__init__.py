"""Members of the cluster: all their duties beside holding connections."""
