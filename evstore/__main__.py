"""`python -m evstore` is `evstore`."""

from __future__ import annotations

from evstore.cli import main

if __name__ == "__main__":
    main()
