//! The application behind the proxy: it tells what reached it.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::tokens;

/// An echo server on loopback. It lives as long as the test process.
pub(crate) struct Upstream {
    port: u16,
    served: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                // A connection that ends in the middle of a request is the client's affair.
                std::thread::spawn(move || serve(stream, &counter).ok());
            }
        });
        Self { port, served }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many requests arrived.
    pub(crate) fn served(&self) -> usize {
        self.served.load(Ordering::SeqCst)
    }
}

/// All values of a header in the echo of a request. Underscores are told from hyphens.
pub(crate) fn echoed_headers(echo: &Value, name: &str) -> Vec<String> {
    let headers = echo["headers"].as_array().expect("the echo lists headers");
    headers
        .iter()
        .filter(|header| {
            header[0]
                .as_str()
                .is_some_and(|key| key.eq_ignore_ascii_case(name))
        })
        .map(|header| header[1].as_str().unwrap_or_default().to_owned())
        .collect()
}

fn serve(stream: TcpStream, served: &AtomicUsize) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        // A target of any bytes counts as served.
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let headers = read_headers(&mut reader)?;
        let value = |name: &str| {
            headers
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        served.fetch_add(1, Ordering::SeqCst);
        let wants_websocket =
            value("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        // Without key and version it is none (RFC 6455 §4.2.1), and what was sent is shown. HAProxy adds a key where there is none.
        let is_whole = wants_websocket && value("Sec-WebSocket-Version").is_some();
        if let Some(key) = value("Sec-WebSocket-Key").filter(|_| is_whole) {
            let accept = websocket_accept(key);
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            reader.get_mut().write_all(answer.as_bytes())?;
            return echo(&mut reader);
        }
        let is_chunked = value("Transfer-Encoding").is_some_and(|value| value == "chunked");
        let body = if is_chunked {
            read_chunks(&mut reader)?
        } else {
            let length = value("Content-Length").and_then(|value| value.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body)?;
            body
        };
        let seen = json!({
            "method": method,
            "target": target,
            "headers": headers,
            "body_length": body.len(),
            "body": tokens::encode(&body),
        })
        .to_string();
        // In one piece: the peer's delayed acknowledgement of a first one would cost 40 ms for each request.
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{seen}",
            seen.len()
        );
        reader.get_mut().write_all(answer.as_bytes())?;
    }
}

fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

/// RFC 6455 §4.2.2. HAProxy takes no upgrade without it.
fn websocket_accept(key: &str) -> String {
    let salted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes()))
}

/// The header lines of a request, up to the blank line behind them.
pub(crate) fn read_headers(reader: &mut impl BufRead) -> std::io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 || line == b"\r\n" {
            return Ok(headers);
        }
        let line = String::from_utf8_lossy(&line);
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }
}

/// Gives back every byte, as a WebSocket server that echoes frames would.
fn echo(reader: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    loop {
        let bytes = reader.fill_buf()?.to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        reader.consume(bytes.len());
        reader.get_mut().write_all(&bytes)?;
    }
}
