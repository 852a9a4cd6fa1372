"""Registries of our own: real HTTP servers with state, each as its vendor describes its API."""
