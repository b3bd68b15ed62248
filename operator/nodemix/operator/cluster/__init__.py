"""The observed cluster: from the API server's objects to a snapshot of immutable records."""
