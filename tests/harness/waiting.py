"""Waiting for an event with a deadline; the deadline is only ever reached by a failing test."""
import os
import time

# Sanitizers slow the programs down several times.
SLOWDOWN = 4 if os.environ.get("SLUICE_SANITIZER") else 1
DEADLINE = 20.0 * SLOWDOWN


class Timeout(AssertionError):
    pass


def wait_for(what, condition, timeout=None, every=0.02):
    """Returns the first true value of condition(); OSErrors and AssertionErrors mean "not yet"."""
    end = time.monotonic() + (timeout or DEADLINE)
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (OSError, AssertionError) as error:
            last = error
        if time.monotonic() > end:
            raise Timeout(f"waited {timeout or DEADLINE:.0f} s in vain for {what}; last: {last!r}")
        time.sleep(every)
