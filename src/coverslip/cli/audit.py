"""``coverslip audit``: the log of removals."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from coverslip.catalog.visible import told_lines
from coverslip.cli import acting
from coverslip.cli.clean_bytes import AsJson, DbUri
from coverslip.cli.output import amount, console, one_line
from coverslip.derive import open_catalog
from coverslip.settings import Settings

app = typer.Typer(add_completion=False)


@app.callback()
def audit() -> None:
    """Show the log of what was removed, brought back and purged, and check that nobody changed it."""


@app.command("verify")
def verify(db_uri: DbUri = "", as_json: AsJson = False) -> None:
    """Check every line of the log. Exit code 1 when one was changed, removed or put elsewhere."""
    with open_catalog(_settings(db_uri).catalog_url, must_exist=True) as catalog:
        count, problems = catalog.verify_audit()
    if as_json:
        typer.echo(json.dumps({"lines": count, "problems": [asdict(one) for one in problems]}, indent=2))
    else:
        for problem in problems:
            console().print(str(problem))
        wrong = f"{amount(len(problems), 'problem')} found." if problems else "they are as they were written."
        console().print(f"{amount(count, 'line')} checked: {wrong}")
    raise typer.Exit(1 if problems else 0)


@app.command("list")
def list_lines(
    plan: Annotated[str | None, typer.Option(help="Only what this plan did.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only lines after this one.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many lines.")] = 100,
    db_uri: DbUri = "",
    as_json: AsJson = False,
) -> None:
    """Show lines of the log."""
    with open_catalog(_settings(db_uri).catalog_url, must_exist=True) as catalog:
        lines = told_lines(catalog.audit(plan_id=plan, after=after, limit=limit), acting.actor(), acting.PERMIT)
    if as_json:
        found = [{**asdict(line), "at": line.at.isoformat()} for line in lines]
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for line in lines:
        who, what = line.actor or "-", f"{line.record.get('type')} {line.record.get('id')}"
        words = f"{line.seq}  {line.at:%Y-%m-%d %H:%M:%S}  {who}  {line.action}  {what}"
        console().print(
            one_line(f"{words}  {line.record.get('identity')}  ({line.reason}, plan {line.plan_id or '-'})")
        )


def _settings(db_uri: str) -> Settings:
    return Settings.load(**({"database_url": db_uri} if db_uri else {}))
