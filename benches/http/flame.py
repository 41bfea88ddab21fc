#!/usr/bin/env python3
"""Flame graphs: where the time of a known token, a new one and a forged one goes.

    cargo install inferno
    cargo build --profile dist --bin jwtgate
    benches/http/flame.py --out docs/performance

Needs perf, and the right to use it (root, or kernel.perf_event_paranoid at 1 or less); wrk and taskset as compare.py. Stacks are unwound by the
tables that panics need, so the very program that is shipped is looked at. Widths are shares of samples; what the compiler has put
into its callers has no bar of its own.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile

from compare import Running, make_tokens
from servers import Keys, all_servers

PICTURES = {"one": "one token, again and again", "distinct": "different tokens", "forged": "forged tokens"}


def picture(options, running, shape, folder):
    """Records while the load runs, and draws."""
    tokens, record = os.path.join(folder, shape + ".txt"), os.path.join(folder, "perf.data")
    running.load(tokens, 1, options.connections)
    perf = subprocess.Popen(["perf", "record", "-q", "-F", "997", "--call-graph", "dwarf,16384", "-p", str(running.child.pid), "-o", record, "--",
                             "sleep", str(options.seconds)])
    running.load(tokens, options.seconds + 1, options.connections)
    if perf.wait(60):
        raise RuntimeError("perf record failed")
    script = subprocess.run(["perf", "script", "-i", record], capture_output=True, check=True).stdout
    stacks = subprocess.run(["inferno-collapse-perf", "--all"], input=script, capture_output=True, check=True).stdout
    title = f"jwtgate, {options.algorithm}: {PICTURES[shape]}"
    drawn = subprocess.run(["inferno-flamegraph", "--title", title, "--minwidth", "0.3", "--colors", "rust"], input=stacks, capture_output=True, check=True).stdout
    place = os.path.join(options.out, f"{options.algorithm.lower()}-{shape}.svg")
    with open(place, "wb") as file:
        file.write(drawn)
    print(place)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/dist/jwtgate")
    parser.add_argument("--algorithm", default="RS256")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--out", default="target/flame")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="jwtgate-flame-") as folder:
        os.chmod(folder, 0o755)
        keys = Keys(os.path.abspath(options.binary), folder, options.algorithm)
        good_and_forged = make_tokens(os.path.abspath(options.binary), keys, folder)
        server = all_servers(os.path.abspath(options.binary), "")[0]
        for shape in PICTURES:
            running = Running(server, keys, good_and_forged)
            try:
                picture(options, running, shape, folder)
            finally:
                running.stop()


if __name__ == "__main__":
    main()
