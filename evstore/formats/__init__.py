"""Foreign files to and from events: one module a format."""
