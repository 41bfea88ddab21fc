//! An answer that is not written for any one protocol yet: a status, header lines, a body.

use std::borrow::Cow;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

/// An answer to a request that does not pass, or that asked for something else than a check.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// Header lines, names in small letters. A name may stand there again.
    pub headers: Vec<(&'static str, Bytes)>,
    /// The body; empty where there is none.
    pub body: Bytes,
}

impl Reply {
    /// An answer without headers and body.
    pub(super) const fn new(status: StatusCode) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header line.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        let value = match value.into() {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        };
        self.headers.push((name, value));
        self
    }

    /// Adds a header line that stands ready.
    pub(super) fn with_line(mut self, name: &'static str, value: &Bytes) -> Self {
        self.headers.push((name, value.clone()));
        self
    }

    /// Adds a body, and what kind of text it is.
    pub(super) fn with_body(self, content_type: &'static str, body: String) -> Self {
        let mut reply = self.with("content-type", content_type);
        reply.body = Bytes::from(body);
        reply
    }

    /// The answer over HTTP. The body is left out by the server where the request was a `HEAD`.
    #[must_use]
    pub fn over_http(self) -> HttpResponse {
        let mut response = HttpResponse::with_body(self.status, self.body).map_into_boxed_body();
        for (name, value) in self.headers {
            // Whatever goes into a line is free of control characters; were it otherwise, the line is left out, never cut.
            if let Ok(value) = HeaderValue::from_maybe_shared(value) {
                response
                    .headers_mut()
                    .append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
