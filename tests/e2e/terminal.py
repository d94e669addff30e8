# SPDX-License-Identifier: MIT
"""Programs on a terminal."""
import contextlib
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time

from mounting import SLOWER, environment, eventually


class Terminal:
    """A program on a terminal of its own; .text is what it has written."""

    def __init__(self, *words):
        self.end, other = pty.openpty()
        self.child = subprocess.Popen(words, stdin=other, stdout=other, stderr=other,
                                      env=environment(), start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(other)
        self.text = ""

    def read(self, seconds=0.1):
        while select.select([self.end], [], [], seconds)[0]:
            try:
                piece = os.read(self.end, 65536)
            except OSError:  # all ends are closed
                return self.text
            self.text += piece.decode()
            seconds = 0
        return self.text

    def shows(self, pattern, seconds=10):
        return eventually(lambda: re.search(pattern, self.read()), seconds)

    def wait(self, seconds=10):
        end = time.monotonic() + seconds * SLOWER
        while self.child.poll() is None and time.monotonic() < end:
            self.read()
        self.read()
        return self.child.poll()


@contextlib.contextmanager
def terminal(*words):
    t = Terminal(*words)
    try:
        yield t
    finally:
        t.child.kill()
        t.child.wait(10)
        os.close(t.end)
