//! A gate with rules, behind a proxy and in front of an application, or alone.

use crate::harness::proxies::{Extent, Kind, Proxy};
use crate::harness::upstream::Upstream;
use crate::harness::{Address, Connection, Gate, Request, Response, Settings, tokens};

/// Words of the shipped nginx config and what stands there instead.
pub(super) type Edits = &'static [(&'static str, &'static str)];

pub(super) const SHIPPED: Edits = &[];

/// The other way to say the original request to `/verify`.
pub(super) const WITH_URI: Edits = &[(
    "proxy_set_header X-Original-URL    $scheme://$host$host_port$request_uri;",
    "proxy_set_header X-Original-URI $request_uri; proxy_set_header X-Forwarded-Proto $scheme; \
     proxy_set_header X-Forwarded-Host $host$host_port;",
)];

/// As ingress-nginx has it, and many a tutorial: the client's `Host` as it came within the URL, and a host of its own for the gate.
pub(super) const WITH_HOST_OF_CLIENT: Edits = &[
    (
        "proxy_set_header X-Original-URL    $scheme://$host$host_port$request_uri;",
        "proxy_set_header X-Original-URL    $scheme://$http_host$request_uri;",
    ),
    (
        "proxy_set_header Host              $host$host_port;",
        "proxy_set_header Host              gate.internal;",
    ),
];

pub(super) const DENIED: &str = "[[rules]]\naction = \"deny\"\npath_prefix = \"/admin\"\n";
pub(super) const REST: &str = "[[rules]]\naction = \"require\"\npath_prefix = \"/\"\n";

/// Client → proxy → gate and application.
pub(super) struct Chain {
    pub(super) proxy: Proxy,
    pub(super) app: Upstream,
    pub(super) gate: Gate,
}

impl Chain {
    /// `None` where nginx is not installed.
    pub(super) fn start(rules: &str, edits: Edits) -> Option<Self> {
        Self::start_with(Settings::hmac().table(rules), edits)
    }

    pub(super) fn start_with(settings: Settings, edits: Edits) -> Option<Self> {
        Self::behind(Kind::Nginx, settings, edits)
    }

    pub(super) fn behind(kind: Kind, settings: Settings, edits: Edits) -> Option<Self> {
        let app = Upstream::start();
        let gate = kind.asks_on(settings, 0, app.port()).start();
        let proxy = Proxy::start_with(kind, Extent::Full, kind.door(&gate), app.port(), edits)?;
        Some(Self { proxy, app, gate })
    }

    /// Whether these bytes make something arrive at the application. Its own count says so: not every answer can be read.
    pub(super) fn lets_pass(&self, request: &[u8]) -> bool {
        let before = self.app.served();
        let status = exchange(self.proxy.address(), request).map(|answer| answer.status);
        let has_arrived = self.app.served() > before;
        assert_eq!(
            status == Some(200),
            has_arrived,
            "{}",
            request.escape_ascii()
        );
        has_arrived
    }
}

pub(super) fn gate(rules: &str) -> Gate {
    Settings::hmac().table(rules).start()
}

/// Any bytes on a connection of their own; `None` where the answer is none of HTTP/1.
pub(super) fn exchange(to: &Address, request: &[u8]) -> Option<Response> {
    let mut connection = Connection::open(to).expect("it listens");
    connection.write(request).ok();
    connection.read_response("GET").ok()
}

/// A request with a good token, or without any.
pub(super) fn get(target: &[u8], has_token: bool) -> Vec<u8> {
    let token = if has_token {
        format!("Authorization: Bearer {}\r\n", tokens::good())
    } else {
        String::new()
    };
    let rest = format!(" HTTP/1.1\r\nHost: app.example.com\r\n{token}\r\n");
    [b"GET ", target, rest.as_bytes()].concat()
}

/// What the gate is asked without nginx: the target as Traefik and Caddy give it, and as nginx does in both of its ways.
pub(super) fn asked(target: &[u8], has_token: bool) -> Vec<Request> {
    let mut requests = vec![
        Request::get("/forward-auth").header("X-Forwarded-Uri", target),
        Request::get("/verify").header("X-Original-URI", target),
    ];
    // Behind a host, nothing else is a target.
    if target.starts_with(b"/") {
        let whole = [b"http://app.example.com", target].concat();
        requests.push(Request::get("/verify").header("X-Original-URL", whole));
    }
    if has_token {
        let token = tokens::good();
        let with_token = |request: Request| request.bearer(&token);
        requests = requests.into_iter().map(with_token).collect();
    }
    requests
}
