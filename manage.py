#!/usr/bin/env python
"""Django's entry point; `dockrev` is the same with the everyday commands."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while it loads is no error to show

from dockrev.cli import manage

if __name__ == "__main__":
    manage()
