"""What a sensor and its readout do to events: they are lost, moved, stamped late, or misread."""
