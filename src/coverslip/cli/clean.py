"""``coverslip clean``: removing records whose documents are gone."""

import json
import os
from typing import Annotated

import typer

from coverslip.cleanup import apply_plan, asking, make_plan
from coverslip.cli import acting
from coverslip.cli.acting import actor
from coverslip.cli.clean_bytes import AsJson, DbUri, DryRun, Yes, artifacts, confirmed, files
from coverslip.cli.clean_report import NOUNS, counted, document, report
from coverslip.cli.output import console
from coverslip.derive import open_catalog
from coverslip.errors import InvalidRequestError
from coverslip.model.removal import (
    IMAGE,
    CleanupPlan,
    Scope,
)
from coverslip.model.removed import Applied
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, is_remote

app = typer.Typer(add_completion=False)

COMMANDS = {
    "records": "record",
    "annotations": "annotation",
    "tomograms": "tomogram",
    "alignments": "alignment",
    "tiltseries": "tiltseries",
    "frames": "frame",
    "gains": "gain",
    "identified-objects": "identified_object",
    "images": "image",
}
"""Names of the commands, and the types of records that they clean; ``record`` is all but images."""

DatasetId = Annotated[int | None, typer.Option(help="Only of this dataset, by public number.")]
RunId = Annotated[int | None, typer.Option(help="Only of this run, by public number.")]
SpacingId = Annotated[int | None, typer.Option(help="Only of this voxel spacing, by public number.")]
Layout = Annotated[
    str, typer.Option(help="Only of the layout in this folder or at this address; images: only below it.")
]
All = Annotated[bool, typer.Option("--all", help="Everything in the catalog.")]
S3Bucket = Annotated[str, typer.Option(help="Look in this bucket instead of where the layout was found.")]
S3Prefix = Annotated[str, typer.Option(help="Folder of the layout in that bucket.")]
Anonymous = Annotated[bool, typer.Option("--anonymous", help="Ask the bucket without credentials.")]
PlanId = Annotated[str, typer.Option("--plan", help="Apply this plan instead of making a new one.")]
Allow = Annotated[
    int,
    typer.Option(
        "--allow-removal",
        min=0,
        help="Where the brake holds: let full scopes through if the plan removes no more than this in all, and empty "
        "ones if it removes exactly so many. What could not be listed never goes: look again.",
    ),
]


@app.callback()
def clean() -> None:
    """Remove records whose documents, and images whose files, are gone. A dry run unless told otherwise.

    Only a complete listing that does not show it says that something is gone. What could not be asked stays. What was
    removed comes back with ``coverslip undo`` until it is purged. Files that are not Coverslip's own are never touched.
    """


def address(bucket: str, prefix: str) -> str:
    """Return the address of a prefix in a bucket; empty without one. The prefix may hold the bucket already.

    Raises
    ------
    InvalidRequestError
        It is of another bucket, or there is a prefix without a bucket.
    """
    if prefix.startswith("s3://"):
        named, _, prefix = prefix.removeprefix("s3://").partition("/")
        if bucket and named != bucket:
            raise InvalidRequestError(f"--s3-prefix is in bucket {named}, and --s3-bucket is {bucket}")
        bucket = named
    if prefix and not bucket:
        raise InvalidRequestError("--s3-prefix needs --s3-bucket")
    return f"s3://{bucket}/{prefix.strip('/')}".rstrip("/") if bucket else ""


def _command(type_: str) -> None:
    def run(  # noqa: PLR0917  # the options of a command
        dataset_id: DatasetId = None,
        run_id: RunId = None,
        voxel_spacing_id: SpacingId = None,
        layout: Layout = "",
        everything: All = False,
        dry_run: DryRun = True,
        db_uri: DbUri = "",
        s3_bucket: S3Bucket = "",
        s3_prefix: S3Prefix = "",
        anonymous: Anonymous = False,
        plan_id: PlanId = "",
        yes: Yes = False,
        allow: Allow = 0,
        as_json: AsJson = False,
    ) -> None:
        if anonymous:
            os.environ["AWS_SKIP_SIGNATURE"] = "true"
        settings = Settings.load(**({"database_url": db_uri} if db_uri else {}))
        instead = address(s3_bucket, s3_prefix)
        if type_ == IMAGE:
            layout = _folder(layout, instead)
        look = asking(RemoteRules.of(settings), instead=instead)
        with open_catalog(settings.catalog_url, must_exist=True) as catalog:
            if plan_id:
                plan = _of_type(catalog.plan(plan_id, actor=actor(), permitted=acting.PERMIT), type_)
            else:
                scope = Scope(type_, dataset_id, run_id, voxel_spacing_id, layout, everything=everything)
                if not scope.is_narrow and not everything:
                    scope = _whole(scope, yes=yes)
                plan = make_plan(catalog, scope, look, actor=actor(), command=acting.command(), permitted=acting.PERMIT)
            if not as_json:
                for line in report(plan):
                    console().print(line)
            applied = None
            if not dry_run and _may_go_on(plan, allow, yes=yes):
                applied = apply_plan(catalog, plan.id, look, actor=actor(), permitted=acting.PERMIT, allow=allow)
            if as_json:
                _print_json(catalog.plan(plan.id, actor=actor(), permitted=acting.PERMIT), applied)
            else:
                _print_end(plan, applied, dry_run=dry_run)
        is_whole = not plan.unknown and not (applied.stopped if applied else plan.stops)
        raise typer.Exit(0 if is_whole and (dry_run or applied or not plan.removals) else 1)

    gone = "whose files are gone" if type_ == IMAGE else "whose documents are no longer in their layout"
    run.__doc__ = f"""Remove {NOUNS[type_][1]} {gone}.

    Exit code 1 when something could not be asked, the brake holds, or the question was answered with no.
    """
    app.command(next(name for name, kind in COMMANDS.items() if kind == type_))(run)


def _whole(scope: Scope, *, yes: bool) -> Scope:
    words = NOUNS[scope.type][1]
    console(stderr=True).print(f"coverslip: no scope is given: this looks at all {words} of the catalog.")
    if not confirmed(f"Look at all {words}?", yes=yes):
        raise InvalidRequestError("name --dataset-id, --run-id, --voxel-spacing-id or --layout, or say --all")
    return Scope(scope.type, everything=True)


def _folder(layout: str, instead: str) -> str:
    """Return the folder that images lie below as the catalog spells it.

    Raises
    ------
    InvalidRequestError
        Another place is to be asked, and nobody says of which folder.
    """
    if instead and not layout:
        raise InvalidRequestError("--s3-bucket asks a copy of one folder of images: name that with --layout")
    if not layout or is_remote(layout):
        return layout.rstrip("/")
    return os.path.abspath(layout)  # noqa: PTH100  # resolve() would follow links


def _may_go_on(plan: CleanupPlan, allow: int, *, yes: bool) -> bool:
    going, marked = plan.to_go(allow), len(plan.incomplete) + len(plan.complete)
    if not going and (plan.removals or not marked):  # the brake holds all of it, or there is nothing
        return False
    if not going:
        return confirmed(f"Mark anew of {counted(marked, plan.scope.type)} whether files are missing?", yes=yes)
    console(stderr=True).print("coverslip: make a backup of the catalog first: coverslip backup FILE")
    return confirmed(f"Remove {counted(len(going), plan.scope.type)}?", yes=yes)


def _print_end(plan: CleanupPlan, applied: Applied | None, *, dry_run: bool) -> None:
    out = console()
    if applied is not None and not plan.removals:
        marked = len(plan.incomplete) + len(plan.complete)
        words = counted(marked, plan.scope.type)
        out.print(f"Nothing was removed. {words} marked; `coverslip undo {plan.id}` takes that back.")
    elif applied is not None:
        number = len(applied.removed) + len(applied.removed_images)
        out.print(f"{counted(number, plan.scope.type)} removed. `coverslip undo {plan.id}` brings them back.")
    elif dry_run and plan.removals:
        out.print("Dry run: nothing was removed. Run with --no-dry-run to remove.")
    else:
        out.print("Nothing was removed.")


def _print_json(plan: CleanupPlan, applied: Applied | None) -> None:
    done = {} if applied is None else {"removed": [*applied.removed, *applied.removed_images]}
    typer.echo(json.dumps({**document(plan), **done}, indent=2, ensure_ascii=False))


def _of_type(plan: CleanupPlan, type_: str) -> CleanupPlan:
    if plan.scope.type != type_:
        raise InvalidRequestError(f"plan {plan.id} is about {NOUNS.get(plan.scope.type, (plan.scope.type,))[-1]}")
    return plan


for _type in COMMANDS.values():
    _command(_type)


for _name, _run in (("files", files), ("artifacts", artifacts)):
    app.command(_name)(_run)
