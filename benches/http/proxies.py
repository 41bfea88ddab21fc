#!/usr/bin/env python3
"""What a check costs behind every proxy: requests a second, time and CPU, with the shipped configuration and without the check.

    cargo build --profile dist
    benches/http/proxies.py [--binary target/dist/jwtgate] [--seconds 4] [--rounds 3] [PROXY ...]

Needs the proxies that tests/run.sh installs, and wrk. The configurations are those that `jwtgate proxy-config` prints; "without" is the same
file less the directives that ask. Everything listens on loopback, one process each; the application is nginx answering two bytes. One token,
HS256, so jwtgate answers from its cache. Requests a second are those of whatever else the machine does: trust the differences, and CPU.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SECRET = "0123456789abcdef0123456789abcdef"
TOOLS = os.path.join(os.path.dirname(__file__), "../../target/test-tools/bin")

# For each proxy: its program, what it is started with, and what is taken out where it shall not ask: patterns and what stands there instead.
PROXIES = {
    "nginx": (["nginx", "-e", "stderr", "-p", ".", "-c", "nginx.conf", "-g", "daemon off; master_process off; pid nginx.pid;"],
              [(r"\n *auth_request [^\n]*", ""), (r"\n *error_page 401[^\n]*", "")]),
    "traefik": (["traefik", "--configFile=traefik.yml"], [(r"\[strip, jwtgate\]", "[strip]")]),
    "caddy": (["caddy", "run", "--adapter", "caddyfile", "--config", "Caddyfile"], [(r"(?s)forward_auth [^{]*\{.*?\n\t\t\}\n", "")]),
    "haproxy": (["haproxy", "-db", "-f", "haproxy.cfg"],
                [(r"\n *http-request lua.jwtgate[^\n]*", ""), (r"\n *http-request deny [^\n]*jwtgate[^\n]*", "")]),
    "haproxy-spoe": (["haproxy", "-db", "-f", "spoe.cfg"],
                     [(r"\n *filter spoe[^\n]*", ""), (r"\n *http-request send-spoe-group[^\n]*", ""),
                      (r"\n *http-request (?:deny|return) [^\n]*jwtgate[^\n]*", "")]),
    "envoy-http": (["envoy", "--use-dynamic-base-id", "--disable-hot-restart", "--concurrency", "1", "-l", "error", "-c", "http.yaml"], "ext_authz"),
    "envoy-grpc": (["envoy", "--use-dynamic-base-id", "--disable-hot-restart", "--concurrency", "1", "-l", "error", "-c", "grpc.yaml"], "ext_authz"),
    "apache": (["apache2", "-X", "-f", "{dir}/forward-auth.conf"], [(r"\n *LuaHookAccessChecker[^\n]*", "")]),
    "itself": (None, None),
}


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def token():
    part = lambda value: base64.urlsafe_b64encode(value).rstrip(b"=").decode()
    claims = {"sub": "alice", "username": "alice", "email": "alice@example.com", "groups": ["dev", "ops"], "exp": int(time.time()) + 36000}
    text = part(b'{"alg":"HS256","typ":"JWT"}') + "." + part(json.dumps(claims).encode())
    return text + "." + part(hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).digest())


def program(name):
    own = os.path.join(TOOLS, name)
    found = own if os.path.exists(own) else shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
    if not found:
        sys.exit(f"{name} is not installed: tests/run.sh --install-only")
    return os.path.abspath(found)


class Process:
    """A process that is ended by its number, and how much CPU it has used."""

    def __init__(self, command, folder, port):
        self.output = open(os.path.join(folder, f"{os.path.basename(command[0])}.log"), "ab")
        env = {**os.environ, "HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder}
        self.child = subprocess.Popen(command, cwd=folder, env=env, stdout=self.output, stderr=self.output)
        end = time.time() + 15
        while time.time() < end:
            if self.child.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                return
            except OSError:
                time.sleep(0.02)
        sys.exit(f"{command[0]} did not start: see {self.output.name}:\n{open(self.output.name).read()[-2000:]}")

    def cpu(self):
        with open(f"/proc/{self.child.pid}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


def without_filter(text, name):
    """Takes one HTTP filter out of Envoy's list."""
    lines, kept, skipping = text.split("\n"), [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if skipping is not None and line.strip() and indent <= skipping:
            skipping = None
        if skipping is None and line.strip() == "- name: jwtgate" and name in text and indent > 12:
            skipping = indent
        if skipping is None:
            kept.append(line)
    return "\n".join(kept)


def configure(proxy, binary, config, folder, ports, checks):
    """Writes the configuration, as the tests of the project place it."""
    subprocess.run([binary, "proxy-config", proxy, "--config", config, "--out", folder, "--app", f"127.0.0.1:{ports['app']}",
                    "--listen", str(ports["front"])], check=True, stderr=subprocess.DEVNULL)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if not os.path.isfile(path) or name.endswith(".log"):
            continue
        text = open(path).read()
        for shipped, own in [
            ("/var/log/nginx/", ""), ("access_log access.log path_only;", "access_log off;"),
            ("/etc/traefik/", folder + "/"), ("/etc/haproxy/", folder + "/"), ("/etc/apache2/", folder + "/"), ("/var/log/apache2/", folder + "/"),
            ("modules/mod_", "/usr/lib/apache2/modules/mod_"),
            ("Listen     ", f"PidFile {folder}/pid\nMutex file:{folder} default\nListen 127.0.0.1:"),
            (f"\":{ports['front']}\"", f"\"127.0.0.1:{ports['front']}\""),
        ]:
            text = text.replace(shipped, own)
        # Nobody's benchmark is of its log.
        text = re.sub(r"\n *(?:log stdout|log-format|CustomLog)[^\n]*", "", text)
        text = re.sub(r"(?m)^\tlog$\n", "", text)
        text = re.sub(r"(?s)\naccessLog:.*$", "\n", text)
        text = re.sub(r"(?s)\n +access_log:\n.*?\n(?=\n)", "\n", text)
        if not checks:
            patterns = PROXIES[proxy][1]
            if isinstance(patterns, str):
                text = without_filter(text, patterns)
            else:
                for pattern, own in patterns:
                    text = re.sub(pattern, own, text)
        open(path, "w").write(text)


def load(port, seconds, bearer):
    """What wrk says: requests, requests a second, and the middle of the times in microseconds."""
    out = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-H", f"Authorization: Bearer {bearer}",
                          f"http://127.0.0.1:{port}/app/page?x=1"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in out:
        sys.exit(f"not every answer was 200:\n{out}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    rate = float(re.search(r"Requests/sec: +([\d.]+)", out).group(1))
    value, unit = re.search(r"50% +([\d.]+)(us|ms|s)", out).groups()
    return requests, rate, float(value) * {"us": 1, "ms": 1000, "s": 1e6}[unit]


def measure(proxy, checks, options, bearer):
    folder = tempfile.mkdtemp(prefix="jwtgate-bench-")
    os.chmod(folder, 0o755)
    ports = {name: free_port() for name in ("gate", "grpc", "spoe", "front", "app")}
    config = os.path.join(folder, "jwtgate.toml")
    upstream = f"[upstream]\nlisten = \"127.0.0.1:{ports['front']}\"\nurl = \"http://127.0.0.1:{ports['app']}\"\n" if proxy == "itself" else ""
    with open(config, "w") as file:
        file.write(f"secret = \"{SECRET}\"\n[server]\nlisten = \"127.0.0.1:{ports['gate']}\"\nworkers = 1\n[admin]\nlisten = \"\"\n"
                   f"[ext_authz]\nlisten = \"127.0.0.1:{ports['grpc']}\"\n[spoe]\nlisten = \"127.0.0.1:{ports['spoe']}\"\n{upstream}")
    own = os.path.join(folder, "app")
    os.mkdir(own)
    with open(os.path.join(own, "nginx.conf"), "w") as file:
        temporary = " ".join(f"{name}_temp_path t_{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        file.write(f"events {{}} http {{ access_log off; {temporary} keepalive_requests 1000000; large_client_header_buffers 8 48k;"
                   f" server {{ listen 127.0.0.1:{ports['app']}; location / {{ return 200 ok; }} }} }}")
    started = []
    try:
        started.append(Process([program("nginx"), "-e", "stderr", "-p", own, "-c", own + "/nginx.conf", "-g",
                                "daemon off; master_process off; pid nginx.pid;"], folder, ports["app"]))
        gate = Process([os.path.abspath(options.binary), "serve", "--config", config], folder, ports["gate"])
        started.append(gate)
        front = gate
        if proxy != "itself":
            place = os.path.join(folder, "proxy")
            os.mkdir(place)
            configure(proxy, os.path.abspath(options.binary), config, place, ports, checks)
            command = [part.replace("{dir}", place) for part in PROXIES[proxy][0]]
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
                path = os.path.join(place, "nginx.conf")
                if os.path.exists(path):
                    text = open(path).read().replace("http {", f"http {{ {name}_temp_path t_{name};", 1)
                    open(path, "w").write(text)
            front = Process([program(command[0])] + command[1:], place, ports["front"])
            started.append(front)
            time.sleep(1)  # Traefik's routes come after its port.
        target = ports["front"] if checks or proxy != "itself" else ports["app"]
        load(target, 1, bearer)
        best = None
        for _ in range(options.rounds):
            before = gate.cpu(), front.cpu()
            requests, rate, middle = load(target, options.seconds, bearer)
            used = [(after - start) / requests * 1e6 for after, start in zip((gate.cpu(), front.cpu()), before)]
            # The least disturbed round.
            if best is None or rate > best[0]:
                best = (rate, middle, *used)
        return best
    finally:
        for process in reversed(started):
            process.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    # What was started is stopped, whoever ends this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/dist/jwtgate")
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("proxies", nargs="*", default=list(PROXIES))
    options = parser.parse_args()
    bearer = token()
    print("| | requests a second, without | with | median, without, µs | with | added, µs | CPU of the proxy, µs a request, without | with | CPU of jwtgate |")
    print("|---|---|---|---|---|---|---|---|---|")
    for proxy in options.proxies:
        plain = measure(proxy, False, options, bearer)
        checked = measure(proxy, True, options, bearer)
        own = "" if proxy == "itself" else f"{checked[2]:.1f}"
        before = "" if proxy == "itself" else f"{plain[3]:.1f}"
        print(f"| {proxy} | {plain[0]:,.0f} | {checked[0]:,.0f} | {plain[1]:.0f} | {checked[1]:.0f} | {checked[1] - plain[1]:.0f} "
              f"| {before} | {checked[3]:.1f} | {own} |", flush=True)


if __name__ == "__main__":
    main()
