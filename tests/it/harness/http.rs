//! A raw HTTP/1.1 client that sends exactly the bytes it is told to.

use std::fmt::{self, Display};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Header lines in their order, as bytes.
type Headers = Vec<(String, Vec<u8>)>;

/// Where a listener is.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

impl Address {
    /// Reads the form of the `listening` log line: `127.0.0.1:8080` or `unix:/run/jwtgate.sock`.
    pub(crate) fn parse(text: &str) -> Self {
        match text.strip_prefix("unix:") {
            Some(path) => Self::Unix(PathBuf::from(path)),
            None => Self::Tcp(
                text.trim_start_matches("tls:")
                    .parse()
                    .expect("a listening line names an address and a port"),
            ),
        }
    }

    pub(crate) fn local(port: u16) -> Self {
        Self::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    pub(crate) fn port(&self) -> u16 {
        match self {
            Self::Tcp(address) => address.port(),
            Self::Unix(path) => panic!("{} has no port", path.display()),
        }
    }
}

/// A request under construction. Headers go out in the order and with the bytes given.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    version: &'static str,
    headers: Headers,
    body: Vec<u8>,
    timeout: Duration,
}

impl Request {
    pub(crate) fn new(method: &str, target: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            target: target.into(),
            version: "HTTP/1.1",
            headers: vec![("Host".to_owned(), b"app.example.com".to_vec())],
            body: Vec::new(),
            timeout: TIMEOUT,
        }
    }

    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// Adds a header line; the same name may be added again.
    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn host(mut self, value: impl AsRef<[u8]>) -> Self {
        self.headers[0].1 = value.as_ref().to_vec();
        self
    }

    pub(crate) fn bearer(self, token: impl Display) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, pairs: impl Display) -> Self {
        self.header("Cookie", pairs.to_string())
    }

    /// What a browser sends when a person opens a page.
    pub(crate) fn page_load(self) -> Self {
        self.header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .header("Sec-Fetch-Mode", "navigate")
    }

    /// What the shipped nginx config says about the original request.
    pub(crate) fn original(self, method: &str, uri: &str) -> Self {
        self.header("X-Original-Method", method)
            .header("X-Original-URI", uri)
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "app.example.com")
    }

    /// What Traefik and Caddy say about the original request.
    pub(crate) fn forwarded(self, method: &str, uri: &str) -> Self {
        self.header("X-Forwarded-Method", method)
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "app.example.com")
            .header("X-Forwarded-Uri", uri)
    }

    pub(crate) fn http_1_0(mut self) -> Self {
        self.version = "HTTP/1.0";
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header_length()
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    fn header_length(self) -> Self {
        let length = self.body.len().to_string();
        self.header("Content-Length", length)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, to: &Address) -> Response {
        self.try_send(to).unwrap_or_else(|error| {
            panic!("{} {} got no answer: {error}", self.method, self.target)
        })
    }

    pub(crate) fn try_send(&self, to: &Address) -> io::Result<Response> {
        let mut connection = Connection::open_with(to, self.timeout)?;
        connection.send(self)
    }
}

/// As text; what is long is cut.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} {}", self.method, shortened(&self.target))?;
        write_message(formatter, &self.headers, &self.body)
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.status)?;
        write_message(formatter, &self.headers, &self.body)
    }
}

fn write_message(out: &mut fmt::Formatter<'_>, headers: &Headers, body: &[u8]) -> fmt::Result {
    for (name, value) in headers {
        writeln!(out, "  {name}: {}", shortened(&value.escape_ascii()))?;
    }
    writeln!(out, "  {}", shortened(&String::from_utf8_lossy(body)))
}

fn shortened(text: &impl Display) -> String {
    let text = text.to_string();
    match text.char_indices().nth(1000) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection that is kept between requests.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
}

impl Connection {
    pub(crate) fn open(to: &Address) -> io::Result<Self> {
        Self::open_with(to, TIMEOUT)
    }

    pub(crate) fn open_with(to: &Address, timeout: Duration) -> io::Result<Self> {
        let stream: Box<dyn Stream> = match to {
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, timeout)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Box::new(stream)
            }
            Address::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Box::new(stream)
            }
        };
        Ok(Self {
            stream: BufReader::with_capacity(64 * 1024, stream),
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub(crate) fn send(&mut self, request: &Request) -> io::Result<Response> {
        // A server may answer and close before it has read everything: the answer counts, the broken pipe does not.
        let written = self.write(&request.bytes());
        match self.read_response(&request.method) {
            Ok(response) => Ok(response),
            Err(error) => written.and(Err(error)),
        }
    }

    /// Reads one answer. `UnexpectedEof` with the text "closed" means that not one byte of it came.
    pub(crate) fn read_response(&mut self, method: &str) -> io::Result<Response> {
        let (status, headers) = self.read_head()?;
        let mut response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        if method == "HEAD" || status == 204 || status == 304 || (100..200).contains(&status) {
            return Ok(response);
        }
        if response
            .header("Transfer-Encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            response.body = self.read_chunks()?;
        } else if let Some(length) = response.header("Content-Length") {
            let length = length.parse().map_err(|_| invalid("Content-Length"))?;
            response.body = vec![0; length];
            self.stream.read_exact(&mut response.body)?;
        } else {
            self.stream.read_to_end(&mut response.body)?;
        }
        Ok(response)
    }

    /// Reads exactly as many raw bytes, for what comes after an upgrade.
    pub(crate) fn read_exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Everything until the other side closes, cleanly or by a reset.
    pub(crate) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(bytes),
        }
    }

    fn read_head(&mut self) -> io::Result<(u16, Headers)> {
        let status_line = match self.read_line() {
            Ok(line) if line.is_empty() => return Err(closed()),
            Ok(line) => line,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(closed()),
            Err(error) => return Err(error),
        };
        let status = std::str::from_utf8(&status_line)
            .ok()
            .and_then(|line| line.strip_prefix("HTTP/1."))
            .and_then(|line| line.get(2..5))
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| invalid("status line"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            let line = line
                .strip_suffix(b"\r\n")
                .ok_or_else(|| invalid("end of line"))?;
            if line.is_empty() {
                return Ok((status, headers));
            }
            let colon = line
                .iter()
                .position(|&byte| byte == b':')
                .ok_or_else(|| invalid("header line"))?;
            let name = String::from_utf8_lossy(&line[..colon]).into_owned();
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = std::str::from_utf8(line.trim_ascii())
                .ok()
                .and_then(|text| usize::from_str_radix(text, 16).ok())
                .ok_or_else(|| invalid("chunk size"))?;
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.read_line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn read_line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        Ok(line)
    }
}

/// Tells a connection that was closed before any answer from one that was closed within it.
pub(crate) fn closed_without_answer(error: &io::Error) -> bool {
    error.to_string() == CLOSED
        || matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted
        )
}

const CLOSED: &str = "closed before an answer";

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, CLOSED)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the answer has a malformed {what}"),
    )
}

/// An answer as it came over the wire.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The only value of a header. `None` when it is absent.
    ///
    /// # Panics
    ///
    /// When the header came more than once: no header that the tests ask for may.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.values(name);
        assert!(
            values.len() <= 1,
            "{name} came {} times: {values:?}",
            values.len()
        );
        values.first().copied()
    }

    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| std::str::from_utf8(value).expect("header values are UTF-8"))
            .collect()
    }

    /// The names of all header lines, in small letters.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.headers.iter();
        names.map(|(name, _)| name.to_ascii_lowercase()).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in the body: {}", self.text()))
    }

    /// The answer without what may differ between two equal ones: the date and identifiers of the request.
    pub(crate) fn comparable(&self) -> Self {
        let mut copy = self.clone();
        copy.headers.retain(|(name, _)| {
            !name.eq_ignore_ascii_case("date") && !name.eq_ignore_ascii_case("x-request-id")
        });
        // The order of different header lines means nothing (RFC 9110 §5.3), and actix draws it anew each time.
        copy.headers.sort();
        copy
    }
}
