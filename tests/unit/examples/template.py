"""The project's CloudFormation templates as they would stand in an account."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[3]
STOREFRONT = "examples/storefront/template.yaml"
ACCOUNT = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "storefront",
    "AWS::URLSuffix": "amazonaws.com",
}
_NO_VALUE = object()


def source(path: str) -> dict[str, Any]:
    """A template of the repository as it is written."""
    template: dict[str, Any] = yaml_parse((ROOT / path).read_text())
    return template


def transformed(path: str, events: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A SAM template as CloudFormation transforms it, with further `events` of its functions."""
    template = source(path)
    for function, blocks in events.items():
        template["Resources"][function]["Properties"]["Events"].update(blocks)
    for resource in template["Resources"].values():
        for key in {"CodeUri", "ContentUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][key] = "s3://bucket/key"  # what `sam package` puts in place of a folder
    session = boto3.Session(region_name=ACCOUNT["AWS::Region"])
    result: dict[str, Any] = Translator({}, Parser(), boto_session=session).translate(template, {})
    return result


class Stack:
    """A plain template with the given parameters. What stands for another resource becomes "Id" or "Id.Attribute"."""

    def __init__(self, path: str, **parameters: str) -> None:
        template = source(path)
        defaults = {name: parameter.get("Default") for name, parameter in template["Parameters"].items()}
        self._values: dict[str, Any] = {**ACCOUNT, **defaults, **parameters}
        for name, condition in template["Conditions"].items():
            self._values[name] = self._resolve(condition)
        resources = {
            name: resource
            for name, resource in template["Resources"].items()
            if self._values.get(resource.get("Condition"), True)
        }
        self.resources: dict[str, dict[str, Any]] = self._resolve(resources)
        self.outputs: dict[str, dict[str, Any]] = self._resolve(template["Outputs"])

    def properties(self, name: str) -> dict[str, Any]:
        """The properties of one resource."""
        found: dict[str, Any] = self.resources[name]["Properties"]
        return found

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of every resource of this type."""
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == kind}

    def _resolve(self, node: Any) -> Any:
        match node:
            case {"Ref": "AWS::NoValue"}:
                return _NO_VALUE
            case {"Ref": name}:
                return self._values.get(name, name)
            case {"Fn::GetAtt": [name, attribute]}:
                return f"{name}.{attribute}"
            case {"Fn::Sub": [text, names]}:
                return self._substitute(text, self._resolve(names))
            case {"Fn::Sub": text}:
                return self._substitute(text, {})
            case {"Fn::Equals": [left, right]}:
                return str(self._resolve(left)) == str(self._resolve(right))
            case {"Fn::Not": [condition]}:
                return not self._resolve(condition)
            case {"Fn::If": [condition, yes, no]}:
                return self._resolve(yes if self._values[condition] else no)
            case {"Fn::GetAZs": _}:
                return ["zone-a", "zone-b", "zone-c"]
            case {"Fn::Select": [index, items]}:
                return self._resolve(items)[int(index)]
            case dict():
                resolved = {key: self._resolve(value) for key, value in node.items()}
                return {key: value for key, value in resolved.items() if value is not _NO_VALUE}
            case list():
                return [item for item in map(self._resolve, node) if item is not _NO_VALUE]
        return node

    def _substitute(self, text: str, names: Mapping[str, str]) -> str:
        values = {**self._values, **names}
        return re.sub(r"\$\{([^}]+)\}", lambda found: str(values.get(found[1], found[1])), text)
