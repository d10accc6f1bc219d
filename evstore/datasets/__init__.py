"""Many recordings: shards and their manifest, windows, order, loaders, known layouts."""
