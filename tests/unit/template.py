"""The SAM template as CloudFormation would see it, for tests: transformed, and with its intrinsics resolved."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[2]
SOURCE = (ROOT / "template.yaml").read_text()
STACK, REGION = "fastscaler", "eu-central-1"


def transformed(parameters: dict[str, str]) -> dict[str, Any]:
    """The CloudFormation template, with `parameters` as the defaults."""
    template = yaml_parse(SOURCE)
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    for resource in template["Resources"].values():
        for key in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][key] = "s3://bucket/key"  # what `sam package` puts in place of a folder
    session = boto3.Session(region_name=REGION)
    result: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(template, {})
    return result


@cache
def stack(**parameters: str) -> dict[str, Any]:
    """The resources with all intrinsics resolved; what stands for another resource becomes "Id" or "Id.Attribute"."""
    template = transformed(parameters)
    values: dict[str, Any] = {"AWS::StackName": STACK, "AWS::AccountId": "111122223333", "AWS::Region": REGION}
    for name, parameter in template["Parameters"].items():
        value = parameter["Default"]
        values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
    values |= {name: _resolve(condition, values) for name, condition in template["Conditions"].items()}
    resources: dict[str, Any] = _resolve(template["Resources"], values)
    return resources


NO_VALUE = object()


def _resolve(node: Any, values: dict[str, Any]) -> Any:
    match node:
        case {"Ref": "AWS::NoValue"}:
            return NO_VALUE
        case {"Ref": name}:
            return values.get(name, name)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": [text, more]}:
            return _resolve({"Fn::Sub": text}, values | _resolve(more, values))
        case {"Fn::Sub": text}:
            return re.sub(r"\$\{([^}]+)\}", lambda found: _substitute(found[1], values), text)
        case {"Fn::Join": [delimiter, parts]}:
            return delimiter.join(_resolve(parts, values))
        case {"Fn::Split": [delimiter, text]}:
            return _resolve(text, values).split(delimiter)
        case {"Fn::Equals": [left, right]}:
            return _resolve(left, values) == _resolve(right, values)
        case {"Fn::Not": [condition]}:
            return not _resolve(condition, values)
        case {"Fn::If": [condition, yes, no]}:
            return _resolve(yes if values[condition] else no, values)
        case dict():
            resolved = {key: _resolve(value, values) for key, value in node.items()}
            return {key: value for key, value in resolved.items() if value is not NO_VALUE}
        case list():
            return [_resolve(item, values) for item in node]
    return node


def _substitute(name: str, values: dict[str, Any]) -> str:
    return f"${{{name[1:]}}}" if name.startswith("!") else str(values.get(name, name))


def properties(name: str, **parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = stack(**parameters)[name]["Properties"]
    return found


def of_type(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    return {name: item["Properties"] for name, item in stack(**parameters).items() if item["Type"] == kind}
