//! Fetched keys on disk: a restart while the provider is down, and what is not believed of a file.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::fetched::{
    issuer, key_status, lacking, settings, status, token, token_by, wait_for_failure,
    wait_for_fetches, wait_until_ready,
};
use crate::harness::{Answer, Gate, KeyServer, Settings, tokens, wait};

const ISS: &str = "https://idp.example";

/// A folder for keys that outlives its gates.
struct State(TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    fn file(&self, issuer: &str) -> PathBuf {
        self.0.path().join(format!("{issuer}.keys.json"))
    }

    fn settings(&self, more: &str) -> Settings {
        settings(&format!(
            "state_dir = \"{}\"\n{more}",
            self.0.path().display()
        ))
    }

    /// A gate with the issuer `idp`, whose set is under `/jwks`.
    fn gate(&self, server: &KeyServer, more: &str) -> Gate {
        self.settings(more)
            .table(&with_jwks("idp", ISS, server))
            .start()
    }

    /// Lets a gate fetch the keys and keep them.
    fn fill(&self, server: &KeyServer) {
        let gate = self.gate(server, "");
        wait_until_ready(&gate);
        wait_for_file(&self.file("idp"), "k1");
    }
}

fn with_jwks(name: &str, iss: &str, server: &KeyServer) -> String {
    let lines = format!("jwks_url = \"{}\"", server.url("/jwks"));
    issuer(name, iss, &lines)
}

/// A key server with the key `k1`.
fn key_server() -> KeyServer {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    server
}

/// Waits until a file holds this text.
fn wait_for_file(file: &Path, part: &str) {
    let found = wait::until(Duration::from_secs(10), || {
        let text = fs::read_to_string(file).ok()?;
        text.contains(part).then_some(())
    });
    assert!(found.is_some(), "{} does not hold {part}", file.display());
}

fn change(file: &Path, change: impl Fn(&str) -> String) {
    let text = fs::read_to_string(file).expect("the file is there");
    fs::write(file, change(&text)).expect("the file can be written");
}

#[test]
fn s14_6_a_restart_while_the_provider_is_down_serves_from_disk() {
    let state = State::new();
    let server = key_server();
    state.fill(&server);
    server.go_down();
    let gate = state.gate(&server, "");
    // From the first request on.
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    assert_eq!(lacking(&gate), [""; 0]);
    wait_for_failure(&gate, "idp", "Connection refused");
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    assert_eq!(
        status(&gate, &token_by(tokens::second_p256(), ISS, "k1")),
        401
    );
    let known = key_status(&gate, "idp");
    assert_eq!(known["state"], "stale");
    drop(gate);
    // The failed fetch has taken nothing from the disk either.
    let gate = state.gate(&server, "");
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    server.publishes(&[tokens::second_p256().jwk("k2")]);
    server.come_back();
    let taken = wait::until(Duration::from_secs(5), || {
        (status(&gate, &token_by(tokens::second_p256(), ISS, "k2")) == 200).then_some(())
    });
    assert!(taken.is_some(), "{}", gate.output());
    wait_for_file(&state.file("idp"), "k2");
    assert_ne!(status(&gate, &token(ISS, "k1")), 200);
}

#[test]
fn s14_6_keys_found_by_metadata_are_kept_too() {
    let state = State::new();
    let server = key_server();
    let start = || {
        state
            .settings("")
            .table(&issuer("idp", &server.issuer(), ""))
            .start()
    };
    let gate = start();
    wait_until_ready(&gate);
    wait_for_file(&state.file("idp"), "k1");
    drop(gate);
    server.go_down();
    let gate = start();
    assert_eq!(status(&gate, &token(&server.issuer(), "k1")), 200);
}

#[test]
fn the_file_is_for_the_service_alone_and_nothing_else_is_left() {
    let state = State::new();
    let server = key_server();
    state.fill(&server);
    let facts = fs::metadata(state.file("idp")).expect("the file is there");
    assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(state.0.path()).expect("a folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

/// A kept file that is changed like this is not used, and the log says so; a good fetch mends it.
fn is_not_used(name: &str, spoil: impl Fn(&State)) {
    let state = State::new();
    let server = key_server();
    state.fill(&server);
    spoil(&state);
    server.go_down();
    let gate = state.gate(&server, "");
    wait_for_fetches(&gate, "idp", "failed", 1);
    assert_eq!(status(&gate, &token(ISS, "k1")), 503, "{name}");
    assert_eq!(lacking(&gate), ["issuer.idp"], "{name}");
    let told = gate.records("keys that were kept on disk are not used");
    assert_eq!(told.len(), 1, "{name}:\n{}", gate.output());
    assert_eq!(told[0]["issuer.name"], "idp");
    server.come_back();
    wait_until_ready(&gate);
    assert_eq!(status(&gate, &token(ISS, "k1")), 200, "{name}");
    gate.assert_no_panic();
}

#[test]
fn a_kept_file_that_is_torn_changed_or_none_is_not_used() {
    let text_is = |name, spoil: fn(&str) -> String| {
        is_not_used(name, |state| change(&state.file("idp"), spoil));
    };
    thread::scope(|scope| {
        scope.spawn(|| text_is("torn", |text| text[..text.len() / 2].to_owned()));
        scope.spawn(|| text_is("empty", |_| String::new()));
        scope.spawn(|| text_is("longer", |text| format!("{text}{text}")));
        scope.spawn(|| text_is("changed", |text| text.replace("k1", "k2")));
        scope.spawn(|| {
            text_is("of another version", |text| {
                text.replace("\"version\":1", "\"version\":2")
            });
        });
    });
}

#[test]
fn a_kept_file_that_others_may_have_made_is_not_used() {
    thread::scope(|scope| {
        scope.spawn(|| {
            is_not_used("writable", |state| {
                let mode = fs::Permissions::from_mode(0o666);
                fs::set_permissions(state.file("idp"), mode).expect("the file is ours");
            });
        });
        scope.spawn(|| {
            is_not_used("no UTF-8", |state| {
                fs::write(state.file("idp"), [0xff, 0xfe, 0]).expect("a writable file");
            });
        });
        scope.spawn(|| {
            is_not_used("a link", |state| {
                let elsewhere = state.0.path().join("elsewhere");
                fs::rename(state.file("idp"), &elsewhere).expect("the folder is ours");
                symlink(&elsewhere, state.file("idp")).expect("the folder is ours");
            });
        });
    });
}

#[test]
fn the_kept_file_of_another_issuer_is_not_used() {
    is_not_used("of another issuer", |state| {
        let other = KeyServer::start();
        other.publishes(&[tokens::second_p256().jwk("k1")]);
        let gate = state
            .settings("")
            .table(&with_jwks("other", "https://other.example", &other))
            .start();
        wait_until_ready(&gate);
        wait_for_file(&state.file("other"), "k1");
        drop(gate);
        fs::rename(state.file("other"), state.file("idp")).expect("the folder is ours");
    });
}

#[test]
fn keys_that_were_kept_of_another_address_are_not_used() {
    let state = State::new();
    let (one, two) = (key_server(), key_server());
    state.fill(&one);
    two.go_down();
    let gate = state.gate(&two, "");
    wait_for_fetches(&gate, "idp", "failed", 1);
    assert_eq!(status(&gate, &token(ISS, "k1")), 503);
    drop(gate);
    // Whoever goes back to the old address while that is down, too, still has its keys.
    one.go_down();
    let gate = state.gate(&one, "");
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
}

/// The file with another moment at which its keys were known to be current, and the right checksum.
fn aged(file: &Path, seconds: i64) {
    change(file, |text| {
        let mut envelope: Value = serde_json::from_str(text).expect("JSON");
        let content = envelope["content"].as_str().expect("text");
        let mut content: Value = serde_json::from_str(content).expect("JSON");
        let at = content["documents"][0]["checked_at"].as_i64();
        content["documents"][0]["checked_at"] = json!(at.expect("a time") - seconds);
        let content = content.to_string();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, content.as_bytes());
        envelope["sha256"] = tokens::encode(digest.as_ref()).into();
        envelope["content"] = content.into();
        envelope.to_string()
    });
}

#[test]
fn s14_5_kept_keys_that_are_too_old_are_not_used() {
    let state = State::new();
    let server = key_server();
    state.fill(&server);
    server.go_down();
    let file = state.file("idp");
    let kept = fs::read_to_string(&file).expect("the file is there");
    // Almost too old: they serve, and stop when they get so.
    aged(&file, 58);
    let began = Instant::now();
    let gate = state.gate(&server, "max_stale = \"1m\"");
    let known = token(ISS, "k1");
    assert_eq!(status(&gate, &known), 200);
    let stopped = wait::until(Duration::from_secs(8), || {
        (status(&gate, &known) == 503).then_some(())
    });
    assert!(stopped.is_some(), "they serve for ever");
    assert!(began.elapsed() > Duration::from_millis(500));
    drop(gate);
    // Too old from the start.
    fs::write(&file, kept).expect("a writable file");
    aged(&file, 62);
    let gate = state.gate(&server, "max_stale = \"1m\"");
    wait_for_fetches(&gate, "idp", "failed", 1);
    assert_eq!(status(&gate, &known), 503);
    assert_eq!(lacking(&gate), ["issuer.idp"]);
}

#[test]
fn a_restart_compares_what_was_kept_with_what_is_there() {
    let state = State::new();
    let server = KeyServer::start();
    let set = json!({"keys": [tokens::p256().jwk("k1")]});
    server.answers("/jwks", Answer::json(&set).with_etag("\"v1\""));
    state.fill(&server);
    let gate = state.gate(&server, "");
    wait_for_fetches(&gate, "idp", "ok", 1);
    let seen = server.seen("/jwks");
    assert_eq!(seen[1].header("If-None-Match"), Some("\"v1\""));
    assert_eq!(seen[1].status, Some(304));
    assert_eq!(status(&gate, &token(ISS, "k1")), 200);
    assert_eq!(key_status(&gate, "idp")["state"], "current");
}

#[test]
fn a_folder_that_cannot_keep_keys_safely_is_a_fault() {
    let server = key_server();
    for (name, mode) in [("others", 0o777), ("group", 0o770), ("sticky", 0o1777)] {
        let state = State::new();
        fs::set_permissions(state.0.path(), fs::Permissions::from_mode(mode)).expect("ours");
        let settings = state.settings("").table(&with_jwks("idp", ISS, &server));
        let output = settings.try_start().err().expect("a fault").output;
        assert!(output.contains("keys.state_dir"), "{name}: {output}");
    }
    for folder in ["/nowhere/at/all", "{dir}/jwtgate.toml"] {
        let settings =
            settings(&format!("state_dir = \"{folder}\"")).table(&with_jwks("idp", ISS, &server));
        let output = settings.try_start().err().expect("a fault").output;
        assert!(output.contains("keys.state_dir"), "{folder}: {output}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_folder_that_goes_away_costs_no_key() {
    let state = State::new();
    let server = key_server();
    let gate = state.gate(&server, "");
    wait_until_ready(&gate);
    wait_for_file(&state.file("idp"), "k1");
    fs::remove_dir_all(state.0.path()).expect("the folder is ours");
    server.publishes(&[tokens::p256().jwk("k1"), tokens::second_p256().jwk("k2")]);
    let new = token_by(tokens::second_p256(), ISS, "k2");
    let taken = wait::until(Duration::from_secs(5), || {
        (status(&gate, &new) == 200).then_some(())
    });
    assert!(taken.is_some(), "{}", gate.output());
    assert!(gate.wait_for_line("fetched keys cannot be kept on disk"));
    fs::create_dir(state.0.path()).expect("the place is ours");
}

#[test]
fn a_file_is_kept_in_its_folder_whatever_the_issuer_is_called() {
    let server = key_server();
    for name in [
        "\"../escaped\"",
        "\"/tmp/escaped\"",
        "\"a/b\"",
        "\"..\"",
        "\"\"",
    ] {
        let state = State::new();
        let outside = fs::canonicalize(state.0.path()).expect("a folder");
        let outside = outside
            .parent()
            .expect("a parent")
            .join("escaped.keys.json");
        let settings = state.settings("").table(&with_jwks(name, ISS, &server));
        if let Ok(gate) = settings.try_start() {
            wait_until_ready(&gate);
            wait_for_fetches(&gate, "", "ok", 1);
        }
        assert!(!outside.exists(), "{name}");
    }
}
