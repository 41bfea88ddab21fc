//! Issuers that publish their keys: how they are configured, what their tokens are, and what operators see of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::text;
use super::tokens::{self, AUDIENCE, Key};
use super::{Gate, Request, Settings, wait};

/// Longer than anything takes that a test waits for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Settings with the shortest cooldown there is, and a fetch that may take as long; `more` are lines of `[keys]`.
pub(crate) fn settings(more: &str) -> Settings {
    Settings::empty().table(&format!(
        "[keys]\ncooldown = \"1s\"\nfetch_timeout = \"1s\"\n{more}"
    ))
}

/// A table of an issuer. `lines` tell where its keys are; else its metadata does.
pub(crate) fn issuer(name: &str, iss: &str, lines: &str) -> String {
    format!("[issuers.{name}]\nissuer = \"{iss}\"\naudience = \"{AUDIENCE}\"\n{lines}")
}

/// An issuer's token that no other is equal to, signed with [`tokens::p256`].
pub(crate) fn token(iss: &str, kid: &str) -> String {
    token_by(tokens::p256(), iss, kid)
}

/// The same, signed with another key on P-256.
pub(crate) fn token_by(key: &Key, iss: &str, kid: &str) -> String {
    key.sign_kid("ES256", kid, &claims(iss))
}

/// The claims of a token that no other is equal to.
pub(crate) fn claims(iss: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    tokens::claims_with(&json!({"iss": iss, "jti": number.to_string()}))
}

/// A request with this token.
pub(crate) fn asking(token: &str) -> Request {
    Request::get("/verify").bearer(token).timeout(PATIENCE)
}

/// What a token is answered.
pub(crate) fn status(gate: &Gate, token: &str) -> u16 {
    asking(token).send(gate.main()).status
}

/// What `/readyz` lacks; empty: it is ready.
pub(crate) fn lacking(gate: &Gate) -> Vec<String> {
    let answer = Request::get("/readyz").send(gate.admin());
    let names = serde_json::from_value(answer.json()["lacking"].clone());
    let names: Vec<String> = names.expect("a list of names");
    assert_eq!(answer.status, if names.is_empty() { 200 } else { 503 });
    names
}

/// Waits until nothing is lacking.
pub(crate) fn wait_until_ready(gate: &Gate) {
    wait_until_lacking(gate, &[]);
}

/// Waits until exactly this is lacking.
pub(crate) fn wait_until_lacking(gate: &Gate, names: &[&str]) {
    let found = wait::until(PATIENCE, || (lacking(gate) == names).then_some(()));
    assert!(
        found.is_some(),
        "{:?} is lacking and not {names:?}:\n{}",
        lacking(gate),
        gate.output()
    );
}

/// The sum of all whole numbers of a metric whose labels hold every one of `labels`.
pub(crate) fn metric(gate: &Gate, name: &str, labels: &[&str]) -> u64 {
    let is_of_name = |line: &&str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(['{', ' ']))
    };
    Request::get("/metrics")
        .send(gate.admin())
        .text()
        .lines()
        .filter(is_of_name)
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// How many fetches for an issuer had this result, `ok` or `failed`.
pub(crate) fn fetches(gate: &Gate, issuer: &str, result: &str) -> u64 {
    let labels = [
        format!("issuer=\"{issuer}\""),
        format!("result=\"{result}\""),
    ];
    metric(gate, "jwtgate_key_fetches_total", &[&labels[0], &labels[1]])
}

/// Waits until so many fetches for an issuer had this result.
pub(crate) fn wait_for_fetches(gate: &Gate, issuer: &str, result: &str, count: u64) {
    let found = wait::until(PATIENCE, || {
        (fetches(gate, issuer, result) >= count).then_some(())
    });
    assert!(
        found.is_some(),
        "{issuer}: {} fetches with the result {result}, not {count}:\n{}",
        fetches(gate, issuer, result),
        gate.output()
    );
}

/// What `/keys` says of an issuer.
pub(crate) fn key_status(gate: &Gate, issuer: &str) -> Value {
    let answer = Request::get("/keys").send(gate.admin()).json();
    let all = answer["issuers"].as_array().expect("a list");
    let found = all.iter().find(|status| status["issuer"] == issuer);
    found.expect("the issuer is listed").clone()
}

/// Why fetches for an issuer failed so far, as the log has it.
pub(crate) fn failures(gate: &Gate, issuer: &str) -> Vec<String> {
    gate.records("keys cannot be fetched")
        .iter()
        .filter(|record| record["issuer.name"] == issuer)
        .map(|record| text(record, "error"))
        .collect()
}

/// Waits for a failure of an issuer's fetches that names this cause.
pub(crate) fn wait_for_failure(gate: &Gate, issuer: &str, cause: &str) {
    let found = wait::until(PATIENCE, || {
        let all = failures(gate, issuer);
        all.iter().any(|error| error.contains(cause)).then_some(())
    });
    assert!(
        found.is_some(),
        "{issuer}: {cause:?} is not in {:#?}",
        failures(gate, issuer)
    );
}
