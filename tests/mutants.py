#!/usr/bin/env python3
"""Faults put into the arithmetic of RSA and into its book-keeping, one at a time: the tests must find each.

    tests/mutants.py                 # all of them, half an hour; needs a processor with AVX-512 IFMA
    tests/mutants.py carry lane      # those whose name holds one of these words

They are put into a copy of the tree. A fault that no test finds, that no longer fits the text or does not compile, ends this with 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
RSA = "src/jose/rsa_ifma"

# A name, the file, what stands there (once), and what is put in its place.
FAULTS = [
    ("number: a digit too short", f"{RSA}/number.rs", "(1 << DIGIT_BITS) - 1", "(1 << (DIGIT_BITS - 1)) - 1"),
    ("number: pairs of 12 bytes", f"{RSA}/number.rs", "const PAIR_BYTES: usize = 13", "const PAIR_BYTES: usize = 12"),
    ("number: bytes not turned around", f"{RSA}/number.rs", "bytes.iter().rev()", "bytes.iter()"),
    ("model: no carry out of the lowest column", f"{RSA}/model.rs", "*lowest += carry;", "*lowest += carry & 0;"),
    ("model: quotient of the whole column", f"{RSA}/model.rs", "low(lowest & DIGIT, inverse)", "low(lowest >> 1 & DIGIT, inverse)"),
    ("model: upper half of the lower", f"{RSA}/model.rs", "add(columns, a, |own| high(own, digit));", "add(columns, a, |own| low(own, digit));"),
    ("model: modulus not added", f"{RSA}/model.rs", "add(columns, n, |own| high(own, quotient));", "add(columns, n, |own| high(own, quotient) & 0);"),
    ("model: the highest column kept", f"{RSA}/model.rs", "*highest = 0;", "let _ = highest;"),
    ("model: 15 squarings", f"{RSA}/model.rs", "SQUARINGS: usize = 16", "SQUARINGS: usize = 15"),
    ("model: one doubling less", f"{RSA}/model.rs", "let to_r = bits_of_r - (bits - 1);", "let to_r = bits_of_r - bits;"),
    ("model: one Newton step less", f"{RSA}/model.rs", "for _ in 0..5 {", "for _ in 0..3 {"),
    ("block: type 2", f"{RSA}/block.rs", "zip([0, 1])", "zip([0, 2])"),
    ("block: no separator", f"{RSA}/block.rs", ".chain(&[0]);", ".chain(&[255]);"),
    ("block: another hash's name", f"{RSA}/block.rs", "Self::Sha384 => &SHA384,\n            Self::Sha512 => &SHA512", "Self::Sha384 => &SHA512,\n            Self::Sha512 => &SHA384"),
    ("verdict: s = n allowed", f"{RSA}/mod.rs", "*signature >= *modulus.bytes", "*signature > *modulus.bytes"),
    ("verdict: a shorter signature allowed", f"{RSA}/mod.rs", "signature.len() != length ||", "signature.len() > length ||"),
    ("key: any exponent", f"{RSA}/mod.rs", "|| exponent != EXPONENT", "|| exponent.is_empty()"),
    ("key: an even modulus", f"{RSA}/mod.rs", "!is_full || !is_odd", "!is_full || is_odd && !is_odd"),
    ("key: a modulus that is not full", f"{RSA}/mod.rs", "!is_full || !is_odd", "is_full && !is_full || !is_odd"),
    ("single: carry rounded down", f"{RSA}/single.rs", "_mm512_maskz_srli_epi64::<DIGIT_BITS>(LOWEST, raised)", "_mm512_maskz_srli_epi64::<DIGIT_BITS>(LOWEST, *lowest)"),
    ("single: carry of every column", f"{RSA}/single.rs", "const LOWEST: __mmask8 = 1;", "const LOWEST: __mmask8 = 3;"),
    ("single: the shift loses a digit", f"{RSA}/single.rs", "_mm512_alignr_epi64::<1>(above, *column)", "_mm512_alignr_epi64::<1>(zero, *column)"),
    ("single: the digit before", f"{RSA}/single.rs", "let next = digit(b, place + 1);", "let next = digit(b, place);"),
    ("single: not multiplied by s", f"{RSA}/single.rs", "power = multiply(&power, &s, &n, inverse);", ""),
    ("single: not multiplied by the factor", f"{RSA}/single.rs", "power = multiply(&power, &loaded(&modulus.factor), &n, inverse);", ""),
    ("single: carries do not ripple", f"{RSA}/single.rs", "((overflowing << 1) + passing_on) ^ passing_on", "overflowing << 1"),
    ("single: carries between vectors lost", f"{RSA}/single.rs", "_mm512_alignr_epi64::<7>(up, below)", "_mm512_alignr_epi64::<7>(up, _mm512_setzero_si512())"),
    ("single: one vector compared", f"{RSA}/single.rs", "are_equal &= ", "are_equal |= "),
    ("lanes: carry rounded down", f"{RSA}/lanes.rs", "_mm512_add_epi64(*lowest, round_up)", "*lowest"),
    ("lanes: tiles not doubled", f"{RSA}/lanes.rs", "_mm512_add_epi64(*twice, *twice)", "*twice"),
    ("lanes: no diagonal", f"{RSA}/lanes.rs", "column % 2 == 0", "column % 2 == 0 && column > 2"),
    ("lanes: a tile of the quotient left out", f"{RSA}/lanes.rs", "self.quotient.iter().take(column)", "self.quotient.iter().take(column.saturating_sub(1))"),
    ("lanes: two exchanged", f"{RSA}/lanes.rs", "d1.cast_signed(),\n            d0.cast_signed(),", "d0.cast_signed(),\n            d1.cast_signed(),"),
    ("lanes: one product less", f"{RSA}/lanes.rs", "c14 c15 b7", "c14 c15 b6"),
    ("lanes: digits not carried", f"{RSA}/lanes.rs", "carry = _mm512_srli_epi64::<DIGIT_BITS>(sum);", ""),
    ("lanes: any digit equal is enough", f"{RSA}/lanes.rs", "equal &= ", "equal |= "),
    ("company: verdicts turned around", f"{RSA}/mod.rs", "good & (1 << lane) != 0", "good & (0x80 >> lane) != 0"),
    ("company: a verdict too few", f"{RSA}/mod.rs", ".take(group.len())", ".take(group.len() - 1)"),
    ("company: an empty lane is good", f"{RSA}/mod.rs", "[[u64::MAX; number::GROUP]; T]", "[[0; number::GROUP]; T]"),
    ("binding: any token", "src/gate/signatures.rs", "&& *self.token == *token\n", "\n"),
    ("binding: any key", "src/gate/signatures.rs", "Arc::ptr_eq(&self.key, key)\n            && ", ""),
    ("binding: the verdict of another", "src/gate/signatures.rs", "one.is_same(next)", "one.has_key_of(next)"),
    ("binding: a verdict too few", "src/gate/signatures.rs", "repeat_n(is_good, same.len())", "repeat_n(is_good, 1)"),
    ("binding: not in the order of the questions", "src/gate/signatures.rs", "waiting.into_iter().zip(verdicts)", "waiting.into_iter().zip(verdicts.into_iter().rev())"),
    ("binding: keys mixed", "src/gate/signatures.rs", "waiting.chunk_by(|(one, _), (next, _)| one.has_key_of(next))", "waiting.chunk_by(|_, _| true)"),
    ("binding: another's place in the cache", "src/gate/signatures.rs", "(*self.asked.bound.token == *token.bytes()).then_some(digest)", "Some(digest)"),
    ("together: a queue without end", "src/server/express/together.rs", "waiting.len() >= MOST", "waiting.len() > MOST"),
    ("together: nobody looks after the first", "src/server/express/together.rs", "if count == 1 {", "if count == 2 {"),
    ("self-test: alone only", f"{RSA}/self_test.rs", "lanes.into_iter().chain(few)", "lanes.into_iter().take(0).chain(few)"),
    ("gate: rules asked before the verdict", "src/gate/mod.rs", "Err(halt @ Halt::Unjudged(..)) => return Decision::not_yet(halt),", ""),
]


def found(folder, tests):
    """Whether a test fails, or never ends."""
    try:
        run = subprocess.run(["cargo", "test", "--lib", "--quiet", *tests], cwd=folder, capture_output=True, text=True,
                             env={**os.environ, "CARGO_TARGET_DIR": os.path.join(folder, "target")}, timeout=1200)
    except subprocess.TimeoutExpired:
        return True, "it never ends"
    if "could not compile" in run.stderr:
        sys.exit(f"it does not compile:\n{run.stderr[-3000:]}")
    if run.returncode != 0 and ("SIGKILL" in run.stderr or "test result: FAILED" not in run.stdout and "SIG" not in run.stderr):
        sys.exit(f"it does not run:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return run.returncode != 0, run.stdout[-2000:] + run.stderr[-2000:]


def main():
    wanted = [fault for fault in FAULTS if not sys.argv[1:] or any(word in fault[0] for word in sys.argv[1:])]
    tests = ["--", "rsa_ifma", "gate::signatures", "express::together"]
    with tempfile.TemporaryDirectory(prefix="jwtgate-mutants-") as folder:
        for name in ("src", "benches", "config", "tests", "docs", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "README.md", "CHANGELOG.md", "certs"):
            place = os.path.join(ROOT, name)
            (shutil.copytree if os.path.isdir(place) else shutil.copy)(place, os.path.join(folder, name))
        is_red, told = found(folder, tests)
        if is_red:
            sys.exit(f"the tests fail without any fault:\n{told}")
        survivors = []
        for number, (name, file, old, new) in enumerate(wanted):
            place = os.path.join(folder, file)
            text = open(place).read()
            # The tests at the foot of a file are left alone.
            code, mark, foot = text.partition("#[cfg(test)]\nmod tests {") if "#[cfg(test)]\nmod tests {" in text else (text, "", "")
            if code.count(old) != 1:
                sys.exit(f"{name}: `{old}` stands {code.count(old)} times in {file}")
            with open(place, "w") as out:
                out.write(code.replace(old, new) + mark + foot)
            print(f"{number + 1:>3} of {len(wanted)}  {name}: ", end="", flush=True)
            is_red, _ = found(folder, tests)
            with open(place, "w") as out:
                out.write(text)
            print("found" if is_red else "NOT FOUND", flush=True)
            if not is_red:
                survivors.append(name)
    if survivors:
        sys.exit(f"not found: {', '.join(survivors)}")


if __name__ == "__main__":
    main()
