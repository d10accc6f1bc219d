"""One .evs file: its records, how they are written, read, checked and recovered."""
