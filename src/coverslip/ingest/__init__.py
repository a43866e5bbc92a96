"""Files become catalog entries: look, open what is new or changed, write in one transaction."""

from coverslip.ingest.add import add, add_upload
from coverslip.ingest.report import AddItem, AddReport

__all__ = ["AddItem", "AddReport", "add", "add_upload"]
