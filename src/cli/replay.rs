//! `check --against`: what would become of recorded requests, and what would change. `check --token`: who a token is.

use std::io::BufRead as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::gate::State;
use crate::gate::story::{Supposed, suppose};
use crate::jose::Claims;
use crate::request::{GivenLines, Original, RequestView};
use crate::server::forwarded::{checked_method, split_url};

use super::{inspect, print};

/// A request as it was recorded: one line of JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded<'l> {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    source: Option<std::net::IpAddr>,
    /// The claims of its token, where it had a good one.
    #[serde(borrow)]
    claims: Option<&'l RawValue>,
    /// The name of the issuer of its token in the configuration.
    issuer: Option<String>,
    /// What was answered: `allowed` or `denied`.
    result: Option<Answer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Allowed,
    Denied,
}

impl Answer {
    const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

fn get() -> String {
    "GET".to_owned()
}

/// How often what came out.
#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    allowed: u64,
    denied: u64,
    changed: u64,
}

/// Replays recorded requests, prints what would change (unless it is wanted as JSON), and tells whether anything would.
pub(super) fn against(file: &Path, gate: &State, as_json: bool) -> anyhow::Result<(bool, Value)> {
    let opened =
        std::fs::File::open(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut tally = Tally::default();
    let mut changes = Vec::new();
    for (index, line) in std::io::BufReader::new(opened).lines().enumerate() {
        let number = index + 1;
        let line = line.with_context(|| format!("cannot read line {number}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let recorded: Recorded<'_> = serde_json::from_str(&line).map_err(|error| {
            anyhow::anyhow!(
                "line {number} of `{}` is no recorded request: column {}\n  hint: {{\"method\":\"GET\",\"url\":\"https://app.example.com/a\",\"claims\":{{…}},\"result\":\"allowed\"}}; `headers` (a list of pairs), `source` and `issuer` may stand beside them",
                file.display(),
                error.column()
            )
        })?;
        let supposed = replay(&recorded, gate).with_context(|| format!("line {number}"))?;
        let now = if supposed.reason.is_none() {
            Answer::Allowed
        } else {
            Answer::Denied
        };
        tally.requests += 1;
        match now {
            Answer::Allowed => tally.allowed += 1,
            Answer::Denied => tally.denied += 1,
        }
        if recorded.result.is_some_and(|then| then != now) {
            tally.changed += 1;
            changes.push(change(number, &recorded, now, &supposed));
        }
    }
    if !as_json {
        report(&tally, &changes);
    }
    let told = json!({
        "requests": tally.requests,
        "allowed": tally.allowed,
        "denied": tally.denied,
        "changes": changes,
    });
    Ok((tally.changed > 0, told))
}

fn report(tally: &Tally, changes: &[Value]) {
    for change in changes {
        let text = |name: &str| {
            change
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or("-")
                .to_owned()
        };
        print::data(format_args!(
            "line {}: {} {} was {}, would be {} ({}, by {})",
            change.get("line").unwrap_or(&Value::Null),
            print::printable(&text("method")),
            print::printable(&text("url")),
            text("was"),
            text("would_be"),
            text("reason"),
            text("rule"),
        ));
    }
    let Tally {
        requests,
        allowed,
        denied,
        changed,
    } = tally;
    print::data(format_args!(
        "{requests} recorded requests: {allowed} would pass, {denied} would not; {changed} of them otherwise than recorded"
    ));
}

fn change(line: usize, recorded: &Recorded<'_>, now: Answer, supposed: &Supposed) -> Value {
    json!({
        "line": line,
        "method": recorded.method,
        // A token may stand behind the question mark.
        "url": recorded.url.split('?').next(),
        "was": recorded.result.map(Answer::word),
        "would_be": now.word(),
        "reason": supposed.reason.map(crate::reason::Reason::code),
        "rule": supposed.rule,
    })
}

fn replay(recorded: &Recorded<'_>, gate: &State) -> anyhow::Result<Supposed> {
    let lines = recorded.headers.iter();
    let lines = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let headers = GivenLines(lines.collect());
    let original =
        split_url(&recorded.url).map_err(|reason| anyhow::anyhow!("the URL: {}", reason.code()))?;
    let request = RequestView {
        headers: &headers,
        original: Original {
            method: checked_method(&recorded.method)
                .map_err(|reason| anyhow::anyhow!("the method: {}", reason.code()))?,
            states_method: true,
            ..original
        },
        source: recorded.source,
    };
    let claims = recorded
        .claims
        .map(|claims| Claims::parse(claims.get().as_bytes()))
        .transpose()
        .context("`claims` is no JSON object")?;
    let claims = claims
        .as_ref()
        .map(|claims| (recorded.issuer.as_deref(), claims));
    Ok(suppose(gate, &request, claims, Timestamp::now()))
}

/// Prints who a token is by this configuration (unless it is wanted as JSON): the identity headers. Signature and time are not asked for.
/// Tells whether there is an identity.
pub(super) fn identity(token: &str, gate: &State, as_json: bool) -> anyhow::Result<(bool, Value)> {
    let Ok((_, claims)) = inspect::parts(token) else {
        bail!("the token cannot be read\n  hint: `jwtgate inspect` tells more");
    };
    let text = claims.to_string();
    let claims = Claims::parse(text.as_bytes())?;
    let state = State {
        policy: std::sync::Arc::default(),
        ..gate.clone()
    };
    let headers = GivenLines::default();
    let request = RequestView {
        headers: &headers,
        original: Original::UNSTATED,
        source: None,
    };
    let supposed = suppose(&state, &request, Some((None, &claims)), Timestamp::now());
    let headers: serde_json::Map<String, Value> = supposed
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().into()))
        .collect();
    let told = json!({
        "headers": headers,
        "reason": supposed.reason.map(crate::reason::Reason::code),
        "detail": supposed.detail,
    });
    match supposed.reason {
        _ if as_json => {}
        Some(reason) => print::data(format_args!(
            "the token gives no identity: {}\n  {}\n  detail:   {}\n  hint:     {}\n",
            reason.code(),
            reason.meaning(),
            supposed.detail.as_deref().unwrap_or("-"),
            reason.hint()
        )),
        None => {
            print::data(
                "identity headers of the token, whose signature and time were not asked for:",
            );
            for (name, value) in &supposed.headers {
                print::data(format_args!("  {name}: {value}"));
            }
            print::data("");
        }
    }
    Ok((supposed.reason.is_none(), told))
}
