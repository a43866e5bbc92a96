/** What a person dropped on the page: files, and folders walked to their files. */

export interface Dropped {
  files: File[];
  /** Names of OME-Zarr folders: one image of thousands of files, which an upload of single files cannot carry. */
  zarrFolders: string[];
}

/** Must be called in the drop event itself: the browser empties the transfer right after. */
export async function collect(transfer: DataTransfer): Promise<Dropped> {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // what was not dragged from a file system (an attachment of a mail) has no entry there
  const dropped = items.map((item) => item.webkitGetAsEntry() ?? item.getAsFile());
  const found: Dropped = { files: [], zarrFolders: [] };
  for (const one of dropped) {
    if (one instanceof File) found.files.push(one);
    else if (one) await walk(one, found);
  }
  return found;
}

async function walk(entry: FileSystemEntry, found: Dropped): Promise<void> {
  if (entry.name.startsWith(".")) return;
  if (isFile(entry)) found.files.push(await new Promise<File>((resolve, reject) => entry.file(resolve, reject)));
  else if (entry.name.toLowerCase().endsWith(".zarr")) found.zarrFolders.push(entry.name);
  else if (isFolder(entry)) for (const child of await children(entry)) await walk(child, found);
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;
const isFolder = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory;

/** All children of a folder: browsers hand them out a hundred at a time. */
async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}
