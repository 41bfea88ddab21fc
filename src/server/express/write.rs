//! Answers as bytes (RFC 9112 §4).

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant, UNIX_EPOCH};

use actix_web::http::StatusCode;

use crate::clock::Timestamp;
use crate::gate::Permit;
use crate::server::live::{Live, Service};
use crate::server::reply::Reply;
use crate::server::respond;

/// Where the answer to one request is written, behind those to the ones before it.
pub(super) struct Written<'o> {
    service: &'o Service,
    output: &'o RefCell<Vec<u8>>,
    /// Where it begins: what a failed attempt left there is written over.
    start: usize,
    /// When the request was read.
    now: Instant,
}

impl<'o> Written<'o> {
    pub(super) fn new(service: &'o Service, output: &'o RefCell<Vec<u8>>, now: Instant) -> Self {
        let start = output.borrow().len();
        Self {
            service,
            output,
            start,
            now,
        }
    }

    /// The request may pass.
    pub(super) fn pass(&self, live: &Live, permit: &Permit) {
        let is_whole = self.write(respond::ALLOWED, |out| {
            let mut are_fit = true;
            let is_whole = respond::each_identity_line(live, permit, |name, value| {
                are_fit &= is_fit(value);
                line(out, name.as_str().as_bytes(), value);
            });
            line(out, b"cache-control", b"no-store");
            out.extend_from_slice(b"content-length: 0\r\n");
            is_whole && are_fit
        });
        if !is_whole {
            self.reply(&respond::internal());
        }
    }

    /// It may not, or not yet.
    pub(super) fn reply(&self, reply: &Reply) {
        self.write(reply.status, |out| {
            for (name, value) in &reply.headers {
                // Whatever goes into a line is free of control characters; were it otherwise, the line is left out, never cut.
                if is_fit(value) {
                    line(out, name.as_bytes(), value);
                }
            }
            line(
                out,
                b"content-length",
                reply.body.len().to_string().as_bytes(),
            );
            true
        });
        self.output.borrow_mut().extend_from_slice(&reply.body);
    }

    fn write(&self, status: StatusCode, lines: impl FnOnce(&mut Vec<u8>) -> bool) -> bool {
        let mut output = self.output.borrow_mut();
        let out = &mut *output;
        out.truncate(self.start);
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        let reason = status.canonical_reason().unwrap_or_default();
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(b"\r\n");
        let is_whole = lines(out);
        // While the service drains, every answer is the last one of its connection.
        if self.service.is_draining() {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"date: ");
        out.extend_from_slice(&date(self.now));
        out.extend_from_slice(b"\r\n\r\n");
        is_whole
    }
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Whether this may stand in a line (RFC 9110 §5.5). All bytes are looked at, which is how a compiler can look at many at once.
fn is_fit(value: &[u8]) -> bool {
    let is_unfit = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    !value
        .iter()
        .fold(false, |found, &byte| found | is_unfit(byte))
}

/// The length of a date in a header (RFC 9110 §5.6.7).
const DATE: usize = "Sun, 06 Nov 1994 08:49:37 GMT".len();

/// The date at this moment, looked at twice a second.
fn date(now: Instant) -> [u8; DATE] {
    const EVERY: Duration = Duration::from_millis(500);
    thread_local! {
        static WRITTEN: Cell<Option<(Instant, [u8; DATE])>> = const { Cell::new(None) };
    }
    if let Some((since, text)) = WRITTEN.get()
        && now.saturating_duration_since(since) < EVERY
    {
        return text;
    }
    let seconds = u64::try_from(Timestamp::now().seconds()).unwrap_or_default();
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
    let text = text.as_bytes().first_chunk().copied();
    let text = text.unwrap_or([b' '; DATE]);
    WRITTEN.set(Some((now, text)));
    text
}
