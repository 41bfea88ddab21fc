#!/usr/bin/env python3
"""How much CPU a verified request costs: jwtgate beside everything else that is installed here and verifies JWTs.

    cargo build --profile dist --bin jwtgate --example empty
    benches/http/compare.py --page docs/benchmarks.md

Each server runs with one worker, pinned to one core, and wrk pinned to another; they take turns, round by round, so that whatever else the
machine does meets all of them. Before each run it is checked that a good token passes and a forged one does not. The figure to trust is CPU
time for a request (user and system, all processes of the server), the least of all rounds; throughput and latency are those of the moment.

Needs wrk and taskset, and whichever of the servers shall take part: tests/run.sh --install-only brings nginx, HAProxy and Envoy.
"""

import argparse
import glob
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import draw
from servers import HERE, AUDIENCE, ISSUER, Keys, all_servers, program

SHAPES = {
    "one": ("one token, again and again", 1),
    "hundred": ("100 tokens in turn", 100),
    "distinct": ("100,000 different tokens in turn", 100_000),
    "forged": ("100,000 different forged tokens", 100_000),
}
STARTS = 10
GROUPS = [f"/org-{number % 7}/team-{number:02}/role-{['viewer', 'editor', 'admin', 'owner'][number % 4]}" for number in range(20)]
CLAIMS = {
    "sub": "0d1f2a3b-7c1d-4e1b-9a55-6a1f0b2c3d4e", "azp": "web-portal", "typ": "Bearer", "sid": "5f2c7a9e1b3d4f6081a2c3e4f5061728",
    "preferred_username": "alice", "email": "alice@corp.example.com", "email_verified": True, "name": "Alice Example",
    "scope": "openid email profile offline_access", "groups": GROUPS,
}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def make_tokens(binary, keys, folder):
    """A file for each shape."""
    minted = subprocess.run([binary, "mint", "--key", keys.private, "--algorithm", keys.algorithm, "--kid", "k1", "--issuer", ISSUER,
                             "--audience", AUDIENCE, "--expires-in", "1day", "--claims", json.dumps(CLAIMS), "--count", "100000"],
                            check=True, capture_output=True, text=True).stdout.splitlines()
    # One letter in the middle of the signature: it must be computed with to be found wrong.
    other = lambda letter: "A" if letter != "A" else "B"
    forged = [token[:-22] + other(token[-22]) + token[-21:] for token in minted]
    for shape, (_, count) in SHAPES.items():
        tokens = forged if shape == "forged" else minted
        with open(os.path.join(folder, shape + ".txt"), "w") as file:
            file.write("\n".join(tokens[:count]) + "\n")
    return minted[0], forged[0]


def processes_of(pid):
    found, open_ones = [], [pid]
    while open_ones:
        one = open_ones.pop()
        found.append(one)
        for children in glob.glob(f"/proc/{one}/task/*/children"):
            try:
                open_ones += [int(child) for child in open(children).read().split()]
            except OSError:
                pass
    return found


def cpu(pid):
    """Seconds in user and system mode."""
    user = system = 0
    for one in processes_of(pid):
        try:
            fields = open(f"/proc/{one}/stat").read().rsplit(") ", 1)[1].split()
            user, system = user + int(fields[11]), system + int(fields[12])
        except OSError:
            pass
    tick = os.sysconf("SC_CLK_TCK")
    return user / tick, system / tick


def memory(pid):
    """PSS in MiB."""
    total = 0
    for one in processes_of(pid):
        try:
            for line in open(f"/proc/{one}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


def status(port, path, token):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as stream:
            stream.settimeout(2)
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: app.example.com\r\nX-Original-Method: GET\r\nX-Original-URL: https://app.example.com/app/page\r\n"
                           f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n".encode())
            return int(stream.recv(4096).split(b" ", 2)[1])
    except (OSError, IndexError, ValueError):
        return 0


class Running:
    """A server that has shown that it passes the good token and refuses the forged one."""

    def __init__(self, server, keys, tokens):
        good, forged = tokens
        self.server = server
        self.folder = tempfile.mkdtemp(prefix="jwtgate-bench-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        command = ["taskset", "-c", "0"] + server.command(self.folder, self.port, keys)
        self.log = open(os.path.join(self.folder, "output.log"), "wb")
        began = time.perf_counter()
        self.child = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        told = 0
        while time.perf_counter() - began < 15 and self.child.poll() is None and told // 100 != 2:
            told = status(self.port, server.path, good)
            time.sleep(0.0005)
        self.start = (time.perf_counter() - began) * 1000
        if told // 100 != 2:
            text = open(self.log.name).read()[-500:]
            self.stop()
            raise RuntimeError(f"a good token gets {told}: {text}")
        told = status(self.port, server.path, forged)
        if server.judges and told not in (401, 403):
            self.stop()
            raise RuntimeError(f"a forged token gets {told}")
        time.sleep(0.3)
        self.idle = memory(self.child.pid)

    def load(self, tokens, seconds, connections):
        command = ["taskset", "-c", "1", program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", os.path.join(HERE, "tokens.lua"),
                   f"http://127.0.0.1:{self.port}/"]
        variables = {**os.environ, "TOKENS": tokens, "REQUEST_PATH": self.server.path}
        for _ in range(3):  # wrk ends without a word now and then.
            out = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=seconds + 60).stdout
            for line in out.splitlines():
                if line.startswith("RESULT "):
                    return json.loads(line[7:])
        raise RuntimeError(f"wrk gave no result: {out}")

    def cpu_for_a_request(self, tokens, seconds, connections, warm=1, warm_tokens=None):
        """What wrk counted, with CPU time in µs for a request, after a time to warm up."""
        self.load(warm_tokens or tokens, warm, connections)
        before = cpu(self.child.pid)
        result = self.load(tokens, seconds, connections)
        user, system = ((end - start) / result["requests"] * 1e6 for end, start in zip(cpu(self.child.pid), before))
        return {**result, "cpu": user + system, "user": user}

    def measure(self, shape, folder, options):
        tokens = os.path.join(folder, shape + ".txt")
        warm = os.path.join(folder, "hundred.txt") if shape == "distinct" else tokens
        result = self.cpu_for_a_request(tokens, options.seconds, options.connections, warm_tokens=warm)
        passed = result["requests"] - result["other_statuses"]
        if self.server.judges and (passed == 0) != (shape == "forged"):
            raise RuntimeError(f"{shape}: {passed} of {result['requests']} passed")
        return {"cpu": result["cpu"], "user": result["user"], "rate": result["requests"] / result["microseconds"] * 1e6, "p50": result["p50"],
                "p99": result["p99"], "idle": self.idle, "after": memory(self.child.pid), "broken": result["broken"]}

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def run(options, folder):
    """All rounds: a list of measurements for each server and shape, and why some were left out."""
    keys = Keys(options.binary, folder, options.algorithm)
    print(f"making 100,000 {options.algorithm} tokens …", file=sys.stderr)
    tokens = make_tokens(options.binary, keys, folder)
    servers = [server for server in all_servers(options.binary, options.empty) if not options.servers or any(part in server.name for part in options.servers)]
    left_out = {server.name: server.why_not(options.algorithm) for server in servers if server.why_not(options.algorithm)}
    found = {}
    for number in range(options.rounds):
        for server in servers:
            if server.name in left_out:
                continue
            try:
                running = Running(server, keys, tokens)
            except (RuntimeError, OSError) as error:
                left_out[server.name] = str(error)
                print(f"left out: {server.name}: {error}", file=sys.stderr)
                continue
            try:
                for shape in options.shapes:
                    one = running.measure(shape, folder, options)
                    found.setdefault((server.name, shape), []).append(one)
                    print(f"round {number + 1} of {options.rounds}  {server.name:32} {shape:9} {one['cpu']:8.1f} µs  {one['rate']:9,.0f}/s", file=sys.stderr)
            finally:
                running.stop()
    servers = [server for server in servers if server.name not in left_out]
    start_in_turn(servers, keys, tokens)
    return servers, found, left_out


def start_in_turn(servers, keys, tokens):
    """How long each takes to its first good answer, in ms: the least of some, in a round of starts alone."""
    for _ in range(STARTS):
        for server in servers:
            running = Running(server, keys, tokens)
            server.start = min(getattr(server, "start", running.start), running.start)
            running.stop()


def table(shape, servers, found, base):
    """One shape as a table, the cheapest first."""
    least = lambda name: min(one["cpu"] for one in found[name, shape])
    middle = lambda name, what: statistics.median(one[what] for one in found[name, shape])
    rows = sorted((server for server in servers if (server.name, shape) in found), key=lambda server: least(server.name))
    lines = ["| | CPU, µs a request | of it in user mode | ratio to nginx | requests a second | p50, µs | p99, µs | memory after, MiB |", "|---|---|---|---|---|---|---|---|"]
    for server in rows:
        name = server.name
        ratio = f"{least(base) / least(name):.2f}" if (base, shape) in found else ""
        user = min(one["user"] for one in found[name, shape])
        bold = "**" if name.startswith("jwtgate") else ""
        lines.append(f"| {bold}{name}{bold} | {least(name):.1f} | {user:.1f} | {ratio} | {middle(name, 'rate'):,.0f} | {middle(name, 'p50'):,.0f} "
                     f"| {middle(name, 'p99'):,.0f} | {middle(name, 'after'):.1f} |")
    bars = [(server.name, least(server.name)) for server in rows]
    return lines, bars


def versions():
    said = []
    for name, shown, argument in [("nginx", "nginx", "-v"), ("haproxy", "HAProxy", "-v"), ("envoy", "Envoy", "--version"), ("wrk", "wrk", "-v")]:
        if program(name):
            done = subprocess.run([program(name), argument], capture_output=True, text=True)
            found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
            said.append(f"{shown} {found.group(0) if found else ''}".strip())
    return said


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}"


def page(options, results):
    """What docs/benchmarks.md says; `results` by algorithm."""
    out = [open(os.path.join(HERE, "page.md")).read().rstrip(), "", f"{machine()}; {'; '.join(versions())}. {time.strftime('%B %Y')}; "
           f"{options.rounds} rounds of {options.seconds} s, {options.connections} connections.", ""]
    for algorithm, (servers, found, left_out) in results.items():
        for shape in options.shapes:
            if not any(key[1] == shape for key in found):
                continue
            lines, bars = table(shape, servers, found, "nginx `return 204`")
            picture = f"benchmarks/{algorithm.lower()}-{shape}.svg"
            place = os.path.join(os.path.dirname(options.page), picture)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "w") as file:
                file.write(draw.bars(f"{algorithm}, {SHAPES[shape][0]}: CPU for a request, µs", bars))
            out += [f"## {algorithm}: {SHAPES[shape][0]}", "", f"![CPU for a request]({picture})", ""] + lines + [""]
        if algorithm == options.algorithms[0]:
            out += ["## Memory and start", "", "| | start to the first good answer, ms | idle, MiB |", "|---|---|---|"]
            for server in servers:
                every = [one for (name, _), ones in found.items() if name == server.name for one in ones]
                out.append(f"| {server.name} | {server.start:.1f} | {statistics.median(one['idle'] for one in every):.1f} |")
            out.append("")
        for name, why in left_out.items():
            out += [f"Left out of {algorithm}: {name}: {why.splitlines()[0]}.", ""]
    with open(options.page, "w") as file:
        file.write("\n".join(out).rstrip() + "\n")


def main():
    # What was started is stopped, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/dist/jwtgate")
    parser.add_argument("--empty", default="target/dist/examples/empty")
    parser.add_argument("--algorithms", default="RS256,HS256", type=lambda text: text.split(","))
    parser.add_argument("--shapes", default=",".join(SHAPES), type=lambda text: text.split(","), help="of " + ", ".join(SHAPES))
    parser.add_argument("--servers", default="", type=lambda text: [part for part in text.split(",") if part], help="those whose name holds one of these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--page", help="write a page with pictures beside it")
    parser.add_argument("--json", help="write all measurements")
    options = parser.parse_args()
    options.binary = os.path.abspath(options.binary)
    results = {}
    for algorithm in options.algorithms:
        options.algorithm = algorithm
        with tempfile.TemporaryDirectory(prefix="jwtgate-bench-") as folder:
            os.chmod(folder, 0o755)
            results[algorithm] = run(options, folder)
        servers, found, left_out = results[algorithm]
        for shape in options.shapes:
            print(f"\n{algorithm}: {SHAPES[shape][0]}\n\n" + "\n".join(table(shape, servers, found, "nginx `return 204`")[0]))
        for name, why in left_out.items():
            print(f"\nleft out: {name}: {why}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({algorithm: [{"server": name, "shape": shape, **one} for (name, shape), ones in found.items() for one in ones]
                       for algorithm, (_, found, _) in results.items()}, file, indent=1)
    if options.page:
        page(options, results)


if __name__ == "__main__":
    main()
