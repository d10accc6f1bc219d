"""Event-camera recordings as compact, checked, randomly accessible shards."""
