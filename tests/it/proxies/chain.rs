//! Client → proxy → gate and application.

use serde_json::Value;

use crate::harness::proxies::{Edits, Extent, Kind, Proxy};
use crate::harness::upstream::{Upstream, echoed_headers};
use crate::harness::{Connection, Gate, Request, Response, Settings, ports};

use super::table::{self, Cell, Outcome};

/// What every test of the table asks about: a place for each kind of decision.
const RULES: &str = r#"
    [[rules]]
    action = "deny"
    path_prefix = "/admin"
    [[rules]]
    action = "require"
    path_prefix = "/members"
    require = { groups = "members" }
    [[rules]]
    action = "public"
    preflight = true
    path_prefix = "/api"
    [[rules]]
    action = "public"
    path_prefix = "/public"
    [[rules]]
    action = "require"
    path_prefix = "/"
    "#;

pub(super) struct Chain {
    pub(super) kind: Kind,
    pub(super) proxy: Proxy,
    pub(super) app: Upstream,
    pub(super) gate: Gate,
}

impl Chain {
    /// `None` where the proxy is not installed.
    pub(super) fn start(kind: Kind) -> Option<Self> {
        Self::start_with(kind, Extent::Full, settings(), &[])
    }

    pub(super) fn start_with(
        kind: Kind,
        extent: Extent,
        settings: Settings,
        edits: Edits<'_>,
    ) -> Option<Self> {
        let app = Upstream::start();
        // Not any port: when this gate is killed, another test's must not be given the same one.
        let gate = kind.asks_on(settings, ports::free(), app.port()).start();
        let proxy = Proxy::start_with(kind, extent, kind.door(&gate), app.port(), edits)?;
        Some(Self {
            kind,
            proxy,
            app,
            gate,
        })
    }

    pub(super) fn open(&self) -> Connection {
        Connection::open(self.proxy.address()).expect("the proxy listens")
    }

    /// What becomes of a request.
    #[track_caller]
    pub(super) fn ask(&self, request: &Request) -> Asked {
        let before = self.app.served();
        let answer = request.send(self.proxy.address());
        let arrived = self.app.served() - before;
        let kind = self.kind;
        // Whatever else goes wrong, this must never.
        assert_eq!(
            arrived,
            usize::from(answer.status == 200),
            "behind {kind:?} {request:?} came to the application {arrived} times: {answer:?}"
        );
        for name in ["X-Auth-User", "X-Auth-Email", "X-Auth-Groups"] {
            assert!(
                answer.values(name).is_empty(),
                "{kind:?} tells the client {name}"
            );
        }
        Asked { answer }
    }

    /// Asks, and holds what becomes of it against the table.
    #[track_caller]
    pub(super) fn shows(&self, cell: Cell, request: &Request) -> Asked {
        let expected = table::expected(cell, self.kind);
        let asked = self.ask(request);
        let found = asked.outcome(expected);
        assert_eq!(
            found,
            format!("{expected:?}"),
            "{cell:?} behind {:?}: {request:?}{:?}",
            self.kind,
            asked.answer
        );
        asked
    }

    /// The request passes, and this is what the application saw of it.
    #[track_caller]
    pub(super) fn reached(&self, request: &Request) -> Value {
        let asked = self.ask(request);
        assert_eq!(
            asked.answer.status, 200,
            "behind {:?} {request:?}: {:?}",
            self.kind, asked.answer
        );
        asked.answer.json()
    }

    #[track_caller]
    pub(super) fn refused(&self, request: &Request, status: u16) -> Response {
        let answer = self.ask(request).answer;
        assert_eq!(
            answer.status, status,
            "behind {:?} {request:?}: {answer:?}",
            self.kind
        );
        answer
    }
}

/// What became of a request.
pub(super) struct Asked {
    pub(super) answer: Response,
}

impl Asked {
    /// In the words of the table. That the target is another one counts where the row says so.
    pub(super) fn outcome(&self, expected: Outcome) -> String {
        match (expected, self.target()) {
            (Outcome::PassesAs(_), Some(target)) => format!("PassesAs({target:?})"),
            (_, Some(_)) => "Passes".to_owned(),
            (_, None) => format!("Refused({})", self.answer.status),
        }
    }

    /// The request target that the application saw.
    pub(super) fn target(&self) -> Option<String> {
        let passed = self.answer.status == 200;
        passed.then(|| {
            let echo = self.answer.json();
            echo["target"].as_str().unwrap_or_default().to_owned()
        })
    }
}

/// The gate of the chains.
pub(super) fn settings() -> Settings {
    Settings::hmac()
        .top(
            "cookie_name = \"auth_token\"\n\
             param_name = \"auth_token\"\n\
             auth_url = \"https://auth.example.com/login\"\n\
             public_url = \"http://app.example.com\"\n\
             return_hosts = [\"http://app.example.com\"]",
        )
        .table(RULES)
}

pub(super) fn get(target: &str) -> Request {
    Request::get(target)
}

/// The application sees Alice and nobody else, once, whatever a client sent.
#[track_caller]
pub(super) fn shows_alice(echo: &Value, context: &str) {
    for (name, value) in [
        ("X-Auth-User", "alice"),
        ("X-Auth-Email", "alice@example.com"),
        ("X-Auth-Groups", "dev,ops"),
    ] {
        assert_eq!(echoed_headers(echo, name), [value], "{name}: {context}");
    }
}

/// A name as an application reads it that sees headers as CGI variables.
pub(super) fn folded(name: &str) -> String {
    let fold = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() => letter.to_ascii_lowercase(),
        _ => '-',
    };
    name.chars().map(fold).collect()
}

/// The header lines of an echo, with folded names.
pub(super) fn folded_headers(echo: &Value) -> Vec<(String, String)> {
    let headers = echo["headers"].as_array().expect("the echo lists headers");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    headers
        .iter()
        .map(|header| (folded(&text(&header[0])), text(&header[1])))
        .collect()
}
