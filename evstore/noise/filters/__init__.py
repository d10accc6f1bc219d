"""What takes noise out again, event by event: each filter only chooses which events are kept."""
