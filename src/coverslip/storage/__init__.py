"""Where bytes live: a folder or an S3-protocol bucket. Atomic publishing; complete listings or an error."""

from coverslip.storage.bucket import ObjectStorage
from coverslip.storage.content import digest_of, is_content_key, put_content
from coverslip.storage.folder import FolderStorage, publish_file, reason_of, write_file
from coverslip.storage.held import abandoned, hold
from coverslip.storage.interface import Storage, StoredObject
from coverslip.storage.opening import open_storage

__all__ = [
    "FolderStorage",
    "ObjectStorage",
    "Storage",
    "StoredObject",
    "abandoned",
    "digest_of",
    "hold",
    "is_content_key",
    "open_storage",
    "publish_file",
    "put_content",
    "reason_of",
    "write_file",
]
