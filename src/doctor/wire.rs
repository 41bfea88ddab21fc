//! HTTP/1 as bytes: heads and bodies, read without judging them.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

/// The most that a head takes, of either side. Proxies let about as much pass.
const MAX_HEAD: usize = 256 * 1024;

/// A start line and header lines, in their order and spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) start: String,
    pub(super) lines: Vec<(String, String)>,
}

impl Head {
    /// All values of a header, whatever its case.
    pub(super) fn values<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h str> {
        values(&self.lines, name)
    }

    /// The words of the start line.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.start.split(' ')
    }

    /// How the body is framed.
    pub(super) fn framing(&self) -> Framing {
        let is_chunked = self
            .values("transfer-encoding")
            .any(|value| value.to_ascii_lowercase().contains("chunked"));
        if is_chunked {
            return Framing::Chunked;
        }
        let length = self.values("content-length").next();
        match length.map(str::parse) {
            Some(Ok(length)) => Framing::Length(length),
            Some(Err(_)) | None => Framing::None,
        }
    }
}

/// All values of a header among some lines, whatever its case.
pub(super) fn values<'h>(
    lines: &'h [(String, String)],
    name: &'h str,
) -> impl Iterator<Item = &'h str> {
    lines
        .iter()
        .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Chunked,
    Length(usize),
    /// An answer ends with its connection, and a request has no body.
    None,
}

/// The next head; `None` where the connection ends before one.
pub(super) async fn read_head<R: AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<Head>> {
    let mut room = MAX_HEAD;
    let Some(start) = read_line(reader, &mut room).await? else {
        return Ok(None);
    };
    let mut head = Head {
        start,
        lines: Vec::new(),
    };
    loop {
        let line = read_line(reader, &mut room)
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(Some(head));
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        head.lines.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// The body, of which `keep` bytes are kept; the rest is not waited for.
pub(super) async fn read_body<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    framing: Framing,
    keep: usize,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => {
            let mut part = reader.take(length.min(keep) as u64);
            part.read_to_end(&mut body).await?;
        }
        Framing::None => {
            reader.take(keep as u64).read_to_end(&mut body).await?;
        }
        Framing::Chunked => {
            let mut room = MAX_HEAD.saturating_add(keep);
            while body.len() < keep {
                let size = read_line(reader, &mut room).await?.unwrap_or_default();
                let size = size.split(';').next().unwrap_or_default().trim();
                let size =
                    usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
                if size == 0 {
                    // What follows is a trailer, or nothing.
                    while read_line(reader, &mut room)
                        .await?
                        .is_some_and(|line| !line.is_empty())
                    {}
                    break;
                }
                let wanted = size.min(keep.saturating_sub(body.len()));
                (&mut *reader)
                    .take(wanted as u64)
                    .read_to_end(&mut body)
                    .await?;
                read_line(reader, &mut room).await?;
            }
        }
    }
    Ok(body)
}

/// A line without its end; `None` at the end of the connection.
async fn read_line<R: AsyncBufRead + Unpin>(
    reader: &mut R,
    room: &mut usize,
) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = (&mut *reader)
        .take(*room as u64)
        .read_until(b'\n', &mut bytes)
        .await?;
    *room = room.saturating_sub(read);
    match bytes.pop() {
        None => Ok(None),
        Some(b'\n') => {
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
        }
        Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn a_head_keeps_order_spelling_and_repetition() {
        let mut bytes = &b"GET /a\\b HTTP/1.1\r\nX_Auth-User: a\r\nx-auth-user:  b \r\nX-AUTH-USER:\r\n\r\nrest"[..];
        let head = block(read_head(&mut bytes))
            .expect("it is whole")
            .expect("it is there");
        assert_eq!(head.words().nth(1), Some("/a\\b"));
        assert_eq!(head.values("X-Auth-User").collect::<Vec<_>>(), ["b", ""]);
        assert_eq!(
            head.lines.first().map(|line| line.0.as_str()),
            Some("X_Auth-User")
        );
        assert_eq!(bytes, b"rest");
    }

    #[test]
    fn what_is_cut_off_or_no_http_is_an_error_and_an_end_is_none() {
        assert!(block(read_head(&mut &b""[..])).expect("an end").is_none());
        for text in [
            "HTTP/1.1 200 OK\r\nA: b\r\n",
            "HTTP/1.1 200",
            "a\r\nb\r\n\r\n",
        ] {
            assert!(block(read_head(&mut text.as_bytes())).is_err(), "{text:?}");
        }
        let endless = format!("a\r\nb: {}\r\n\r\n", "x".repeat(MAX_HEAD));
        assert!(block(read_head(&mut endless.as_bytes())).is_err());
    }

    #[test]
    fn bodies_end_where_their_framing_says_and_are_kept_up_to_a_limit() {
        let body = |framing, bytes: &str, keep| {
            let read = block(read_body(&mut bytes.as_bytes(), framing, keep));
            read.map(|body| String::from_utf8_lossy(&body).into_owned())
                .map_err(|error| error.kind())
        };
        assert_eq!(body(Framing::Length(3), "abcdef", 10), Ok("abc".to_owned()));
        assert_eq!(body(Framing::Length(6), "abcdef", 2), Ok("ab".to_owned()));
        assert_eq!(body(Framing::None, "abcdef", 10), Ok("abcdef".to_owned()));
        let chunks = "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: t\r\n\r\n";
        assert_eq!(body(Framing::Chunked, chunks, 10), Ok("abcde".to_owned()));
        assert_eq!(body(Framing::Chunked, chunks, 4), Ok("abcd".to_owned()));
        assert!(body(Framing::Chunked, "zz\r\n", 4).is_err());
    }
}
