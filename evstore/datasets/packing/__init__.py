"""Recordings of any kind into the shards of one dataset."""
