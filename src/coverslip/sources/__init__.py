"""Files that are elsewhere: in buckets and on web servers. Which may be opened, and how they are read by ranges."""

from coverslip.sources.address import RemoteRules, is_remote
from coverslip.sources.remote import RemotePath, locate
from coverslip.sources.stream import SourceFile
from coverslip.sources.transport import Found
from coverslip.sources.web import FOLDER_MARKS

__all__ = ["FOLDER_MARKS", "Found", "RemotePath", "RemoteRules", "SourceFile", "is_remote", "locate"]
