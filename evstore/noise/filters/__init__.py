"""Filters: what takes noise out of events, as streams that keep little."""
