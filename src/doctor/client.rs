//! Sends requests, byte for byte as a probe wants them, each on a connection of its own.

use std::io;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::wire::{self, Framing, Head, read_body, read_head};
use super::{Plan, Trouble, tls};

/// How much of an answer is kept.
const KEPT: usize = 64 * 1024;
const CONNECT: Duration = Duration::from_secs(5);

/// What says on every request who asks.
pub(super) const USER_AGENT: &str = concat!("jwtgate-doctor/", env!("CARGO_PKG_VERSION"));

/// A request under construction. Lines go out in the order and spelling given.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) version: &'static str,
    pub(super) sent: Vec<(String, String)>,
    pub(super) body: &'static str,
}

impl Ask {
    pub(super) fn get(target: impl Into<String>) -> Self {
        Self {
            method: "GET",
            target: target.into(),
            version: "HTTP/1.1",
            sent: Vec::new(),
            body: "",
        }
    }

    pub(super) fn line(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.sent.push((name.into(), value.into()));
        self
    }

    pub(super) fn lines(self, lines: &[(String, String)]) -> Self {
        let lines = lines.iter();
        lines.fold(self, |ask, (name, value)| ask.line(name, value))
    }

    /// What a browser sends when a person opens a page.
    pub(super) fn page_load(self) -> Self {
        self.line("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
            .line("Sec-Fetch-Mode", "navigate")
            .line("Sec-Fetch-Dest", "document")
    }

    /// What a program sends that wants data.
    pub(super) fn program(self) -> Self {
        self.line("Accept", "application/json")
    }

    fn bytes(&self, host: &str) -> Vec<u8> {
        let mut text = format!(
            "{} {} {}\r\nHost: {host}\r\n",
            self.method, self.target, self.version
        );
        let length = (!self.body.is_empty())
            .then(|| ("Content-Length".to_owned(), self.body.len().to_string()));
        for (name, value) in self.sent.iter().chain(&length) {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        text.push_str(self.body);
        text.into_bytes()
    }
}

/// An answer, as far as it was kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) lines: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        wire::values(&self.lines, name)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no answer in {:.1} s", .0.as_secs_f32())]
    InTime(Duration),
    #[error("the connection was closed without an answer")]
    Closed,
    #[error("{0}")]
    Unreachable(String),
}

/// What came of a request, and how long it took.
pub(super) struct Told {
    pub(super) answer: Result<Answer, NoAnswer>,
    pub(super) took: Duration,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Asks one host, and nobody else.
pub(super) struct Client {
    /// Host and port to connect to.
    address: String,
    /// What `Host` says.
    host: String,
    secure: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

impl Client {
    pub(super) fn new(plan: &Plan) -> Result<Self, Trouble> {
        let url = &plan.url;
        let unfit = || Trouble::Url(url.to_string());
        let name = url.host_str().ok_or_else(unfit)?.to_owned();
        let port = url.port_or_known_default().ok_or_else(unfit)?;
        let secure = match url.scheme() {
            "http" => None,
            "https" => {
                let config = tls::config(&plan.trust).map_err(Trouble::Tls)?;
                let bare = name
                    .trim_start_matches('[')
                    .trim_end_matches(']')
                    .to_owned();
                let name = ServerName::try_from(bare).map_err(|_| unfit())?;
                Some((TlsConnector::from(config), name))
            }
            _ => return Err(unfit()),
        };
        Ok(Self {
            address: plan
                .connect
                .clone()
                .unwrap_or_else(|| format!("{name}:{port}")),
            host: host(url),
            secure,
            patience: plan.patience,
        })
    }

    /// What `Host` says.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) async fn send(&self, ask: &Ask) -> Told {
        let began = Instant::now();
        let answer = match timeout(self.patience, self.exchange(ask)).await {
            Ok(answer) => answer,
            Err(_) => Err(NoAnswer::InTime(self.patience)),
        };
        Told {
            answer,
            took: began.elapsed(),
        }
    }

    async fn exchange(&self, ask: &Ask) -> Result<Answer, NoAnswer> {
        let stream = self
            .connect()
            .await
            .map_err(|error| NoAnswer::Unreachable(error.to_string()))?;
        let (reading, mut writing) = tokio::io::split(stream);
        let bytes = ask.bytes(&self.host);
        // A proxy may answer and close before it has read everything: the answer counts, the broken pipe does not.
        let write = async {
            writing.write_all(&bytes).await.ok();
            writing.flush().await.ok();
        };
        let (read, ()) = tokio::join!(read(BufReader::new(reading), ask.method), write);
        read.map_err(|_| NoAnswer::Closed)
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let connecting = TcpStream::connect(&self.address);
        let late = |_| io::Error::from(io::ErrorKind::TimedOut);
        let stream = timeout(CONNECT, connecting).await.map_err(late)??;
        stream.set_nodelay(true)?;
        Ok(match &self.secure {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
        })
    }
}

/// The host of a URL with its port, where that is not the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

async fn read<R: AsyncRead + Unpin>(mut reader: BufReader<R>, method: &str) -> io::Result<Answer> {
    loop {
        let head = read_head(&mut reader)
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = status(&head).ok_or(io::ErrorKind::InvalidData)?;
        // `103 Early Hints` and the like are not the answer yet.
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let has_body = method != "HEAD" && !matches!(status, 101 | 204 | 304);
        let framing = if has_body {
            head.framing()
        } else {
            Framing::Length(0)
        };
        // A body that breaks off is no matter: what is there is looked at.
        let body = read_body(&mut reader, framing, KEPT)
            .await
            .unwrap_or_default();
        return Ok(Answer {
            status,
            lines: head.lines,
            body: String::from_utf8_lossy(&body).into_owned(),
        });
    }
}

fn status(head: &Head) -> Option<u16> {
    let rest = head.start.strip_prefix("HTTP/1.")?;
    rest.get(2..5)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_goes_out_byte_for_byte() {
        let ask = Ask {
            body: "a=1",
            ..Ask::get("/a\\..\\b")
        };
        let ask = ask.line("X-AUTH-USER", "1").line("x_auth_user", "2");
        let text = String::from_utf8(ask.bytes("example.com:81")).expect("text");
        assert_eq!(
            text,
            "GET /a\\..\\b HTTP/1.1\r\nHost: example.com:81\r\nX-AUTH-USER: 1\r\nx_auth_user: 2\r\nContent-Length: 3\r\n\r\na=1"
        );
    }

    #[test]
    fn interim_answers_are_passed_over_and_what_is_no_http_is_none() {
        let answer = |text: &str| {
            let reader = BufReader::new(io::Cursor::new(text.as_bytes().to_vec()));
            tokio::runtime::Builder::new_current_thread()
                .build()
                .expect("a runtime")
                .block_on(read(reader, "GET"))
        };
        let early = answer(
            "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno",
        );
        let early = early.expect("an answer");
        assert_eq!((early.status, early.body.as_str()), (401, "no"));
        assert!(early.lines.iter().all(|(name, _)| name != "A"));
        assert!(answer("220 mail ESMTP\r\n\r\n").is_err());
        assert!(answer("").is_err());
    }

    #[test]
    fn the_host_carries_a_port_that_is_not_the_schemes_own() {
        let of = |text: &str| host(&Url::parse(text).expect("a URL"));
        assert_eq!(of("https://app.example.com/"), "app.example.com");
        assert_eq!(of("https://app.example.com:8443/"), "app.example.com:8443");
        assert_eq!(of("http://[::1]:80/"), "[::1]");
    }
}
