//! A gate that is shown one token after another.

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::http::{Request, Response};
use super::key_server::KeyServer;
use super::process::Gate;
use super::settings::Settings;
use super::tokens;

/// A gate whose refusals are counted, so that the reason of each can be read in its log.
pub(crate) struct Judge {
    gate: Gate,
    header: Option<&'static str>,
    refusals: Cell<usize>,
}

impl Judge {
    pub(crate) fn of(settings: Settings) -> Self {
        Self {
            gate: settings.start(),
            header: None,
            refusals: Cell::new(0),
        }
    }

    /// Shows tokens bare in this header, instead of behind `Authorization: Bearer`.
    pub(crate) fn in_header(self, name: &'static str) -> Self {
        Self {
            header: Some(name),
            ..self
        }
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The token passes, as this user.
    #[track_caller]
    pub(crate) fn passes(&self, token: &str, user: &str) {
        let answer = self.send(token);
        if answer.status != 200 {
            let reason = self.gate.reason(self.refusals.get() + 1);
            panic!("{} instead of a pass: {reason}", answer.status);
        }
        assert_eq!(answer.header("X-Auth-User"), Some(user));
    }

    /// The token is refused for this reason.
    #[track_caller]
    pub(crate) fn refuses(&self, token: &str, reason: &str) {
        let answer = self.send(token);
        let user = answer.header("X-Auth-User");
        assert_ne!(answer.status, 200, "passes as {user:?}, not {reason}");
        assert_eq!(user, None);
        self.refusals.set(self.refusals.get() + 1);
        assert_eq!(self.gate.reason(self.refusals.get()), reason);
        let status = match reason {
            "identity.username" => 403,
            "key.pending" | "key.unavailable" => 503,
            _ => 401,
        };
        assert_eq!(answer.status, status, "{reason}");
    }

    /// What the log says of the last refusal.
    pub(crate) fn last_refusal(&self) -> Value {
        let refusals = self.gate.refusals(self.refusals.get());
        refusals.last().expect("a refusal").clone()
    }

    fn send(&self, token: &str) -> Response {
        // On a busy machine the keys may be long in coming.
        let request = Request::get("/verify").timeout(Duration::from_secs(30));
        match self.header {
            None => request.bearer(token),
            Some(name) => request.header(name, token),
        }
        .send(self.gate.main())
    }
}

/// Claims of a token that was made a moment ago and lasts an hour.
pub(crate) fn fresh(claims: &Value) -> Value {
    let now = tokens::now();
    but(
        &json!({"iat": now - 5, "nbf": now - 5, "exp": now + 3600}),
        claims,
    )
}

/// The claims with some of them replaced; `null` in the changes takes a claim out.
pub(crate) fn but(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().expect("the changes are an object") {
        if value.is_null() {
            let members = claims.as_object_mut().expect("claims are an object");
            members.remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

/// Publishes these keys with metadata that names this issuer, wherever the server really is.
pub(crate) fn publisher_for(issuer: &str, keys: &[Value]) -> KeyServer {
    let server = KeyServer::start();
    server.publishes(keys);
    let metadata = but(&server.metadata(), &json!({"issuer": issuer}));
    server.answers(
        "/.well-known/openid-configuration",
        Answer::json(&metadata).with("Cache-Control", "public, max-age=3600"),
    );
    server
}

/// `[keys]` for a gate that asks again soon, and waits long where the machine is busy.
pub(crate) const PACE: &str = "[keys]\ncooldown = \"1s\"\nfetch_timeout = \"20s\"";

/// The address of that metadata.
pub(crate) fn metadata_of(server: &KeyServer) -> String {
    server.url("/.well-known/openid-configuration")
}
