#!/usr/bin/env bash
# The long work, which no change has to wait for: before a release, and when something changes that it is about. Its results and their
# dates stand in the pages named here.
#   tests/long.sh                     all of it, some hours
#   tests/long.sh signatures          10,000,000 RSA signatures by our own code and the library      docs/rsa-ifma.md
#   tests/long.sh mutants             faults put into the code, which the tests must find            docs/rsa-ifma.md
#   tests/long.sh fuzz                each target for FUZZ_SECONDS (600)                             docs/rsa-ifma.md
#   tests/long.sh benchmarks          this and other verifiers side by side                          docs/benchmarks.md
# Needs a processor with AVX-512 IFMA for the first three, a C++ compiler for fuzzing, wrk for the benchmarks; tests/run.sh --install-only
# brings the servers to compare with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

needs_ifma() {
  if ! grep -qw avx512ifma /proc/cpuinfo; then
    echo "tests/long.sh: NOT TESTED: this processor has no AVX-512 IFMA" >&2
    exit 1
  fi
}

signatures() {
  needs_ifma
  cargo bench --locked --bench rsa_ifma -- --signatures 10000000 --pool 60
}

mutants() {
  needs_ifma
  python3 tests/mutants.py
}

fuzz() {
  needs_ifma
  if ! command -v cargo-fuzz >/dev/null; then
    cargo install cargo-fuzz --version 0.13.2 --locked
  fi
  local target
  for target in fuzz/seeds/*; do
    target="$(basename "$target")"
    mkdir -p "fuzz/corpus/$target"
    # The compiler is the pinned one; the sanitizer's flags are not stable, and this lets it take them.
    RUSTC_BOOTSTRAP=1 cargo fuzz run "$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -- \
      -max_total_time="${FUZZ_SECONDS:-600}" -timeout=60 -max_len=8192 -print_final_stats=1
  done
}

benchmarks() {
  cargo build --locked --profile dist --bin jwtgate --example empty
  python3 benches/http/compare.py --page docs/benchmarks.md
}

parts=("$@")
if [ ${#parts[@]} -eq 0 ]; then parts=(signatures mutants fuzz benchmarks); fi
for part in "${parts[@]}"; do
  case "$part" in
    signatures | mutants | fuzz | benchmarks) ;;
    *)
      echo "tests/long.sh: no part \"$part\". There are: signatures, mutants, fuzz, benchmarks" >&2
      exit 2
      ;;
  esac
done
for part in "${parts[@]}"; do
  printf '\n==> %s\n' "$part"
  start=$SECONDS
  "$part"
  printf '<== %s: %d s\n' "$part" $((SECONDS - start))
done
