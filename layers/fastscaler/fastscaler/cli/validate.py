"""`fastscaler validate` and `fastscaler schema`: the policy document, without AWS."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fastscaler.cli.cost import as_data, print_cost
from fastscaler.cli.permitted import not_permitted
from fastscaler.cli.read_document import read_document
from fastscaler.cost import document_cost
from fastscaler.document.notes import notes
from fastscaler.scaling.policy import Document


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Policy documents, YAML or JSON.")],
    cost: Annotated[
        bool, typer.Option("--cost", help="Print what each valid document costs to run for a month.")
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="With --cost: print one JSON object, by file; problems and notes go to standard error."
        ),
    ] = False,
) -> None:
    """Check policy documents and print every problem.

    A note is no problem: what a valid document says, and its writer has probably not meant.

    Exits with 0 if all are valid, 1 if one is not, 2 if one cannot be read.
    """
    if as_json and not cost:
        typer.echo("fastscaler validate: --json: needs --cost", err=True)
        raise typer.Exit(2)
    documents, worst = {}, 0
    for file in files:
        try:
            document = read_document(file, problems_to_stderr=as_json)
        except typer.Exit as unusable:
            worst = max(worst, unusable.exit_code)
            continue
        if not as_json:
            count = len(document.services)
            typer.echo(f"{file}: {count} {'service' if count == 1 else 'services'}, valid")
        for note in (*notes(document), *not_permitted(document, file)):
            typer.echo(f"{file}: note: {note}", err=as_json)
        if as_json:
            documents[str(file)] = as_data(document_cost(document))
        elif cost:
            print_cost(document_cost(document))
    if as_json:
        typer.echo(json.dumps(documents, indent=2))
    raise typer.Exit(worst)


def schema() -> None:
    """Print the JSON Schema of the policy document, by which editors complete and check it."""
    # Draft 7 is the newest that the YAML language server supports in full; nothing here needs a newer one.
    document = {"$schema": "http://json-schema.org/draft-07/schema#", **Document.model_json_schema()}
    typer.echo(json.dumps(document, indent=2))
