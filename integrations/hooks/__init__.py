"""Hooks: what makes a provider call us. Its tables and its algorithm are those of any provider."""
