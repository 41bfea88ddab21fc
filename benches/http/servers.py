"""The servers of compare.py: what each is started with, and what it checks."""

import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, "../../target/test-tools/bin")
ISSUER = "https://idp.example.com/realms/main"
AUDIENCE = "https://app.example.com/"


def program(name):
    """Where a program is; `None` where it is not installed."""
    own = os.path.join(TOOLS, name)
    found = own if os.path.exists(own) else shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return os.path.abspath(found) if found else None


class Keys:
    """One key of an algorithm, made for this run."""

    def __init__(self, binary, folder, algorithm):
        self.algorithm = algorithm
        place = os.path.join(folder, "keys")
        subprocess.run([binary, "keygen", "--algorithm", algorithm, "--kid", "k1", "--out", place], check=True, stderr=subprocess.DEVNULL)
        self.jwks = os.path.join(place, "jwks.json")
        if algorithm == "HS256":
            self.private = self.public = os.path.join(place, "secret.txt")
            with open(self.private) as file:
                self.secret = file.read().strip()
        else:
            self.private, self.public = os.path.join(place, "private.pem"), os.path.join(place, "public.pem")


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


class Server:
    """One that can be started: `command` writes what it needs into a folder and gives its arguments."""

    def __init__(self, name, command, judges=True, path="/", algorithms=None, needs=(), note=""):
        self.name, self.command, self.judges, self.path = name, command, judges, path
        self.algorithms, self.needs, self.note = algorithms, needs, note

    def why_not(self, algorithm):
        """Why it is left out; `None` where it can run."""
        if self.algorithms and algorithm not in self.algorithms:
            return f"has no {algorithm}"
        lacking = [name for name in self.needs if not (program(name) or os.path.exists(name))]
        return f"{', '.join(lacking)} is not there" if lacking else None


def jwtgate(binary, table):
    def command(folder, port, keys):
        key = f'secret_file = "{keys.private}"' if keys.algorithm == "HS256" else f'jwks_file = "{keys.jwks}"'
        write(os.path.join(folder, "jwtgate.toml"),
              f'{key}\nexpected_issuer = "{ISSUER}"\nexpected_audience = "{AUDIENCE}"\nusername_claim_field = "preferred_username"\n'
              f'[server]\nlisten = "127.0.0.1:{port}"\nworkers = 1\n[admin]\nlisten = ""\n{table}')
        return [os.path.abspath(binary), "serve", "--config", os.path.join(folder, "jwtgate.toml")]
    return command


def empty_handler(binary):
    return lambda folder, port, keys: [os.path.abspath(binary), str(port)]


def nginx(inside):
    def command(folder, port, keys):
        temporary = " ".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        write(os.path.join(folder, "nginx.conf"),
              f"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log error; events {{ worker_connections 4096; }}\n"
              f"http {{ access_log off; keepalive_requests 1000000000; keepalive_timeout 300s; large_client_header_buffers 4 16k;\n"
              f"  client_header_buffer_size 4k; {temporary}\n  server {{ listen 127.0.0.1:{port} reuseport; location / {{ {inside} }} }}\n}}\n")
        return [program("nginx"), "-p", folder, "-e", folder + "/error.log", "-c", folder + "/nginx.conf"]
    return command


def haproxy(folder, port, keys):
    key = keys.secret if keys.algorithm == "HS256" else keys.public
    write(os.path.join(folder, "haproxy.cfg"), f"""
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout client 300s
    timeout server 10s
    timeout connect 1s
    timeout http-keep-alive 300s
frontend web
    bind 127.0.0.1:{port}
    http-request set-var(txn.token) http_auth_bearer
    http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
    http-request set-var(txn.now) date()
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_header_query('$.alg') -m str {keys.algorithm} }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_payload_query('$.iss') -m str {ISSUER} }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_payload_query('$.aud') -m str {AUDIENCE} }}
    http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
    http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify("{keys.algorithm}","{key}") -m int 1 }}
    http-request return status 200 hdr X-Auth-User %[var(txn.token),jwt_payload_query('$.preferred_username')]
""")
    return [program("haproxy"), "-db", "-f", os.path.join(folder, "haproxy.cfg")]


def envoy(cache):
    def command(folder, port, keys):
        kept = "jwt_cache_config: { jwt_cache_size: 10000, jwt_max_token_size: 8192 }" if cache else ""
        write(os.path.join(folder, "envoy.yaml"), f"""
static_resources:
  listeners:
  - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          codec_type: HTTP1
          generate_request_id: false
          route_config: {{ virtual_hosts: [{{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, direct_response: {{ status: 200 }} }}] }}] }}
          http_filters:
          - name: envoy.filters.http.jwt_authn
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
              providers:
                main:
                  issuer: {ISSUER}
                  audiences: ["{AUDIENCE}"]
                  local_jwks: {{ filename: {keys.jwks} }}
                  forward: true
                  claim_to_headers: [{{ header_name: x-auth-user, claim_name: preferred_username }}]
                  {kept}
              rules: [{{ match: {{ prefix: / }}, requires: {{ provider_name: main }} }}]
          - name: envoy.filters.http.router
            typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
""")
        return [program("envoy"), "-c", os.path.join(folder, "envoy.yaml"), "--concurrency", "1", "--use-dynamic-base-id", "-l", "error",
                "--disable-hot-restart"]
    return command


def python(folder, port, keys):
    return [os.environ.get("BENCH_PYTHON", "python3"), os.path.join(HERE, "peer_tornado.py"), keys.public, keys.algorithm, str(port), ISSUER, AUDIENCE]


def all_servers(binary, empty):
    """In the order of the table."""
    return [
        Server("jwtgate", jwtgate(binary, ""), path="/verify"),
        Server("jwtgate, cache off", jwtgate(binary, "[cache]\nmax_bytes = 0\n"), path="/verify"),
        Server("empty actix handler", empty_handler(empty), judges=False, needs=[empty], note="looks at nothing"),
        Server("nginx `return 204`", nginx("return 204;"), judges=False, needs=["nginx"], note="looks at nothing"),
        Server("HAProxy `jwt_verify`", haproxy, algorithms=["RS256", "HS256", "ES256"], needs=["haproxy"]),
        Server("Envoy `jwt_authn`, its cache on", envoy(True), needs=["envoy"]),
        Server("Envoy `jwt_authn`", envoy(False), needs=["envoy"]),
        Server("Tornado and PyJWT", python, needs=[os.environ.get("BENCH_PYTHON", "python3")], note="what jwtgate replaces is made of these"),
    ]
