//! A hundred thousand mutated tokens over HTTP: none passes, none is a fault, and memory stays flat.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::{Connection, Gate, Request, Settings, tokens};

const MUTANTS: usize = 100_000;
const CLIENTS: usize = 4;
const BATCH: usize = 20;
/// A good token stands at the head of each so many mutants.
const GOOD_EVERY: usize = 1_000;
const GROWTH: u64 = 10 * 1024 * 1024;

#[test]
fn s4_2_a_hundred_thousand_mutants_and_none_passes() {
    let gate = Settings::hmac().start();
    let tally = Tally::default();
    let good = Good::new();
    let per_client = MUTANTS / CLIENTS;
    // Memory is compared with that after the first fifth, when buffers and caches have their size.
    run(&gate, &good, &tally, 0, per_client / 5);
    let early = gate.rss_bytes();
    run(&gate, &good, &tally, per_client / 5, per_client);
    let late = gate.rss_bytes();
    let count = |number: &AtomicUsize| number.load(Ordering::SeqCst);
    writeln!(
        std::io::stderr(),
        "hostile run: {} mutants refused, {} good tokens passed, resident memory {} KiB early and {} KiB late",
        count(&tally.refused),
        count(&tally.passed),
        early / 1024,
        late / 1024,
    )
    .ok();
    assert_eq!(count(&tally.refused), MUTANTS);
    assert_eq!(count(&tally.passed), MUTANTS / GOOD_EVERY);
    assert!(
        late < early + GROWTH,
        "resident memory grew from {early} to {late} bytes"
    );
    assert_eq!(Request::get("/healthz").send(gate.admin()).status, 200);
    gate.assert_no_panic();
    let output = gate.output();
    for secret in [tokens::SECRET, &good.alice, &good.bob] {
        let signature = secret.rsplit('.').next().unwrap_or(secret);
        assert!(!output.contains(signature), "the log holds a secret");
    }
}

#[derive(Default)]
struct Tally {
    refused: AtomicUsize,
    passed: AtomicUsize,
}

/// Tokens that must pass, and that no mutant may happen to be.
struct Good {
    alice: String,
    bob: String,
    all: HashSet<String>,
}

impl Good {
    fn new() -> Self {
        let hour =
            |name: &str| tokens::with(&json!({"username": name, "exp": tokens::now() + 3600}));
        let (alice, bob) = (hour("alice"), hour("bob"));
        let all = HashSet::from([alice.clone(), bob.clone()]);
        Self { alice, bob, all }
    }
}

/// Each client sends its mutants number `from` to `to`.
fn run(gate: &Gate, good: &Good, tally: &Tally, from: usize, to: usize) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || attack(gate, good, tally, client, from..to));
        }
    });
}

fn attack(gate: &Gate, good: &Good, tally: &Tally, client: usize, numbers: std::ops::Range<usize>) {
    let mut connection = Connection::open(gate.main()).expect("the gate listens");
    let numbers: Vec<_> = numbers.collect();
    for batch in numbers.chunks(BATCH) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for &number in batch {
            if number % GOOD_EVERY == 0 {
                bytes.extend(Request::get("/verify").bearer(&good.alice).bytes());
                expected.push(None);
            }
            let random = Random::new(client, number);
            let mutant = mutate(good, &random);
            bytes.extend(
                Request::get("/verify")
                    .header("Authorization", [b"Bearer ", &mutant[..]].concat())
                    .bytes(),
            );
            expected.push(Some(mutant));
        }
        connection.write(&bytes).expect("the gate reads on");
        for mutant in expected {
            let answer = connection
                .read_response("GET")
                .expect("an answer to each request");
            if let Some(mutant) = mutant {
                assert_eq!(
                    answer.status,
                    401,
                    "client {client}: {}",
                    String::from_utf8_lossy(&mutant)
                );
                assert_eq!(answer.header("X-Auth-User"), None);
                tally.refused.fetch_add(1, Ordering::SeqCst);
            } else {
                assert_eq!(
                    (answer.status, answer.header("X-Auth-User")),
                    (200, Some("alice"))
                );
                tally.passed.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// A token that is not good any more, as bytes that may stand in a header line.
fn mutate(good: &Good, random: &Random) -> Vec<u8> {
    loop {
        let mut bytes = match random.below(8) {
            0 | 1 => flip_bits(&good.alice, random),
            2 => cut(&good.alice, random),
            3 => splice(&good.alice, &good.bob, random),
            4 => edit_base64(&good.alice, random),
            5 => edit_json(&good.alice, random),
            6 => other_signature(&good.alice, random),
            _ => shuffle_parts(&good.alice, &good.bob, random),
        };
        for byte in &mut bytes {
            // What HTTP itself refuses or trims is the business of the tests of limits.
            if *byte <= b' ' || *byte == 0x7f {
                *byte = b'~';
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if !bytes.is_empty() && !good.all.contains(text.as_ref()) {
            return bytes;
        }
    }
}

fn flip_bits(token: &str, random: &Random) -> Vec<u8> {
    let mut bytes = token.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let position = random.below(bytes.len());
        bytes[position] ^= 1 << random.below(8);
    }
    bytes
}

fn cut(token: &str, random: &Random) -> Vec<u8> {
    let mut bytes = token.as_bytes().to_vec();
    let (from, length) = (random.below(bytes.len()), 1 + random.below(40));
    match random.below(3) {
        0 => bytes.truncate(from.max(1)),
        1 => drop(bytes.drain(from..bytes.len().min(from + length))),
        _ => {
            let again = bytes[from..bytes.len().min(from + length)].to_vec();
            bytes.splice(from..from, again);
        }
    }
    bytes
}

fn splice(token: &str, other: &str, random: &Random) -> Vec<u8> {
    let position = random.below(token.len().min(other.len()));
    let mut bytes = token.as_bytes()[..position].to_vec();
    bytes.extend_from_slice(&other.as_bytes()[position..]);
    if random.below(2) == 0 {
        let place = random.below(bytes.len());
        bytes.insert(place, b".=+/ ,;\"'%"[random.below(10)]);
    }
    bytes
}

fn edit_base64(token: &str, random: &Random) -> Vec<u8> {
    const EDITS: [&str; 10] = [
        "=", "==", ".", "..", "+", "/", "A", "%3D", "\u{ff0e}", "\u{0}",
    ];
    let dots: Vec<_> = token
        .match_indices('.')
        .map(|(position, _)| position)
        .chain([token.len()])
        .collect();
    let place = dots[random.below(dots.len())];
    let mut text = token.to_owned();
    match random.below(3) {
        0 => text.insert_str(place, EDITS[random.below(EDITS.len())]),
        1 => {
            // The last letter of a part with its unused bits set: the same bytes in a form that is not canonical.
            let letter = text.remove(place - 1);
            let next = char::from_u32(u32::from(letter) + 1).unwrap_or('A');
            text.insert(place - 1, next);
        }
        _ => text = text.replace('-', "+").replace('_', "/") + "=",
    }
    text.into_bytes()
}

fn edit_json(token: &str, random: &Random) -> Vec<u8> {
    let parts: Vec<_> = token.split('.').collect();
    let decode = |part: &str| -> Value {
        let bytes = URL_SAFE_NO_PAD
            .decode(part)
            .expect("a part of a good token");
        serde_json::from_slice(&bytes).expect("JSON in a good token")
    };
    let (mut header, mut claims) = (decode(parts[0]), decode(parts[1]));
    let values = [
        json!("root"),
        json!(""),
        json!(null),
        json!(0),
        json!(-1),
        json!(1e300),
        json!([]),
        json!({}),
        json!(true),
    ];
    let value = values[random.below(values.len())].clone();
    let names = [
        "username",
        "exp",
        "nbf",
        "iat",
        "aud",
        "iss",
        "groups",
        "sub",
        "cnf",
        "__proto__",
    ];
    match random.below(4) {
        0 => {
            header["alg"] =
                json!(["none", "None", "HS512", "RS256", "", "HS256 "][random.below(6)]);
        }
        1 => header[["kid", "crit", "b64", "jwk", "typ", "zip", "enc"][random.below(7)]] = value,
        _ => claims[names[random.below(names.len())]] = value,
    }
    // Even an edit that changes nothing becomes another text than was signed.
    claims["edited"] = json!(random.next());
    let signature = if random.below(3) == 0 { "" } else { parts[2] };
    format!(
        "{}.{}.{signature}",
        tokens::encode(header.to_string()),
        tokens::encode(claims.to_string())
    )
    .into_bytes()
}

fn other_signature(token: &str, random: &Random) -> Vec<u8> {
    let message = token.rsplit_once('.').expect("a token has dots").0;
    let length = [0, 1, 16, 31, 32, 33, 64, 256][random.below(8)];
    let fill = [0x00, 0xff, 0x41][random.below(3)];
    let mut signature = vec![fill; length];
    if random.below(2) == 0 {
        for byte in &mut signature {
            *byte = random.next().to_le_bytes()[0];
        }
    }
    format!("{message}.{}", tokens::encode(signature)).into_bytes()
}

fn shuffle_parts(token: &str, other: &str, random: &Random) -> Vec<u8> {
    let parts: Vec<_> = token
        .split('.')
        .chain(other.split('.'))
        .chain(["", "e30", "bnVsbA"])
        .collect();
    let count = [1, 2, 3, 3, 3, 4, 5][random.below(7)];
    let chosen: Vec<_> = (0..count)
        .map(|_| parts[random.below(parts.len())])
        .collect();
    chosen.join(".").into_bytes()
}

/// xorshift64*: the same mutants in every run.
struct Random(Cell<u64>);

impl Random {
    fn new(client: usize, number: usize) -> Self {
        let seed = (client as u64 + 1) << 32 | (number as u64 + 1);
        let random = Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
        random.next();
        random
    }

    fn next(&self) -> u64 {
        let mut state = self.0.get();
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        self.0.set(state);
        state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&self, limit: usize) -> usize {
        usize::try_from((self.next() >> 33) % limit as u64).expect("below a usize")
    }
}
