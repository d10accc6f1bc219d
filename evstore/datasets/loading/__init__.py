"""In which order samples are read, by whom, how a run goes on where it stopped, and batches."""
