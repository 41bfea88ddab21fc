//! `/explain` of the admin listener: what the running service would answer to a request now, and why. Nothing is counted, cached or
//! logged, and the token is never part of the answer.

use std::net::IpAddr;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::config::TokenSource;
use crate::gate::{Credential, State, extract, story};
use crate::reason::Reason;
use crate::request::{GivenLines, Original, RawToken, RequestView};

use super::Service;
use super::forwarded::{checked_method, split_url};

/// A request, and perhaps a token that stands for its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    #[serde(default)]
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    source: Option<IpAddr>,
    token: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What the running service would answer.
///
/// # Errors
/// Why the question cannot be understood.
pub(super) fn answer(service: &Service, body: &[u8]) -> Result<serde_json::Value, &'static str> {
    let question: Question = serde_json::from_slice(body).map_err(|_| {
        "expected JSON with `url`, and perhaps `method`, `headers` (a list of pairs), `source` and `token`"
    })?;
    let live = service.live.load();
    // What is looked up here must not stay in the cache, nor be answered from it.
    let state = State {
        cache: None,
        ..live.gate.clone()
    };
    told(&question, state).map_err(Reason::meaning)
}

fn told(question: &Question, mut state: State) -> Result<serde_json::Value, Reason> {
    let lines = question.headers.iter();
    let lines = lines.map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    let headers = GivenLines(lines.collect());
    let original = if question.url.is_empty() {
        // Without a request nobody can say what the rules would.
        state.policy = std::sync::Arc::default();
        Original::UNSTATED
    } else {
        Original {
            method: checked_method(&question.method)?,
            states_method: true,
            ..split_url(&question.url)?
        }
    };
    let request = RequestView {
        headers: &headers,
        original,
        source: question.source,
    };
    let presented = match question.token.as_ref().filter(|token| !token.is_empty()) {
        Some(token) => {
            let token = RawToken::new(token.trim().as_bytes());
            Ok(Credential::new(token, TokenSource::Header))
        }
        None => extract::extract(&state.extract, &request),
    };
    Ok(story::tell(&state, &request, presented, Timestamp::now()).json(&state))
}
