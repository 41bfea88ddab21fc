//! Whatever a provider answers: the last good keys serve on, within bounds of time, memory and requests.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::fetched::{
    asking, failures, issuer, lacking, settings, status, token, token_by, wait_for_failure,
    wait_for_fetches, wait_until_ready,
};
use crate::harness::{Answer, Gate, KeyServer, tokens, wait};

const COOLDOWN: Duration = Duration::from_secs(1);

/// An answer that brings no keys, under a name, and what the log says of it.
#[derive(Clone)]
struct Case {
    name: &'static str,
    answer: Answer,
    cause: &'static str,
}

fn case(name: &'static str, answer: Answer, cause: &'static str) -> Case {
    Case {
        name,
        answer,
        cause,
    }
}

fn text(text: &str) -> Answer {
    Answer::text(text, "application/json")
}

fn good_set() -> Answer {
    Answer::json(&json!({"keys": [tokens::p256().jwk("k1")]}))
}

/// So many keys in one set, each as short as possible or a real one.
fn many(key: &str, count: usize) -> Answer {
    text(&format!("{{\"keys\":[{}]}}", vec![key; count].join(",")))
}

/// Answers that are wrong as HTTP, or never end.
fn wrong_as_http() -> Vec<Case> {
    const TOO_LARGE: &str = "more than 512 KiB";
    const TIMEOUT: &str = "no whole answer in time";
    let drip = Duration::from_millis(200);
    vec![
        case("ten_mebibytes", Answer::big(10 << 20), TOO_LARGE),
        case("in_chunks", Answer::big(10 << 20).chunked(), TOO_LARGE),
        case("endless", Answer::endless(), TOO_LARGE),
        case("endless_head", Answer::endless_head(), ""),
        case("drip", good_set().drip(drip), TIMEOUT),
        case("drip_in_chunks", good_set().chunked().drip(drip), TIMEOUT),
        case("silence", Answer::silence(), TIMEOUT),
        case("too_late", good_set().after(COOLDOWN * 3), TIMEOUT),
        case("cut_off", Answer::cut_off(), ""),
        case(
            "cut_in_chunks",
            good_set().with("Transfer-Encoding", "chunked"),
            "",
        ),
        case(
            "two_lengths",
            good_set()
                .with("Content-Length", "9")
                .with("Content-Length", "12"),
            "",
        ),
        case(
            "huge_length",
            good_set().with("Content-Length", "18446744073709551615"),
            "",
        ),
        case("no_length", good_set().with("Content-Length", "-1"), ""),
        case("garbage", Answer::garbage(), ""),
        case("gzip_bomb", Answer::gzip_bomb(), "compressed"),
        case(
            "unsaid_gzip",
            Answer::bytes([0x1f, 0x8b, 8, 0, 0xff]),
            "no text",
        ),
        case(
            "brotli",
            good_set().with("Content-Encoding", "br"),
            "compressed",
        ),
    ]
}

/// Answers whose status says that there is no set.
fn of_other_status() -> Vec<Case> {
    vec![
        case(
            "redirect",
            Answer::redirect("/elsewhere"),
            "302, a redirect",
        ),
        case("no_content", Answer::status(204), "204"),
        case("part", Answer::status(206), "206"),
        case("unmodified", Answer::status(304), "304"),
        case("unauthorized", Answer::status(401), "401"),
        case("forbidden", Answer::status(403), "403"),
        case("not_found", Answer::status(404), "404"),
        case("gone", Answer::status(410), "410"),
        case(
            "too_many",
            Answer::status(429).with("Retry-After", "0"),
            "429",
        ),
        case("broken", Answer::status(500), "500"),
        case("unavailable", Answer::status(503), "503"),
        case("status_999", Answer::status(999), "999"),
    ]
}

/// Documents that hold no key.
fn wrong_as_a_set() -> Vec<Case> {
    const NONE: &str = "no usable key";
    let short = "{\"kty\":\"oct\"}";
    let key = tokens::p256().jwk("k1").to_string();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    vec![
        case("html", Answer::html(), NONE),
        case("nothing", text(""), NONE),
        case("null", text("null"), NONE),
        case("list", text("[]"), NONE),
        case("without_keys", text("{}"), NONE),
        case("keys_in_an_object", text("{\"keys\":{}}"), NONE),
        case("empty_set", text("{\"keys\":[]}"), NONE),
        case("half_of_it", text("{\"keys\":[{\"kty\":\"EC\""), NONE),
        case(
            "keys_twice",
            text(&format!("{{\"keys\":[{key}],\"keys\":[]}}")),
            NONE,
        ),
        case(
            "two_documents",
            text(&format!("{{\"keys\":[{key}]}}{{}}")),
            NONE,
        ),
        case("deep", text(&format!("{{\"keys\":[{deep}]}}")), NONE),
        case("no_usable_key", many(short, 3), NONE),
        case("nulls", many("null", 3), NONE),
        case("hundred_thousand", many("{}", 100_000), "100000 keys"),
        case(
            "hundred_thousand_long",
            many(short, 100_000),
            "more than 512 KiB",
        ),
        case("a_thousand_good_ones", many(&key, 1_000), "1000 keys"),
        case(
            "no_utf_8",
            Answer::bytes(*b"{\"keys\":[\"\xff\"]}"),
            "no text",
        ),
    ]
}

fn iss(name: &str) -> String {
    format!("https://{}.example", name.replace('_', "-"))
}

/// A gate with an issuer for each case, each of which has good keys first and the case's answer from then on.
fn gate_of(cases: &[Case], server: &KeyServer) -> Gate {
    let mut settings = settings("");
    for Case { name, .. } in cases {
        let path = format!("/{name}");
        server.answers(&path, good_set());
        let lines = format!("jwks_url = \"{}\"", server.url(&path));
        settings = settings.table(&issuer(name, &iss(name), &lines));
    }
    let gate = settings.start();
    wait_until_ready(&gate);
    for Case { name, answer, .. } in cases {
        assert_eq!(status(&gate, &token(&iss(name), "k1")), 200, "{name}");
        server.answers(&format!("/{name}"), answer.clone());
    }
    gate
}

/// Asks for a key that nobody has, at all issuers at once, so that each is fetched for again.
fn ask_for_a_new_key(gate: &Gate, cases: &[Case]) {
    thread::scope(|scope| {
        for Case { name, .. } in cases {
            scope.spawn(move || {
                let began = Instant::now();
                let answer = asking(&token(&iss(name), "new")).send(gate.main());
                assert_eq!(answer.status, 503, "{name}: {}", answer.text());
                assert!(answer.header("Retry-After").is_some(), "{name}");
                // At most as long as a fetch, and some time for a busy machine.
                assert!(began.elapsed() < Duration::from_secs(4), "{name}");
            });
        }
    });
}

fn last_good_keys_serve_on(cases: &[Case]) {
    let server = KeyServer::start();
    let began = Instant::now();
    let gate = gate_of(cases, &server);
    let cached: Vec<_> = cases
        .iter()
        .map(|case| token(&iss(case.name), "k1"))
        .collect();
    for token in &cached {
        assert_eq!(status(&gate, token), 200);
    }
    ask_for_a_new_key(&gate, cases);
    for (Case { name, cause, .. }, cached) in cases.iter().zip(&cached) {
        wait_for_failure(&gate, name, cause);
        assert_eq!(status(&gate, &token(&iss(name), "k1")), 200, "{name}");
        assert_eq!(status(&gate, cached), 200, "{name}");
    }
    assert_eq!(lacking(&gate), [""; 0]);
    // What answers well again is taken at the next demand.
    let rotated = json!({"keys": [tokens::second_p256().jwk("k2")]});
    for Case { name, .. } in cases {
        server.answers(&format!("/{name}"), Answer::json(&rotated));
    }
    for Case { name, .. } in cases {
        let new = token_by(tokens::second_p256(), &iss(name), "k2");
        let taken = wait::until(Duration::from_secs(5), || {
            (status(&gate, &new) == 200).then_some(())
        });
        assert!(taken.is_some(), "{name} {:?}", failures(&gate, name));
    }
    let cooldowns = began.elapsed().as_millis() / COOLDOWN.as_millis() + 1;
    for Case { name, .. } in cases {
        let count = server.count(&format!("/{name}"));
        assert!(count as u128 <= cooldowns, "{name}: {count} in {cooldowns}");
    }
    assert_eq!(server.count("/elsewhere"), 0);
    gate.assert_no_panic();
}

#[test]
fn s14_5_answers_that_are_wrong_as_http_take_no_keys_away() {
    last_good_keys_serve_on(&wrong_as_http());
}

#[test]
fn s14_5_answers_of_any_other_status_take_no_keys_away() {
    last_good_keys_serve_on(&of_other_status());
}

#[test]
fn s14_5_documents_that_hold_no_key_take_no_keys_away() {
    last_good_keys_serve_on(&wrong_as_a_set());
}

#[test]
fn s14_6_at_the_start_such_answers_leave_an_issuer_without_keys_and_let_it_recover() {
    let server = KeyServer::start();
    let cases = [wrong_as_http(), of_other_status(), wrong_as_a_set()].concat();
    let mut settings = settings("").table(&issuer(
        "healthy",
        "https://healthy.example",
        &format!("jwks_url = \"{}\"", server.url("/healthy")),
    ));
    server.answers("/healthy", good_set());
    for Case { name, answer, .. } in &cases {
        let path = format!("/{name}");
        server.answers(&path, answer.clone());
        let lines = format!("jwks_url = \"{}\"", server.url(&path));
        settings = settings.table(&issuer(name, &iss(name), &lines));
    }
    let gate = settings.start();
    for Case { name, cause, .. } in &cases {
        wait_for_failure(&gate, name, cause);
        assert_eq!(status(&gate, &token(&iss(name), "k1")), 503, "{name}");
    }
    assert_eq!(lacking(&gate).len(), cases.len());
    assert_eq!(status(&gate, &token("https://healthy.example", "k1")), 200);
    for Case { name, .. } in &cases {
        server.answers(&format!("/{name}"), good_set());
    }
    wait_until_ready(&gate);
    for Case { name, .. } in &cases {
        assert_eq!(status(&gate, &token(&iss(name), "k1")), 200, "{name}");
    }
    gate.assert_no_panic();
}

#[test]
fn s14_1_no_answer_costs_much_memory() {
    const MOST: u64 = 8 << 20;
    let key = tokens::p256().jwk("k1").to_string();
    let cases = [
        case("ten_mebibytes", Answer::big(10 << 20), ""),
        case("endless", Answer::endless(), ""),
        case("endless_head", Answer::endless_head(), ""),
        case("gzip_bomb", Answer::gzip_bomb(), ""),
        case("hundred_thousand", many("{}", 100_000), ""),
        case("a_thousand_good_ones", many(&key, 1_000), ""),
    ];
    let server = KeyServer::start();
    let gate = gate_of(&cases, &server);
    let before = gate.rss_bytes();
    let highest = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            for Case { name, .. } in &cases {
                assert_eq!(status(&gate, &token(&iss(name), "new")), 503, "{name}");
                wait_for_failure(&gate, name, "");
                assert_eq!(status(&gate, &token(&iss(name), "k1")), 200, "{name}");
            }
        });
        let mut highest = 0;
        while !asking.is_finished() {
            highest = gate.rss_bytes().max(highest);
            thread::park_timeout(Duration::from_millis(1));
        }
        asking.join().expect("asking does not panic");
        highest
    });
    let more = highest.saturating_sub(before);
    assert!(more < MOST, "{more} bytes more than {before}");
}

#[test]
fn s14_3_a_provider_that_fails_is_asked_no_more_often_than_the_cooldown_allows() {
    let server = KeyServer::start();
    for path in ["/down", "/cold"] {
        server.answers(path, Answer::status(500));
    }
    server.answers("/down", good_set());
    let mut settings = settings("");
    for name in ["down", "cold"] {
        let lines = format!("jwks_url = \"{}\"", server.url(&format!("/{name}")));
        settings = settings.table(&issuer(name, &iss(name), &lines));
    }
    let began = Instant::now();
    let gate = settings.start();
    wait_for_fetches(&gate, "down", "ok", 1);
    server.answers("/down", Answer::status(500));
    let end = began + COOLDOWN * 5 / 2;
    thread::scope(|scope| {
        for name in ["down", "cold", "down", "cold"] {
            let gate = &gate;
            scope.spawn(move || {
                while Instant::now() < end {
                    assert_eq!(status(gate, &token(&iss(name), "new")), 503);
                }
            });
        }
        while Instant::now() < end {
            assert_eq!(status(&gate, &token(&iss("down"), "k1")), 200);
        }
    });
    let cooldowns = began.elapsed().as_millis() / COOLDOWN.as_millis() + 1;
    for path in ["/down", "/cold"] {
        let count = server.count(path) as u128;
        assert!(
            (2..=cooldowns).contains(&count),
            "{path}: {count} in {cooldowns}"
        );
    }
}
