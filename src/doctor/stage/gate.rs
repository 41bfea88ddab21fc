//! jwtgate, played: by its contract, or wrongly on purpose.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::contract::{Identity, Question, Secrets, answer};
use super::{Record, Seen};
use crate::doctor::wire::read_head;

/// How questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Conduct {
    /// As jwtgate does.
    Proper,
    /// As jwtgate does, with the largest identity that it sends.
    Large,
    /// With these words, whoever asks.
    Words(&'static str),
    /// By closing the connection.
    Silent,
    /// Never.
    Hanging,
    /// Nobody listens.
    Absent,
}

/// It serves until it is dropped.
#[derive(Debug)]
pub(in crate::doctor) struct Gate {
    address: SocketAddr,
    secrets: Secrets,
    record: Record<Question>,
    serving: Option<JoinHandle<()>>,
}

impl Gate {
    pub(in crate::doctor) async fn start(
        address: SocketAddr,
        secrets: Secrets,
    ) -> io::Result<Self> {
        let mut gate = Self {
            address,
            secrets,
            record: Record::new(),
            serving: None,
        };
        gate.behave(Conduct::Proper).await?;
        Ok(gate)
    }

    pub(in crate::doctor) const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// From now on every question is answered like this. Connections that are kept end, or their questions would go by the old way.
    pub(in crate::doctor) async fn behave(&mut self, conduct: Conduct) -> io::Result<()> {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            serving.await.ok();
        }
        if conduct == Conduct::Absent {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        let (record, secrets) = (self.record.clone(), self.secrets.clone());
        self.serving = Some(tokio::spawn(serve(listener, conduct, record, secrets)));
        Ok(())
    }

    /// What was asked since this was called last.
    pub(in crate::doctor) fn take(&self) -> Vec<Question> {
        self.record.take(|_| true)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

async fn serve(
    listener: TcpListener,
    conduct: Conduct,
    record: Record<Question>,
    secrets: Secrets,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (record, secrets) = (record.clone(), secrets.clone());
        connections.spawn(async move { converse(stream, conduct, &record, &secrets).await.ok() });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(
    stream: TcpStream,
    conduct: Conduct,
    record: &Record<Question>,
    secrets: &Secrets,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(head) = read_head(&mut stream).await? {
        let question = Question::of(Seen::of(&head));
        record.push(question.clone());
        let identity = match conduct {
            Conduct::Proper => Identity::Usual,
            Conduct::Large => Identity::Large,
            Conduct::Words(words) => {
                stream.write_all(words.as_bytes()).await?;
                break;
            }
            Conduct::Hanging => std::future::pending().await,
            Conduct::Silent | Conduct::Absent => break,
        };
        // Like jwtgate this reads no body: nginx may announce one and not send it. So such a connection is not kept.
        let is_last = question.seen.has_body || head.start.ends_with("HTTP/1.0");
        let connection = if is_last { "Connection: close\r\n" } else { "" };
        let answer = answer(&question, secrets, identity);
        let answer = format!("{answer}{connection}Content-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).await?;
        if is_last {
            break;
        }
    }
    stream.shutdown().await
}
