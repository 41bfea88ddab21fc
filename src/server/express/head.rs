//! Is this a check of the plainest form?

use std::mem::MaybeUninit;
use std::net::SocketAddr;

use httparse::{Header, Request, Status};

use crate::request::HeaderLines;
use crate::server::asked::{Asked, Lines, SEPARATORS};
use crate::server::handlers::check::Check;
use crate::server::routes::Hot;

/// As many lines as actix reads.
pub(super) const MAX_LINES: usize = 96;

/// Room for the lines of a head.
pub(super) type Room<'b> = [MaybeUninit<Header<'b>>; MAX_LINES];

/// What the bytes of a connection begin with.
pub(super) enum Recognized<'h, 'b> {
    /// Part of a head, or nothing yet.
    Part,
    /// A check, whole.
    Check(Head<'h, 'b>),
    /// Anything else.
    Other,
}

/// The head of a check.
#[derive(Clone, Copy)]
pub(super) struct Head<'h, 'b> {
    pub(super) check: Check,
    /// In bytes.
    pub(super) length: usize,
    path: &'b str,
    query: Option<&'b str>,
    lines: HeadLines<'h, 'b>,
}

/// Its header lines.
#[derive(Clone, Copy)]
pub(super) struct HeadLines<'h, 'b>(&'h [Header<'b>]);

/// A head that is kept while something is waited for, so that it is parsed once.
pub(super) struct KeptHead<'b> {
    check: Check,
    /// In bytes.
    pub(super) length: usize,
    path: &'b str,
    query: Option<&'b str>,
    lines: Box<[Header<'b>]>,
}

/// A GET over HTTP/1.1, of a path that is answered in the lane, without a body, an upgrade, or a wish about the connection. The parser is
/// the one that actix uses.
pub(super) fn recognize<'h, 'b>(
    bytes: &'b [u8],
    room: &'h mut Room<'b>,
    hot: Hot,
) -> Recognized<'h, 'b> {
    let mut request = Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, room) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Recognized::Part,
        // It will tell what is wrong.
        Err(_) => return Recognized::Other,
    };
    let Some(target) = request
        .path
        .filter(|_| request.method == Some("GET") && request.version == Some(1))
    else {
        return Recognized::Other;
    };
    // Caddy leaves the question mark. A query that holds something is parsed elsewhere.
    let (path, query) = match target.strip_suffix('?') {
        Some(path) => (path, Some("")),
        None => (target, None),
    };
    let lines = HeadLines(request.headers);
    match hot(path) {
        Some(check) if lines.are_plain() => Recognized::Check(Head {
            check,
            length,
            path,
            query,
            lines,
        }),
        _ => Recognized::Other,
    }
}

impl HeadLines<'_, '_> {
    /// Whether there is one host (RFC 9112 §3.2), and no line says anything about bodies and connections but that this one is kept.
    fn are_plain(self) -> bool {
        let mut hosts = 0;
        let are_plain = self.0.iter().all(|line| {
            let is = |name: &str| line.name.eq_ignore_ascii_case(name);
            match line.name.len() {
                4 if is("host") => {
                    hosts += 1;
                    true
                }
                6 => !is("expect"),
                7 => !is("upgrade"),
                10 if is("connection") => line.value.eq_ignore_ascii_case(b"keep-alive"),
                14 => !is("content-length"),
                17 => !is("transfer-encoding"),
                _ => true,
            }
        });
        are_plain && hosts == 1
    }
}

impl<'b> KeptHead<'b> {
    /// The head again.
    pub(super) fn head(&self) -> Head<'_, 'b> {
        Head {
            check: self.check,
            length: self.length,
            path: self.path,
            query: self.query,
            lines: HeadLines(&self.lines),
        }
    }
}

impl<'h, 'b> Head<'h, 'b> {
    /// The same, to be kept.
    pub(super) fn kept(&self) -> KeptHead<'b> {
        KeptHead {
            check: self.check,
            length: self.length,
            path: self.path,
            query: self.query,
            lines: self.lines.0.into(),
        }
    }

    /// The same for whoever judges it.
    pub(super) fn asked(&self, peer: Option<SocketAddr>) -> Asked<'_, HeadLines<'h, 'b>> {
        Asked {
            method: "GET",
            path: self.path,
            query: self.query,
            headers: &self.lines,
            peer,
            client: None,
        }
    }
}

impl HeaderLines for HeadLines<'_, '_> {
    fn lines<'l>(&'l self, name: &str) -> impl Iterator<Item = &'l [u8]> {
        let named = self.0.iter();
        named
            .filter(move |line| line.name.eq_ignore_ascii_case(name))
            .map(|line| line.value)
    }
}

impl Lines for HeadLines<'_, '_> {
    fn bytes(&self) -> usize {
        let lines = self.0.iter();
        lines
            .map(|line| line.name.len() + line.value.len() + SEPARATORS)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::handlers::check::VERIFY;

    fn recognized(text: &str) -> Option<(usize, Option<&'static str>)> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_LINES];
        let hot: Hot = |path| (path == "/verify").then_some(VERIFY);
        match recognize(text.as_bytes(), &mut room, hot) {
            Recognized::Check(head) => Some((head.length, head.query.map(|_| "?"))),
            Recognized::Part => Some((0, None)),
            Recognized::Other => None,
        }
    }

    #[test]
    fn only_the_plainest_form_is_answered_here() {
        let whole = |line: &str, lines: &str| format!("{line}\r\nHost: a\r\n{lines}\r\n");
        for text in [
            whole("GET /verify HTTP/1.1", ""),
            whole(
                "GET /verify HTTP/1.1",
                "Connection: Keep-Alive\r\nX-Original-URL: /a\r\n",
            ),
        ] {
            assert_eq!(recognized(&text), Some((text.len(), None)), "{text}");
            let next = text.clone() + "GET /";
            assert_eq!(recognized(&next), Some((text.len(), None)), "{next}");
            for length in 0..text.len() {
                assert_eq!(recognized(&text[..length]), Some((0, None)));
            }
        }
        let caddy = whole("GET /verify? HTTP/1.1", "");
        assert_eq!(recognized(&caddy), Some((caddy.len(), Some("?"))));
        for (line, lines) in [
            ("HEAD /verify HTTP/1.1", ""),
            ("POST /verify HTTP/1.1", ""),
            ("get /verify HTTP/1.1", ""),
            ("GET /verify HTTP/1.0", ""),
            ("GET /verify?a=b HTTP/1.1", ""),
            ("GET /verify/ HTTP/1.1", ""),
            ("GET //verify HTTP/1.1", ""),
            ("GET /Verify HTTP/1.1", ""),
            ("GET /sign-in HTTP/1.1", ""),
            ("GET http://a/verify HTTP/1.1", ""),
            ("GET /verify HTTP/1.1", "Host: a\r\n"),
            ("GET /verify HTTP/1.1", "hOST: b\r\n"),
            ("GET /verify HTTP/1.1", "Content-Length: 0\r\n"),
            ("GET /verify HTTP/1.1", "content-length: 5\r\n"),
            ("GET /verify HTTP/1.1", "Transfer-Encoding: chunked\r\n"),
            ("GET /verify HTTP/1.1", "Expect: 100-continue\r\n"),
            ("GET /verify HTTP/1.1", "Upgrade: websocket\r\n"),
            ("GET /verify HTTP/1.1", "Connection: close\r\n"),
            (
                "GET /verify HTTP/1.1",
                "Connection: keep-alive, X-Auth-User\r\n",
            ),
            ("GET /verify HTTP/1.1", "no colon\r\n"),
            ("GET /verify HTTP/1.1", " folded: x\r\n"),
            ("GET /verify HTTP/1.1", "a b: x\r\n"),
            ("GET /verify HTTP/1.1", "a: \u{1}\r\n"),
        ] {
            let text = whole(line, lines);
            assert_eq!(recognized(&text), None, "{text:?}");
        }
        assert_eq!(
            recognized("GET /verify HTTP/1.1\r\nX-Host: a\r\n\r\n"),
            None
        );
        let many = whole("GET /verify HTTP/1.1", &"a: b\r\n".repeat(MAX_LINES));
        assert_eq!(recognized(&many), None);
        assert_eq!(recognized("\x16\x03\x01\x02"), None, "TLS");
    }

    #[test]
    fn lines_are_found_whatever_their_case() {
        let text =
            "GET /verify HTTP/1.1\r\nHost: h\r\nCookie: a\r\ncookie:  b \r\nX-Cookie: c\r\n\r\n";
        let mut room = [const { MaybeUninit::uninit() }; MAX_LINES];
        let Recognized::Check(head) = recognize(text.as_bytes(), &mut room, |_| Some(VERIFY))
        else {
            panic!("it is a check");
        };
        let asked = head.asked(None);
        let cookies: Vec<_> = asked.headers.lines("cookie").collect();
        assert_eq!(cookies, [&b"a"[..], b"b"]);
        assert!(asked.headers.has("x-cookie") && !asked.headers.has("origin"));
        assert_eq!(asked.headers.bytes(), 4 + 1 + 6 + 1 + 6 + 1 + 8 + 1 + 16);
    }
}
