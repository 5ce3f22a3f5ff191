"""What all blocks of the policy document have in common: CloudFormation's spelling, strict values, no unknown keys."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_pascal

# Strict: otherwise `yes` would be the number 1, and "100" a number.
Finite = Annotated[float, Field(allow_inf_nan=False, strict=True)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class Model(BaseModel):
    """A block of the document: CloudFormation's spelling, no unknown keys, immutable."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_pascal,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
    )


def matching(pattern: str, words: str, description: str, max_length: int | None = None) -> Any:
    """A field whose pattern is also said in words; `patternErrorMessage` is what YAML and JSON editors show for it."""
    return Field(
        pattern=pattern,
        max_length=max_length,
        description=description,
        json_schema_extra={"patternErrorMessage": words},
    )


def ecs_name(description: str) -> Any:
    """A field that is the name of an ECS cluster or service."""
    # ECS: "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens are allowed."
    words = "1 to 255 letters, digits, hyphens or underscores: the name, not the ARN"
    return matching(r"^[A-Za-z0-9_-]{1,255}$", words, description)


EcsName = Annotated[str, ecs_name("Name of the ECS cluster or service.")]
