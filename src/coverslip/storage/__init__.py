"""Where bytes live: a folder or an S3-protocol bucket. Atomic publishing; complete listings or an error."""

from coverslip.storage.bucket import ObjectStorage
from coverslip.storage.content import digest_of, put_content
from coverslip.storage.folder import FolderStorage, publish_file, write_file
from coverslip.storage.interface import Storage, StoredObject
from coverslip.storage.opening import open_storage

__all__ = [
    "FolderStorage",
    "ObjectStorage",
    "Storage",
    "StoredObject",
    "digest_of",
    "open_storage",
    "publish_file",
    "put_content",
    "write_file",
]
