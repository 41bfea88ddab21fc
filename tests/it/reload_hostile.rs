//! Reloading, seen by somebody who wants it to go wrong: a half or an empty configuration must not drop a rule, and what was replaced must
//! not count for somebody else.

use std::fs::{self, File};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::tokens::{self, AUDIENCE, SECRET};
use crate::harness::{Answer, Gate, KeyServer, Request, Settings, wait};

const WAIT: Duration = Duration::from_mins(1);
const APPLIED: &str = "the configuration was reloaded";
const REFUSED: &str =
    "the configuration was not reloaded: the old one serves on until the errors above are mended";

fn status(gate: &Gate, token: &str) -> u16 {
    let request = Request::get("/verify").bearer(token);
    request.timeout(WAIT).send(gate.main()).status
}

fn wait_for(gate: &Gate, message: &str, count: usize) {
    let found = wait::until(WAIT, || {
        (gate.records(message).len() >= count).then_some(())
    });
    assert!(found.is_some(), "{message} x{count}\n{}", gate.output());
}

#[test]
fn s18_2_an_emptied_file_takes_no_rule_away_although_the_environment_has_the_keys() {
    let gate = Settings::empty()
        .top(&format!("expected_audience = \"{AUDIENCE}\""))
        .env("JWTGATE_SECRET", SECRET)
        .start();
    assert_eq!(status(&gate, &tokens::wrong_audience()), 401);
    fs::write(gate.folder().join("jwtgate.toml"), "").expect("writable");
    wait_for(&gate, REFUSED, 1);
    gate.signal("HUP");
    wait_for(&gate, REFUSED, 2);
    assert_eq!(status(&gate, &tokens::wrong_audience()), 401);
    assert_eq!(status(&gate, &tokens::good()), 200);
}

#[test]
fn s18_2_a_file_that_somebody_writes_slowly_is_read_when_it_is_whole() {
    let gate = Settings::hmac().start();
    let file = gate.folder().join("jwtgate.toml");
    let text = fs::read_to_string(&file).expect("the config is there");
    // What counts stands at the end, and what stands before it is a whole configuration.
    let (rule, rest) = text.split_once("\n[server]").expect("a table [server]");
    let without = format!("secret = \"{SECRET}\"\n");
    assert!(rule.contains("expected_audience"));
    // Whoever has taken a hang-up is watching.
    gate.signal("HUP");
    wait_for(&gate, APPLIED, 1);
    let mut writer = File::create(&file).expect("writable");
    writer.write_all(without.as_bytes()).expect("writable");
    writer.flush().expect("writable");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(status(&gate, &tokens::wrong_audience()), 401);
    }
    let end = format!("expected_audience = \"{AUDIENCE}\"\ncookie_name = \"c\"\n[server]{rest}");
    writer.write_all(end.as_bytes()).expect("writable");
    drop(writer);
    wait_for(&gate, APPLIED, 2);
    assert_eq!(status(&gate, &tokens::wrong_audience()), 401);
    assert_eq!(gate.records(APPLIED).len(), 2, "{}", gate.output());
}

#[test]
fn s18_4_a_busy_folder_keeps_no_change_from_being_seen() {
    let gate = Settings::hmac().start();
    let file = gate.folder().join("jwtgate.toml");
    let text = fs::read_to_string(&file).expect("the config is there");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // A log beside the configuration that is always open, and files that come and go.
        scope.spawn(|| {
            let mut log = File::create(gate.folder().join("app.log")).expect("writable");
            let (_never, pause) = mpsc::channel::<()>();
            while !is_over.load(Ordering::Relaxed) {
                log.write_all(b"a line\n").expect("writable");
                fs::write(gate.folder().join("passing"), "x").expect("writable");
                fs::remove_file(gate.folder().join("passing")).expect("writable");
                pause.recv_timeout(Duration::from_millis(20)).ok();
            }
        });
        fs::write(&file, text.replace(AUDIENCE, "another")).expect("writable");
        let found = wait::until(Duration::from_secs(25), || {
            (!gate.records(APPLIED).is_empty()).then_some(())
        });
        gate.signal("HUP");
        let asked = wait::until(WAIT, || (gate.records(APPLIED).len() >= 2).then_some(()));
        is_over.store(true, Ordering::Relaxed);
        assert!(found.is_some() && asked.is_some(), "{}", gate.output());
    });
    assert_eq!(status(&gate, &tokens::good()), 401);
}

#[test]
fn s18_4_a_replaced_key_counts_for_no_other_issuer_and_ends_when_the_overlap_does() {
    let settings = |issuer: &str, file: &str, overlap: &str| {
        format!(
            "[keys]\noverlap = \"{overlap}\"\n[issuers.partner]\nissuer = \"{issuer}\"\naudience = \"{AUDIENCE}\"\n\
             signing_certificate = \"{{dir}}/{file}\"\n"
        )
    };
    let gate = Settings::empty()
        .file("a.pem", tokens::p256().public_pem())
        .file("b.pem", tokens::second_p256().public_pem())
        .table(&settings("https://a", "a.pem", "1h"))
        .start();
    let folder = gate.folder().display().to_string();
    let file = gate.folder().join("jwtgate.toml");
    let text = fs::read_to_string(&file).expect("the config is there");
    let (head, _) = text.split_once("[keys]").expect("a table [keys]");
    let change = |issuer: &str, name: &str, overlap: &str, count: usize| {
        let table = settings(issuer, name, overlap).replace("{dir}", &folder);
        fs::write(&file, format!("{head}{table}")).expect("writable");
        wait_for(&gate, APPLIED, count);
    };
    let by_a = |iss: &str| tokens::p256().sign("ES256", &tokens::claims_with(&json!({"iss": iss})));
    assert_eq!(status(&gate, &by_a("https://a")), 200);
    change("https://b", "b.pem", "1h", 1);
    assert_eq!(
        status(&gate, &by_a("https://b")),
        401,
        "a key of another issuer"
    );
    change("https://a", "a.pem", "1h", 2);
    change("https://a", "b.pem", "1h", 3);
    assert_eq!(status(&gate, &by_a("https://a")), 200, "the overlap");
    change("https://a", "b.pem", "0s", 4);
    assert_eq!(
        status(&gate, &by_a("https://a")),
        401,
        "a key that has leaked"
    );
}

#[test]
fn s14_5_metadata_that_hangs_keeps_no_key_from_being_fetched() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"\nfetch_timeout = \"2s\"")
        .table(&format!(
            "[issuers.idp]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"",
            server.issuer()
        ))
        .start();
    let claims = || tokens::claims_with(&json!({"iss": server.issuer()}));
    let old = tokens::p256().sign_kid("ES256", "k1", &claims());
    assert_eq!(status(&gate, &old), 200);
    // One fetch that fails makes the gate ask for the metadata again.
    server.answers("/jwks", Answer::status(500));
    let new = || tokens::second_p256().sign_kid("ES256", "k2", &claims());
    assert_eq!(status(&gate, &new()), 503);
    server.publishes(&[tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")]);
    server.answers("/.well-known/openid-configuration", Answer::silence());
    let taken = wait::until(WAIT, || (status(&gate, &new()) == 200).then_some(()));
    assert!(taken.is_some(), "{}", gate.output());
}

#[test]
fn s14_4_a_token_that_names_no_key_may_be_signed_by_a_new_one_that_has_a_name() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let gate = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"")
        .table(&format!(
            "[issuers.idp]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"",
            server.issuer()
        ))
        .start();
    let claims = tokens::claims_with(&json!({"iss": server.issuer()}));
    assert_eq!(status(&gate, &tokens::p256().sign("ES256", &claims)), 200);
    server.publishes(&[tokens::second_p256().jwk("k2")]);
    let new = tokens::second_p256().sign("ES256", &claims);
    let taken = wait::until(WAIT, || (status(&gate, &new) == 200).then_some(()));
    assert!(taken.is_some(), "{}", gate.output());
}
