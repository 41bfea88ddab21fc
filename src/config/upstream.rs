//! `[upstream]`: jwtgate itself in front of one application, for pods and machines without a proxy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OneOrMany, Span};

/// jwtgate itself in front of one application: it asks itself, and passes on what may pass.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// Where clients come to, as in `server.listen`. Empty: off.
    #[schemars(example = &"0.0.0.0:8000")]
    pub listen: OneOrMany,
    /// The application: `http://HOST:PORT` or `unix:/PATH`.
    #[schemars(example = &"http://127.0.0.1:3000")]
    pub url: Option<String>,
    /// Take the token out of what is passed on, from the header, the cookie and the query.
    pub strip_token: bool,
    /// Headers of clients that are not passed on, beside the identity headers in every spelling: names by which applications believe other gates, or serve another path or method than the one that was judged. A `*` at the end stands for any ending.
    pub strip_headers: Vec<String>,
    /// How long the application may take to accept a connection.
    pub connect_timeout: Span,
    /// How long the application may be silent before its answer begins, from the last byte of the request.
    pub response_timeout: Span,
    /// How long a body or a WebSocket may be silent.
    pub idle_timeout: Span,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            listen: "".into(),
            url: None,
            strip_token: false,
            strip_headers: [
                "Remote-*",
                "X-Remote-*",
                "X-Auth-*",
                "X-Forwarded-User",
                "X-Forwarded-Email",
                "X-Forwarded-Groups",
                "X-Forwarded-Preferred-Username",
                "X-Forwarded-Access-Token",
                "X-Original-*",
                "X-Rewrite-URL",
                "X-Forwarded-Uri",
                "X-Forwarded-Path",
                "X-Forwarded-Prefix",
                "X-Forwarded-Method",
                "X-HTTP-Method",
                "X-HTTP-Method-Override",
                "X-Method-Override",
            ]
            .map(str::to_owned)
            .to_vec(),
            connect_timeout: Span::seconds(2),
            response_timeout: Span::seconds(60),
            idle_timeout: Span::seconds(5 * 60),
        }
    }
}
