"""Demand as it was: Prometheus, metrics.k8s.io, and what to do without both."""
