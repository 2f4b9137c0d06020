"""A child that takes its time to start, and is told to stop meanwhile, as systemd tells all of a unit."""

import os
import signal

from app.core.child_process import serve

os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    serve(lambda data: ({}, data[::-1]))
