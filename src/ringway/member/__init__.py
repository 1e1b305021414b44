"""What a member of the cluster does, whatever holds its connections."""
