"""Convert recordings: plan the work, do it one recording at a time, keep receipts."""

from evstore.conversion.api import convert
from evstore.conversion.job import Job, Options, Receipt
from evstore.conversion.one import convert_one
from evstore.conversion.plan import plan
from evstore.conversion.run import run

__all__ = ["Job", "Options", "Receipt", "convert", "convert_one", "plan", "run"]
