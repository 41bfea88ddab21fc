//! The cache under pressure: forged tokens take nobody's place, and a stream of good ones does not take more memory than was given.

use serde_json::json;

use crate::harness::{Connection, Gate, Request, Settings, tokens};

/// How many requests are written before their answers are read.
const BATCH: usize = 50;

/// Asks with each token on one connection; the statuses.
fn ask(gate: &Gate, tokens: impl Iterator<Item = String>) -> Vec<u16> {
    let mut connection = Connection::open(gate.main()).expect("a connection");
    let mut statuses = Vec::new();
    let mut tokens = tokens.peekable();
    while tokens.peek().is_some() {
        let batch: Vec<_> = tokens.by_ref().take(BATCH).collect();
        let requests: Vec<u8> = batch
            .iter()
            .flat_map(|token| Request::get("/verify").bearer(token).bytes())
            .collect();
        connection.write(&requests).expect("written");
        for _ in batch {
            let answer = connection.read_response("GET").expect("an answer");
            statuses.push(answer.status);
        }
    }
    statuses
}

/// The value of a metric that has no labels.
fn metric(gate: &Gate, name: &str) -> u64 {
    let page = Request::get("/metrics").send(gate.admin()).text();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value: f64 = line.and_then(|value| value.parse().ok()).expect(name);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts"
    )]
    let count = value as u64;
    count
}

#[test]
fn s13_3_a_good_token_stays_known_beside_a_flood_of_forged_ones() {
    // Room for few: what a forged token could push out would be pushed out.
    let gate = Settings::hmac().table("[cache]\nmax_bytes = 65536").start();
    let good = tokens::good();
    let (head, signature) = good.rsplit_once('.').expect("a token");
    let forged = |number: usize| {
        let (_, rest) = signature.split_at(6);
        format!("{head}.{number:06}{rest}")
    };
    assert_eq!(ask(&gate, [good.clone()].into_iter()), [200]);
    let (floods, each) = (20, 1_000);
    for flood in 0..floods {
        let statuses = ask(&gate, (0..each).map(|number| forged(flood * each + number)));
        assert!(statuses.iter().all(|&status| status == 401));
        assert_eq!(ask(&gate, [good.clone()].into_iter()), [200]);
    }
    assert_eq!(metric(&gate, "jwtgate_cache_hits_total"), 20);
    assert_eq!(metric(&gate, "jwtgate_cache_entries"), 1);
}

#[test]
fn s13_3_good_tokens_take_no_more_memory_than_was_given() {
    const GIVEN: u64 = 2 * 1024 * 1024;
    /// What a process may take beside that: buffers, tables, what the allocator keeps.
    const BESIDE: u64 = 16 * 1024 * 1024;
    const TOKENS: usize = 12_000;
    let gate = Settings::hmac()
        .table(&format!(
            "[cache]\nmax_bytes = {GIVEN}\n[identity]\nmax_value_bytes = 8192"
        ))
        .start();
    // Each takes more than 3 KB: all of them would take twice what is allowed.
    let groups: Vec<_> = (0..100)
        .map(|number| format!("department-{number:03}-of-the-company"))
        .collect();
    let token = |number: usize| {
        tokens::with(&json!({"username": format!("user-{number}"), "groups": groups}))
    };
    assert!(
        ask(&gate, (0..200).map(token))
            .iter()
            .all(|&status| status == 200)
    );
    let before = gate.rss_bytes();
    assert!(
        ask(&gate, (200..TOKENS).map(token))
            .iter()
            .all(|&status| status == 200)
    );
    let after = gate.rss_bytes();
    let entries = metric(&gate, "jwtgate_cache_entries");
    assert!((100..2_000).contains(&entries), "{entries} entries");
    assert!(
        after < before + GIVEN + BESIDE,
        "{} KiB more for {TOKENS} tokens",
        (after - before) / 1024
    );
}
