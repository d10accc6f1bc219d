"""Files that a C library parses, read in a process of its own where they are not trusted."""
