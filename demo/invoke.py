"""One Lambda invocation as a process of its own, as Lambda isolates them: `python -m demo.invoke FOLDER EVENT_JSON`.

The function's folder is put on sys.path, as Lambda does with /var/task. Log lines go to stdout as they come; the last
line is `{"invocation": {"result": ...}}` or `{"invocation": {"error": ...}}`.
"""

import argparse
import importlib
import json
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from demo.signals import end_with_parent


@dataclass(frozen=True)
class Context:
    """What Lambda passes beside the event, as far as the functions and Powertools use it."""

    function_name: str
    deadline: float
    aws_request_id: str
    memory_limit_in_mb: int = 256
    function_version: str = "$LATEST"

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def main() -> int:
    arguments = argparse.ArgumentParser(description="Invokes a Lambda function's handler once, in this process.")
    arguments.add_argument("folder", type=Path, help="the function's folder, with app.py in it")
    arguments.add_argument("event", help="the event, as JSON")
    arguments.add_argument("--timeout", type=float, default=900, help="seconds, as the function's Timeout")
    options = arguments.parse_args()
    threading.Thread(target=end_with_parent, daemon=True).start()
    context = Context(options.folder.name, time.monotonic() + options.timeout, str(uuid4()))
    sys.path.insert(0, str(options.folder))
    try:
        result = importlib.import_module("app").handler(json.loads(options.event), context)
    except Exception as error:
        traceback.print_exc()
        _say({"error": f"{type(error).__name__}: {error}"})
        return 1
    _say({"result": result})
    return 0


def _say(invocation: object) -> None:
    print(json.dumps({"invocation": invocation}, default=str), flush=True)


if __name__ == "__main__":
    sys.exit(main())
