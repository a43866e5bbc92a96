"""Files become catalog entries: look, open what is new or changed, write in one transaction."""

from coverslip.ingest.add import AddItem, AddReport, add, add_upload

__all__ = ["AddItem", "AddReport", "add", "add_upload"]
