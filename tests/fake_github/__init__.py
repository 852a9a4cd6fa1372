"""A GitHub of our own: a real HTTP server with state, held to GitHub's published description."""
