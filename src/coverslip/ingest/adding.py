"""Catalog files where they lie: look, open what is new or changed, write, then say what is gone."""

import os
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.errors import ImageLoadError, NotFoundError, ReadError
from coverslip.ingest.decide import decide
from coverslip.ingest.examine import Examined, Locate, OpenFile, examine
from coverslip.ingest.look import is_gone, look, look_again
from coverslip.ingest.remote_walk import RemoteWalk
from coverslip.ingest.report import AddItem, AddReport
from coverslip.ingest.walk import Walk, see_file
from coverslip.ingest.writing import Batch
from coverslip.model.records import AssetRecord, ImageRecord, SeenFile, SyncItem
from coverslip.readers import open_image, recognise, signature
from coverslip.sources import RemotePath, is_remote, locate


def add(
    paths: Sequence[Path],
    *,
    catalog: Catalog,
    workers: int = 4,
    refresh: bool = False,
    skip: Sequence[Path] = (),
    fields: bool = False,
    locate: Locate = locate,
    on_item: Callable[[AddItem], None] = lambda _item: None,
    should_stop: Callable[[], bool] = lambda: False,
    open_file: OpenFile = open_image,
) -> AddReport:
    """Catalog every image file below the given paths, in place.

    Parameters
    ----------
    paths
        Files and folders; remote ones as ``sources.locate`` makes them.
    catalog
        Where to write.
    workers
        Files opened at the same time.
    refresh
        Open every file again, changed or not.
    skip
        Folders never entered, as absolute paths.
    fields
        Take every folder of one-plane TIFFs of equal size for one image, also where it does not look like one.
    locate
        Turns what the catalog holds into a path that can be opened.
    on_item
        Called in this thread for every file with what happened to it.
    should_stop
        Asked between files; what was read so far is written.
    open_file
        Opens image files, several at a time.

    Raises
    ------
    NotFoundError
        A path does not exist and the catalog knows nothing below it either.
    CatalogError
        The catalog cannot be written.
    """
    roots = _roots(paths, open_file)
    known: dict[str, AssetRecord] = {}
    for root in roots:
        known |= catalog.assets_under(str(root))
    _check_roots(roots, known, locate)
    report = AddReport()
    batch = Batch(catalog, signature(), report, on_item)
    run = _Run(known, refresh, tuple(skip), should_stop, report, locate, batch, open_file, fields=fields)
    with ThreadPoolExecutor(workers, thread_name_prefix="add") as pool:
        run.open_all(pool, run.candidates(roots), 4 * workers)
        if not report.stopped:
            gone = run.gone()
            report.rows_written += catalog.mark_missing(gone)
            for path in gone:
                run.batch.tell(AddItem(path, "missing"))
            run.open_all(pool, run.sets_without(gone), 4 * workers)
            run.open_all(pool, run.folders_no_more(), 4 * workers)
        while run.doubtful and not report.stopped:
            run.open_all(pool, run.take_doubtful(), 4 * workers)
    return report


def add_upload(catalog: Catalog, path: Path, open_file: OpenFile = open_image) -> tuple[ImageRecord, ...]:
    """Catalog one uploaded file, opened by ``open_file``, and return its images.

    Raises
    ------
    ImageLoadError
        The file cannot be read as an image; nothing was written.
    CatalogError
        The catalog cannot be written.
    """
    examined = examine(replace(see_file(path), origin="uploaded"), open_file)
    if examined.error is not None:
        raise examined.error
    if len(examined.items) > 1 or examined.whole is not None:
        raise ReadError(f"{path.name}: this is one file of a set; add the folder of the whole set instead")
    change = catalog.sync_files(examined.items, signature())[0]
    return catalog.images_of(change.asset_id)


@dataclass(slots=True)
class _Run:
    """One run: what it knew at the start and what it has met since."""

    known: dict[str, AssetRecord]
    refresh: bool
    skip: tuple[Path, ...]
    should_stop: Callable[[], bool]
    report: AddReport
    locate: Locate
    batch: Batch
    open_file: OpenFile
    met: set[str] = field(default_factory=set)
    """Paths the listing has shown."""
    judged: set[str] = field(default_factory=set)
    """Paths about which there is a verdict of this run, parts of opened sets included."""
    unlisted: list[str] = field(default_factory=list)
    """Folders whose content is unknown."""
    fields: bool = False
    awaited: set[str] = field(default_factory=set)
    """Sets that are to be looked into because one of their files was met."""
    doubtful: set[str] = field(default_factory=set)
    """Sets that a file has left, and files that their set has left behind."""
    order: list[str] = field(init=False)
    """What was known at the start, sorted."""
    parts: dict[str, list[str]] = field(init=False)
    """The parts of each set that were there at the start."""

    def __post_init__(self) -> None:
        self.order = sorted(self.known)
        self.parts = defaultdict(list)
        for path, asset in self.known.items():
            if asset.part_of is not None and asset.missing_since is None:
                self.parts[asset.part_of].append(path)

    def candidates(self, roots: Iterable[Path]) -> Iterator[Callable[[], Examined | SeenFile]]:
        """Yield what must be looked into; settle the rest on the way."""
        whole = frozenset(path for path, asset in self.known.items() if asset.is_folder and asset.state == "ok")
        for root in roots:
            walk = (
                RemoteWalk(root) if isinstance(root, RemotePath) else Walk(root, self.skip, whole, fields=self.fields)
            )
            for seen in walk:
                if seen.path not in self.met:
                    self.met.add(seen.path)
                    self.report.files_seen += 1
                    if seen.path not in self.judged and self._must_look(seen):
                        known = None if self.refresh else self.known.get(seen.path)
                        yield partial(look, seen, known, self.open_file, self.locate)
            self.unlisted += walk.unreadable
            for path in walk.unreadable:
                reason = f"{path}: neither a file nor a folder that can be listed"
                if isinstance(walk, RemoteWalk):
                    reason = walk.unreadable[path]
                self.batch.tell(AddItem(path, "unreadable", reason=reason))

    def open_all(
        self, pool: ThreadPoolExecutor, looks: Iterable[Callable[[], Examined | SeenFile]], ahead: int
    ) -> None:
        """Look into files several at a time, in order, with a bounded number under way, and write what was found."""
        under_way: deque[Future[Examined | SeenFile]] = deque()
        for one in looks:
            if self.should_stop():
                self.report.stopped = True
                break
            under_way.append(pool.submit(one))
            if len(under_way) >= ahead:
                self._take_next(pool, under_way)
        while under_way:
            self._take_next(pool, under_way)
        self.batch.flush()

    def gone(self) -> list[str]:
        """Return what the listing no longer shows. What could not be listed is unknown and stays as it is."""
        return sorted(
            path
            for path, asset in self.known.items()
            if path not in self.met
            and asset.origin == "added"
            and not self._is_unlisted(path)
            and is_gone(path, self.locate)
        )

    def sets_without(self, gone: Iterable[str]) -> Iterator[Callable[[], Examined]]:
        """Yield what is left of the sets of which a file has just gone: their images are not what they were."""
        newly = {path for path in gone if self.known[path].missing_since is None}
        wholes = {asset.part_of for path in newly if (asset := self.known[path]).part_of}
        heirs = {asset.part_of: path for path, asset in sorted(self.known.items(), reverse=True) if path not in newly}
        left = {heirs.get(whole) if whole in newly else whole for whole in wholes | newly}
        for path in sorted(path for path in left if path is not None and path not in self.judged):
            yield partial(look_again, path, self.open_file, self.locate)

    def folders_no_more(self) -> Iterator[Callable[[], Examined]]:
        """Yield the folders that were one image and are there, but are walked into like any other by now."""
        for path, asset in self.known.items():
            if not asset.is_folder or asset.state != "ok" or asset.missing_since is not None or path in self.met:
                continue
            folder = Path(path)
            is_seen = self.met.isdisjoint(map(str, folder.parents)) and not self._is_unlisted(path)
            if is_seen and not is_remote(path) and folder.is_dir() and not _may_be_image(folder):
                yield partial(look_again, path, self.open_file, self.locate)

    def take_doubtful(self) -> Iterator[Callable[[], Examined]]:
        """Yield what has to be looked into because a set is not what it was; what that shows may be more of it."""
        paths, self.doubtful = sorted(self.doubtful), set()
        for path in paths:
            if path not in self.judged and not is_gone(path, self.locate):
                yield partial(look_again, path, self.open_file, self.locate)

    def _is_unlisted(self, path: str) -> bool:
        return any(path == folder or path.startswith(folder + os.sep) for folder in self.unlisted)

    def _must_look(self, seen: SeenFile) -> bool:
        asset = self.known.get(seen.path)
        if decide(seen, asset, self.batch.read_by, refresh=self.refresh) != "settled" or asset is None:
            return True
        if asset.missing_since is not None:
            self.batch.find(seen.path)
        elif asset.state in ("broken", "unknown"):
            self.batch.tell(AddItem(seen.path, asset.state, reason=asset.reason))
        else:
            self.batch.tell(AddItem(seen.path, "unchanged"))
        return False

    def _take_next(self, pool: ThreadPoolExecutor, under_way: "deque[Future[Examined | SeenFile]]") -> None:
        """Take what was found in the first file of the line; a set that it is a part of is looked into next."""
        result = under_way.popleft().result()
        whole = None if isinstance(result, SeenFile) else result.whole
        if whole is None:
            self._take(result)
        elif whole not in self.awaited and result.path not in self.judged:
            self.awaited.add(whole)
            under_way.appendleft(pool.submit(look_again, whole, self.open_file, self.locate))

    def _take(self, result: Examined | SeenFile) -> None:
        self.report.files_opened += 1
        if isinstance(result, SeenFile):
            if result.path not in self.judged:
                self.batch.touch(result)
            return
        paths = {item.seen.path for item in result.items} or {result.path}
        if not paths <= self.judged:  # another file of the same set may have been faster
            self.judged |= paths
            self._doubt(result, paths)
            self.batch.add(replace(result, items=(*result.items, *self._inside(result))))

    def _doubt(self, result: Examined, paths: set[str]) -> None:
        """Note which set these files have left, and which files are not of this set any more."""
        before = {asset.part_of for path in paths if (asset := self.known.get(path)) is not None}
        self.doubtful |= {whole for whole in before if whole is not None and whole not in paths}
        for item in result.items[:1]:
            inside = item.seen.path + os.sep if item.seen.is_folder and item.state == "ok" else None
            left = (path for path in self.parts[item.seen.path] if path not in paths)
            self.doubtful |= {path for path in left if inside is None or not path.startswith(inside)}

    def _inside(self, result: Examined) -> Iterator[SyncItem]:
        """Yield what was cataloged file by file before their folder was one image: its parts from now on."""
        if not result.items or not result.items[0].seen.is_folder:
            return
        folder = result.items[0].seen.path
        inside = folder + os.sep
        for path in self.order[bisect_left(self.order, inside) :]:
            if not path.startswith(inside):
                break
            asset = self.known[path]
            if asset.state == "ok" and asset.missing_since is None:
                seen = SeenFile(path, asset.size, asset.mtime_ns, asset.is_folder, asset.origin, asset.checksum)
                yield SyncItem(seen, "part", f"part of the image {folder}", part_of=folder)


def _roots(paths: Sequence[Path], open_file: OpenFile) -> list[Path]:
    """Return the paths as absolute ones, none below another."""
    named = {_absolute(path) for path in paths}
    absolute = sorted({_image_around(path, open_file) or path for path in named}, key=str)
    return [path for path in absolute if not any(other in path.parents for other in absolute)]


def _absolute(path: Path) -> Path:
    if isinstance(path, RemotePath):
        return path
    return Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links


def _image_around(path: Path, open_file: OpenFile) -> Path | None:
    """Return the folder that is one image and of which a file or folder is a piece."""
    for folder in () if isinstance(path, RemotePath) else path.parents[:2]:
        try:
            if recognise(folder) is not None:
                with open_file(folder) as image:
                    if any(file.is_relative_to(path) for file in image.files):
                        return folder
        except (OSError, ImageLoadError):
            continue
    return None


def _may_be_image(folder: Path) -> bool:
    """Return whether a folder can be opened as one image; where nobody knows, it may."""
    try:
        return recognise(folder, is_named=True) is not None
    except (OSError, ImageLoadError):
        return True


def _check_roots(roots: Sequence[Path], known: dict[str, AssetRecord], locate: Locate) -> None:
    for root in roots:
        below = (path == str(root) or path.startswith(str(root) + os.sep) for path in known)
        if is_gone(str(root), locate) and not any(below):
            raise NotFoundError(f"{root}: there is no such file or folder")
