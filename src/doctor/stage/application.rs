//! The application behind the proxy: takes whatever arrives, remembers it, and shows it to whoever asked.

use std::io;
use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Record, Seen};
use crate::doctor::wire::{Framing, read_body, read_head, values};

/// The most of a body that is read.
const BODY: usize = 1024 * 1024;

/// It serves until it is dropped.
#[derive(Debug)]
pub(in crate::doctor) struct Application {
    record: Record<Seen>,
    _serving: JoinSet<()>,
}

impl Application {
    pub(in crate::doctor) async fn start(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let record = Record::new();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, record.clone()));
        Ok(Self {
            record,
            _serving: serving,
        })
    }

    /// What arrived of one request.
    pub(in crate::doctor) fn take(&self, mark: &str) -> Vec<Seen> {
        self.record
            .take(|seen| values(&seen.lines, super::MARK).any(|own| own == mark))
    }
}

async fn serve(listener: TcpListener, record: Record<Seen>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let record = record.clone();
        // A connection that breaks is the proxy's affair.
        connections.spawn(async move { answer(stream, &record).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(stream: TcpStream, record: &Record<Seen>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        let seen = Seen::of(&head);
        let shown = json!({
            "method": seen.method,
            "target": seen.target,
            "headers": seen.lines,
        })
        .to_string();
        let is_head = seen.method == "HEAD";
        record.push(seen);
        let framing = match head.framing() {
            Framing::None => Framing::Length(0),
            framing => framing,
        };
        read_body(&mut stream, framing, BODY).await?;
        let body = if is_head { "" } else { &shown };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            shown.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        let is_last = head.start.ends_with("HTTP/1.0")
            || head
                .values("connection")
                .any(|value| value.eq_ignore_ascii_case("close"));
        if is_last {
            break;
        }
    }
    stream.shutdown().await
}
