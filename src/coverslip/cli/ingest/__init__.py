"""``coverslip ingest``: depositions of electron tomography that YAML files describe."""

import typer

from coverslip.cli.ingest.apply import apply_config
from coverslip.cli.ingest.check import check_configs
from coverslip.cli.ingest.example import write_example
from coverslip.cli.ingest.plan import plan_config

app = typer.Typer(add_completion=False)


@app.callback()
def ingest() -> None:
    """Ingest depositions of electron tomography that YAML files describe."""


app.command("check")(check_configs)
app.command("plan")(plan_config)
app.command("example")(write_example)
app.command("apply")(apply_config)
