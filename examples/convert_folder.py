"""Convert a folder of recordings, check every result, and say what was not kept.

    python examples/convert_folder.py recordings/ shards/

The tree is mirrored. Run it again after an interruption: finished shards are left alone.
"""

from __future__ import annotations

import sys

import evstore


def main(source: str, target: str) -> int:
    receipts = evstore.convert([source], target, verify=True, resume=True, on_error="skip")
    assert isinstance(receipts, list)
    for receipt in receipts:
        if receipt.status == "failed":
            print(f"FAILED  {receipt.error}")
        elif receipt.status == "skipped":
            print(f"done before  {receipt.target}")
        else:
            lost = f", without {receipt.dropped}" if receipt.dropped else ""
            ratio = receipt.bytes_in / receipt.bytes_out
            print(f"{receipt.target}: {receipt.events:,} events, {ratio:.1f}x smaller{lost}")
    return int(any(receipt.status == "failed" for receipt in receipts))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
