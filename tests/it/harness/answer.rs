//! What a scripted server answers: well-formed, hostile, slow, or nothing at all.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};

use super::bomb;

/// An answer to one path, built up piece by piece.
#[derive(Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    etag: Option<String>,
    delay: Duration,
    drip: Option<Duration>,
    manner: Manner,
}

/// How an answer goes out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Head and body, as HTTP wants it.
    Proper,
    /// The same, with the body in chunks.
    Chunked,
    /// Chunks without an end.
    Endless,
    /// Header lines without an end.
    EndlessHead,
    /// Nothing at all.
    Silent,
    /// The body alone.
    Bare,
    /// Head and body, and the connection closed as if more had been to come.
    CutOff,
}

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// The next request may come.
    KeepOpen,
    Close,
    /// Without a word, as when a server dies.
    Drop,
    /// Nothing more will ever be said on it, but it stays open.
    StaySilent,
}

/// Waits, and tells whether the server is still up afterwards.
pub(crate) type Pause<'a> = &'a dyn Fn(Duration) -> bool;

impl Answer {
    pub(crate) fn json(document: &Value) -> Self {
        Self::text(&document.to_string(), "application/json")
    }

    pub(crate) fn text(text: &str, content_type: &str) -> Self {
        Self::bytes(text).with("Content-Type", content_type)
    }

    /// Status 200 and this body, without a content type.
    pub(crate) fn bytes(body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..Self::status(200)
        }
    }

    /// A status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            etag: None,
            delay: Duration::ZERO,
            drip: None,
            manner: Manner::Proper,
        }
    }

    pub(crate) fn redirect(url: &str) -> Self {
        Self::status(302).with("Location", url)
    }

    /// What a captive portal or a proxy that wants a login puts in the place of a document.
    pub(crate) fn html() -> Self {
        Self::text(
            "<!doctype html><title>Sign in</title><form method=post><input name=user></form>",
            "text/html; charset=utf-8",
        )
    }

    /// A key set without keys, padded with white space to this many bytes.
    pub(crate) fn big(bytes: usize) -> Self {
        Self::json(&json!({"keys": []})).padded_to(bytes)
    }

    /// Takes the request and never answers.
    pub(crate) fn silence() -> Self {
        Self::status(200).in_manner(Manner::Silent)
    }

    /// A JSON document without an end, as fast as the client takes it.
    pub(crate) fn endless() -> Self {
        Self::text("{\"keys\":[", "application/json").in_manner(Manner::Endless)
    }

    /// Header lines without an end, as fast as the client takes them.
    pub(crate) fn endless_head() -> Self {
        Self::status(200).in_manner(Manner::EndlessHead)
    }

    /// The beginning of a document; the connection closes before the rest of it.
    pub(crate) fn cut_off() -> Self {
        Self::text("{\"keys\":[", "application/json")
            .with("Content-Length", "4096")
            .in_manner(Manner::CutOff)
    }

    /// Not HTTP at all.
    pub(crate) fn garbage() -> Self {
        Self::bytes("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\0\x01\x02\r\n\r\n").in_manner(Manner::Bare)
    }

    /// 100 KiB that become 105 MB.
    pub(crate) fn gzip_bomb() -> Self {
        Self::bytes(bomb::zeros_in_gzip())
            .with("Content-Type", "application/json")
            .with("Content-Encoding", "gzip")
    }

    /// Adds a header line. Content-Length may be given to lie about it; "Connection: close" is kept.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Names the version of the document, with its quotes. A client that has it already gets 304 and no body.
    pub(crate) fn with_etag(mut self, tag: &str) -> Self {
        self.etag = Some(tag.to_owned());
        self.with("ETag", tag)
    }

    /// White space behind a document, until it has this many bytes.
    pub(crate) fn padded_to(mut self, bytes: usize) -> Self {
        assert!(self.body.len() <= bytes, "the document is longer than that");
        self.body.resize(bytes, b' ');
        self
    }

    /// Sends the body in chunks, so that no Content-Length tells how long it will be.
    pub(crate) fn chunked(self) -> Self {
        self.in_manner(Manner::Chunked)
    }

    /// Waits before the answer.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends the head at once and then one byte of the body each interval.
    pub(crate) fn drip(mut self, interval: Duration) -> Self {
        self.drip = Some(interval);
        self
    }

    fn in_manner(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }

    /// The answer to a request with these versions in If-None-Match.
    pub(crate) fn for_versions(mut self, known: Option<&str>) -> Self {
        if let (Some(etag), Some(known)) = (&self.etag, known)
            && known.split(',').any(|tag| tag.trim() == etag)
        {
            self.status = 304;
            self.body.clear();
        }
        self
    }

    /// `None` where the answer has no status line of its own.
    pub(crate) fn status_code(&self) -> Option<u16> {
        match self.manner {
            Manner::Silent | Manner::Bare => None,
            Manner::Proper
            | Manner::Chunked
            | Manner::Endless
            | Manner::EndlessHead
            | Manner::CutOff => Some(self.status),
        }
    }

    /// Sends the answer. Errors are the client's affair: it went away, or the server did.
    pub(crate) fn send(
        &self,
        method: &str,
        to: &mut dyn Write,
        pause: Pause,
    ) -> io::Result<Afterwards> {
        if !self.delay.is_zero() && !pause(self.delay) {
            return Ok(Afterwards::Drop);
        }
        match self.manner {
            Manner::Silent => return Ok(Afterwards::StaySilent),
            Manner::Bare => {
                to.write_all(&self.body)?;
                to.flush()?;
                return Ok(Afterwards::Close);
            }
            Manner::EndlessHead => return self.send_endless_head(to),
            Manner::Proper | Manner::Chunked | Manner::Endless | Manner::CutOff => {}
        }
        let has_body = method != "HEAD" && self.status != 304;
        to.write_all(&self.head(has_body))?;
        to.flush()?;
        if has_body {
            self.send_body(to, pause)?;
        }
        Ok(if self.manner == Manner::CutOff {
            Afterwards::Drop
        } else if self.says("Connection", "close") {
            Afterwards::Close
        } else {
            Afterwards::KeepOpen
        })
    }

    fn head(&self, has_body: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Scripted\r\n", self.status);
        for (name, value) in &self.headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let length = self.body.len().to_string();
        if has_body && self.is_chunked() {
            head.push_str("Transfer-Encoding: chunked\r\n");
        } else if has_body && !self.has("Content-Length") {
            head.extend(["Content-Length: ", &length, "\r\n"]);
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn send_body(&self, to: &mut dyn Write, pause: Pause) -> io::Result<()> {
        match self.drip {
            None => self.send_piece(to, &self.body)?,
            Some(interval) => {
                for byte in &self.body {
                    self.send_piece(to, &[*byte])?;
                    if !pause(interval) {
                        return Err(io::ErrorKind::ConnectionAborted.into());
                    }
                }
            }
        }
        if self.manner == Manner::Endless {
            let filler = [b' '; 16 * 1024];
            loop {
                self.send_piece(to, &filler)?;
            }
        }
        if self.is_chunked() {
            to.write_all(b"0\r\n\r\n")?;
        }
        to.flush()
    }

    fn send_piece(&self, to: &mut dyn Write, piece: &[u8]) -> io::Result<()> {
        if !self.is_chunked() {
            to.write_all(piece)?;
        } else if !piece.is_empty() {
            // In one write, because a packet for each part would wait for the client's acknowledgements.
            let size = format!("{:x}\r\n", piece.len());
            to.write_all(&[size.as_bytes(), piece, b"\r\n"].concat())?;
        }
        to.flush()
    }

    fn send_endless_head(&self, to: &mut dyn Write) -> io::Result<Afterwards> {
        write!(to, "HTTP/1.1 {} Scripted\r\n", self.status)?;
        let filler = "X-Filler: there is always one more header line\r\n".repeat(100);
        loop {
            to.write_all(filler.as_bytes())?;
            to.flush()?;
        }
    }

    fn is_chunked(&self) -> bool {
        matches!(self.manner, Manner::Chunked | Manner::Endless)
    }

    fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    fn says(&self, name: &str, value: &str) -> bool {
        self.headers
            .iter()
            .any(|(key, said)| key.eq_ignore_ascii_case(name) && said.eq_ignore_ascii_case(value))
    }
}
