"""One recording: open, create, save, with shards and foreign files behind one interface."""
