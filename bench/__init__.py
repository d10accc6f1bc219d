"""The bars evstore is held to, against opponents in the same run: `python -m bench`."""
