"""What a gateway knows of the cluster, and what operators ask of it."""
