"""A program that ends with the demo, however that one ends: `python -m demo.app.tether PROGRAM ARGUMENTS`.

Ctrl-C leaves time to stop what was started; SIGKILL does not. The demo holds the other end of this process's stdin, so
it closes in any case, and then the program is killed. SIGTERM is passed on.
"""

import signal
import subprocess
import sys
from threading import Thread

from demo.signals import wait_for_parent


def main() -> int:
    # Descriptors that the demo hands down, as HAProxy's listening socket, go on to the program.
    program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, close_fds=False)
    signal.signal(signal.SIGTERM, lambda *_: program.terminate())
    Thread(target=_kill_with_parent, args=(program,), daemon=True).start()
    return program.wait()


def _kill_with_parent(program: "subprocess.Popen[bytes]") -> None:
    wait_for_parent()
    program.kill()


if __name__ == "__main__":
    sys.exit(main())
