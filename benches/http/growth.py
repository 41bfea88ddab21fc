#!/usr/bin/env python3
"""What a check costs when there is more of everything: tokens in the cache, keys, issuers, rules, connections; a flood of forged tokens; memory.

    cargo build --profile dist --bin jwtgate
    benches/http/growth.py                       # or some: --only rules,flood

As in compare.py: one worker pinned to one core, wrk to another, CPU time for a request, the least of all rounds. The sizes of a series take
turns. nginx's `return 204` stands beside the series of tokens and connections: what it takes more for many of them is the system's, not ours.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from compare import CLAIMS, Running, free_port, memory
from servers import AUDIENCE, HERE, ISSUER, Keys, Server, nginx, program, write

SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(number, secret=SECRET, issuer=ISSUER, kid=None):
    """An HS256 token with about 1 KB of claims."""
    head = {"alg": "HS256", "typ": "JWT", **({"kid": kid} if kid else {})}
    now = int(time.time())
    claims = {"iss": issuer, "aud": AUDIENCE, "iat": now, "exp": now + 86_400, "jti": f"{number:08}", **CLAIMS}
    text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{text}.{b64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def forged(token):
    """The same with another signature."""
    other = "A" if token[-12] != "A" else "B"
    return token[:-12] + other + token[-11:]


class Case:
    """One size of a series."""

    def __init__(self, size, server, tokens, connections=64, warm=1):
        self.size, self.server, self.tokens, self.connections, self.warm = size, server, tokens, connections, warm


def gate(options, config, admin=0):
    """jwtgate with a configuration of its own."""
    def command(folder, port, _):
        listen = f"127.0.0.1:{admin}" if admin else ""
        place = os.path.join(folder, "jwtgate.toml")
        # Tables come last in TOML.
        plain, _, tables = config.partition("\n[")
        write(place, f'expected_audience = "{AUDIENCE}"\nusername_claim_field = "preferred_username"\n{plain}\n[server]\nlisten = "127.0.0.1:{port}"\n'
                     f'workers = 1\nmax_connections = 20000\n[admin]\nlisten = "{listen}"\n' + (f"[{tables}" if tables else ""))
        return [os.path.abspath(options.binary), "serve", "--config", place]
    return Server("jwtgate", command, path="/verify")


def floor():
    """nginx, which looks at no token."""
    def command(folder, port, keys):
        made = nginx("return 204;")(folder, port, keys)
        place = os.path.join(folder, "nginx.conf")
        text = open(place).read().replace("worker_connections 4096", "worker_connections 20000")
        write(place, "worker_rlimit_nofile 20000; " + text)
        return made
    return Server("nginx", command, judges=False)


def tokens_file(folder, name, tokens):
    place = os.path.join(folder, name + ".txt")
    write(place, "\n".join(tokens) + "\n")
    return place


def series(options, name, cases):
    """The least CPU time of each case, in turn."""
    least = {}
    for number in range(options.rounds):
        for case in cases:
            one = open(case.tokens).readline().strip()
            running = Running(case.server, None, (one, forged(one)))
            try:
                found = running.cpu_for_a_request(case.tokens, options.seconds, case.connections, case.warm)
            finally:
                running.stop()
            key = (case.server.name, case.size)
            least[key] = min(found["cpu"], least.get(key, found["cpu"]))
            print(f"round {number + 1} of {options.rounds}  {name}: {case.server.name} {case.size:>7,} {found['cpu']:8.2f} µs", file=sys.stderr)
    names, sizes = list(dict.fromkeys(case.server.name for case in cases)), list(dict.fromkeys(case.size for case in cases))
    lines = [f"| {name} | " + " | ".join(f"{size:,}" for size in sizes) + " |", "|---|" + "---|" * len(sizes)]
    for own in names:
        lines.append(f"| {own} | " + " | ".join(f"{least[own, size]:.1f}" for size in sizes) + " |")
    return lines


def cached(options, folder):
    keys = Keys(options.binary, folder, "RS256")
    minted = subprocess.run([options.binary, "mint", "--key", keys.private, "--algorithm", "RS256", "--kid", "k1", "--issuer", ISSUER, "--audience", AUDIENCE,
                             "--expires-in", "1day", "--claims", json.dumps(CLAIMS), "--count", "100000"], check=True, capture_output=True, text=True).stdout.split()
    config = f'jwks_file = "{keys.jwks}"\nexpected_issuer = "{ISSUER}"\n[cache]\nmax_bytes = 268435456\n'
    cases = []
    for size in (1, 100, 1_000, 10_000, 100_000):
        file = tokens_file(folder, f"cached-{size}", minted[:size])
        cases += [Case(size, gate(options, config), file, warm=2 + size // 12_000), Case(size, floor(), file)]
    return series(options, "tokens in the cache", cases)


def keys(options, folder):
    cases = []
    for size in (1, 10, 100, 1_000):
        secrets = [f"{number:08}{SECRET}" for number in range(size)]
        place = os.path.join(folder, f"keys-{size}.json")
        write(place, json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": f"key-{number}", "k": b64(secret.encode())} for number, secret in enumerate(secrets)]}))
        file = tokens_file(folder, f"keys-{size}", [signed(number, secrets[number % size], kid=f"key-{number % size}") for number in range(1_000)])
        cases.append(Case(size, gate(options, f'jwks_file = "{place}"\nexpected_issuer = "{ISSUER}"\n[cache]\nmax_bytes = 0\n'), file))
    return series(options, "keys in the set, 1,000 HS256 tokens, no cache", cases)


def issuers(options, folder):
    cases = []
    for size in (1, 10, 100):
        tables = "".join(f'\n[issuers.i{number}]\nissuer = "{ISSUER}/{number}"\naudience = "{AUDIENCE}"\nsecret = "{number:08}{SECRET}"\n' for number in range(size))
        file = tokens_file(folder, f"issuers-{size}", [signed(number, f"{number % size:08}{SECRET}", f"{ISSUER}/{number % size}") for number in range(1_000)])
        cases.append(Case(size, gate(options, f"{tables}\n[cache]\nmax_bytes = 0\n"), file))
    return series(options, "issuers, 1,000 HS256 tokens, no cache", cases)


def rules(options, folder):
    file = tokens_file(folder, "rules", [signed(0)])
    cases = []
    for size in (1, 10, 100):
        tables = "".join(f'\n[[rules]]\naction = "require"\npath_prefix = "/area-{number}"\nrequire.groups = ["staff"]\n' for number in range(size - 1))
        tables += f'\n[[rules]]\naction = "require"\npath_prefix = "/"\nrequire.groups = ["{CLAIMS["groups"][3]}"]\n'
        cases.append(Case(size, gate(options, f'secret = "{SECRET}"\nexpected_issuer = "{ISSUER}"\n{tables}'), file))
    return series(options, "rules, the last one decides, one token", cases)


def connections(options, folder):
    file = tokens_file(folder, "connections", [signed(0)])
    cases = []
    for size in (10, 100, 1_000, 10_000):
        config = f'secret = "{SECRET}"\nexpected_issuer = "{ISSUER}"\n'
        cases += [Case(size, gate(options, config), file, connections=size, warm=2), Case(size, floor(), file, connections=size, warm=2)]
    return series(options, "connections, one token", cases)


def metrics(port, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE))


def flood(options, folder):
    """A good token beside a million different forged ones."""
    keys = Keys(options.binary, folder, "RS256")
    good = subprocess.run([options.binary, "mint", "--key", keys.private, "--algorithm", "RS256", "--kid", "k1", "--issuer", ISSUER, "--audience", AUDIENCE,
                           "--expires-in", "1day", "--claims", json.dumps(CLAIMS)], check=True, capture_output=True, text=True).stdout.strip()
    file, admin = tokens_file(folder, "flood", [good]), free_port()
    running = Running(gate(options, f'jwks_file = "{keys.jwks}"\nexpected_issuer = "{ISSUER}"\n', admin), None, (good, forged(good)))
    try:
        before, hits = memory(running.child.pid), metrics(admin, "jwtgate_cache_hits_total")
        # Each forged token has another signature.
        storm = subprocess.Popen(["taskset", "-c", "1", program("wrk"), "-t1", "-c64", "-d600s", "-s", os.path.join(HERE, "forged.lua"), f"http://127.0.0.1:{running.port}/"],
                                 env={**os.environ, "TOKENS": file, "REQUEST_PATH": "/verify"}, stdout=subprocess.DEVNULL)
        asked = 0
        try:
            while metrics(admin, "jwtgate_cache_misses_total") < 1_000_000:
                found = running.load(file, 2, 4)
                asked += found["requests"]
                if found["other_statuses"] or storm.poll() is not None:
                    raise RuntimeError(f"{found}, and the storm ended with {storm.poll()}")
        finally:
            storm.terminate()
            storm.wait()
        hits = metrics(admin, "jwtgate_cache_hits_total") - hits
        misses = metrics(admin, "jwtgate_cache_misses_total")
        return [f"Beside {misses:,.0f} different forged tokens {asked:,} requests with one good token: {hits / asked:.2%} answered from the cache, none refused. "
                f"Memory {before:.1f} MiB before, {memory(running.child.pid):.1f} after."]
    finally:
        running.stop()


def many(options, folder):
    """Memory after a million different good tokens."""
    count, admin = options.tokens, free_port()
    one = signed(0)
    running = Running(gate(options, f'secret = "{SECRET}"\nexpected_issuer = "{ISSUER}"\n', admin), None, (one, forged(one)))
    try:
        before = memory(running.child.pid)
        claims, keyfile = json.dumps({**CLAIMS, "iss": ISSUER, "aud": AUDIENCE}), os.path.join(folder, "secret.txt")
        write(keyfile, SECRET)
        os.chmod(keyfile, 0o600)
        mint = subprocess.Popen([options.binary, "mint", "--key", keyfile, "--expires-in", "1day", "--claims", claims, "--count", str(count)], stdout=subprocess.PIPE)
        passed = ask_all(running.port, mint.stdout)
        mint.wait()
        hits, entries = metrics(admin, "jwtgate_cache_hits_total"), metrics(admin, "jwtgate_cache_entries")
        after = memory(running.child.pid)
        return [f"{passed:,} of {count:,} different good tokens passed ({hits:.0f} from the cache); {entries:,.0f} are kept, the limit (`cache.max_bytes`) is 64 MiB. "
                f"Memory {before:.1f} MiB before, {after:.1f} after."]
    finally:
        running.stop()


def ask_all(port, tokens):
    """Asks once with each token, 64 at a time on each of four connections; how many passed."""
    passed, lines = 0, iter(tokens)
    streams = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(4)]
    with selectors.DefaultSelector() as selector:
        def send(stream):
            batch = [line.strip() for _, line in zip(range(64), lines)]
            if not batch:
                selector.unregister(stream)
                return
            stream.sendall(b"".join(b"GET /verify HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer " + token + b"\r\n\r\n" for token in batch))
            owed[stream] = [len(batch), b""]
        owed = {}
        for stream in streams:
            selector.register(stream, selectors.EVENT_READ)
            send(stream)
        while selector.get_map():
            for key, _ in selector.select(10):
                stream = key.fileobj
                data = stream.recv(1 << 20)
                if not data:
                    raise RuntimeError("a connection was closed")
                owed[stream][1] += data
                if owed[stream][1].count(b"\r\n\r\n") >= owed[stream][0]:
                    passed += owed[stream][1].count(b"HTTP/1.1 200 ")
                    send(stream)
    for stream in streams:
        stream.close()
    return passed


EVERYTHING = {"cached": cached, "keys": keys, "issuers": issuers, "rules": rules, "connections": connections, "flood": flood, "many": many}


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/dist/jwtgate")
    parser.add_argument("--only", default=",".join(EVERYTHING), type=lambda text: text.split(","), help="of " + ", ".join(EVERYTHING))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1_000_000, help="for `many`")
    options = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for name in options.only:
        with tempfile.TemporaryDirectory(prefix="jwtgate-bench-") as folder:
            os.chmod(folder, 0o755)
            print("\n".join(EVERYTHING[name](options, folder)) + "\n", flush=True)


if __name__ == "__main__":
    main()
