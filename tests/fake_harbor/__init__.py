"""A Harbor that keeps what it is told, as its published API description says."""
