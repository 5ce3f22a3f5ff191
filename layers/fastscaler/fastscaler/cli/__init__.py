"""The `fastscaler` command. Needs the `cli` extra, which the Lambda functions do without."""

try:
    import rich.console  # noqa: F401  # Only to fail here, where it can be said what to install.
    import typer
except ModuleNotFoundError:
    raise SystemExit("fastscaler: the command line needs more packages: pip install 'fastscaler[cli]'") from None

from importlib.metadata import entry_points, version
from typing import Annotated

from fastscaler.cli.directives import pause, prewarm, resume
from fastscaler.cli.drill import drill
from fastscaler.cli.explain import explain
from fastscaler.cli.import_policies import import_policies
from fastscaler.cli.record import record
from fastscaler.cli.schedules import schedules
from fastscaler.cli.status import status
from fastscaler.cli.usage_errors import OneLineErrors
from fastscaler.cli.validate import schema, validate
from fastscaler.cli.watch import watch

app = typer.Typer(
    help="Check and explain FastScaler policy documents, and operate what is deployed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",  # "rich" keeps the line breaks of docstrings, which 80 columns break again.
    context_settings={"help_option_names": ["-h", "--help"]},
    cls=OneLineErrors,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"fastscaler {version('fastscaler')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before a command."""


for command in (validate, explain, schema, status, watch, pause, resume, prewarm, drill, schedules, record):
    app.command()(command)
app.command("import")(import_policies)  # `import` is no name for a function.
# Commands of other packages, such as the simulator's, which this library does not know.
for found in entry_points(group="fastscaler.commands"):
    app.command(found.name)(found.load())
