"""Chunks: consecutive events to bytes and back. Pure: no files, no clock, no global state."""
