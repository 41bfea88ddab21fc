//! HAProxy's agent protocol (SPOE): HAProxy sends the client's request line and headers, and is told what to do by variables.
//!
//! The protocol is spoken by the crate `spop`; `message` reads what HAProxy sends, `variables` writes the answer.

mod message;
mod variables;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::SinkExt as _;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use spop::frame::FrameType;
use spop::frames::{Ack, AgentDisconnect, AgentHello, FrameCapabilities, HaproxyHello};
use spop::{SpopCodec, StatusCode};
use tokio::task::JoinHandle;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::reason::Reason;

use super::Service;
use super::answer::{Checked, Exchange, check};
use super::asked::Asked;
use super::beside::Beside;
use super::connections::{Connection, accept};
use super::forwarded::message::of_message;
use super::respond::Endpoint;
use super::tls::Speaks;
use super::turn::settled;
use super::watched::{Patience, Watched};

use message::Question;

/// The largest frame, in bytes: HAProxy's `tune.bufsize` less 4. A head of 64 KiB fits.
const MAX_FRAME_BYTES: u32 = 256 * 1024;
/// Checks at a time on one connection that wait for keys.
const MAX_WAITING: usize = 1024;
/// How long HAProxy may take to say hello.
const HELLO: Duration = Duration::from_secs(5);
/// HAProxy keeps connections for as long as it likes. What must not hang is an answer that it does not take.
const PATIENCE: Patience = Patience {
    head: None,
    answer: Duration::from_secs(10),
    quiet: None,
};

type Wire = Framed<Watched<Connection>, SpopCodec>;

/// Serves on open sockets until `beside` ends it.
///
/// # Errors
/// A socket cannot be used.
pub fn start(service: &Arc<Service>, beside: Beside) -> io::Result<JoinHandle<()>> {
    let end = beside.end.clone();
    let acceptance = beside.acceptance(Speaks::Spop);
    let mut connections = accept(beside.sockets, &acceptance)?;
    let service = Arc::clone(service);
    Ok(tokio::spawn(async move {
        let open = TaskTracker::new();
        while let Some(connection) = connections.recv().await {
            if !service.admits(connection.peer(), "spoe") {
                continue;
            }
            let agent = Agent {
                service: Arc::clone(&service),
                peer: connection.peer(),
                end: end.clone(),
            };
            open.spawn(async move {
                // A connection that breaks is HAProxy's affair: it opens another.
                if let Err(error) = agent.serve(connection).await {
                    tracing::debug!(%error, "a connection of HAProxy has ended");
                }
            });
        }
        open.close();
        open.wait().await;
    }))
}

/// One connection of HAProxy.
struct Agent {
    service: Arc<Service>,
    peer: Option<SocketAddr>,
    end: CancellationToken,
}

impl Agent {
    async fn serve(&self, connection: Connection) -> io::Result<()> {
        let mut wire = Framed::new(
            Watched::new(connection, PATIENCE),
            SpopCodec::new(MAX_FRAME_BYTES),
        );
        let hello = tokio::time::timeout(HELLO, wire.next()).await?;
        let Some(hello) = hello.transpose()? else {
            return Ok(());
        };
        let is_hello = *hello.frame_type() == FrameType::HaproxyHello;
        let hello = HaproxyHello::try_from(hello.payload()).ok();
        if !greet(&mut wire, hello.filter(|_| is_hello)).await? {
            return Ok(());
        }
        let agreed = wire.codec().max_frame_size();
        let max_frame_bytes = usize::try_from(agreed).unwrap_or(usize::MAX);
        let mut waiting = FuturesUnordered::new();
        loop {
            tokio::select! {
                frame = wire.next(), if waiting.len() < MAX_WAITING => {
                    let Some(frame) = frame.transpose()? else { return Ok(()) };
                    match frame.frame_type() {
                        FrameType::Notify => {
                            let ack = Ack::new(frame.metadata().stream_id, frame.metadata().frame_id);
                            let question = Question::of(&frame.payload());
                            waiting.push(self.answer(question, ack, max_frame_bytes));
                        }
                        FrameType::HaproxyDisconnect => return disconnect(&mut wire, StatusCode::None).await,
                        _ => return disconnect(&mut wire, StatusCode::Invalid).await,
                    }
                }
                Some(ack) = waiting.next(), if !waiting.is_empty() => wire.send(Box::new(ack)).await?,
                () = self.end.cancelled() => {
                    while let Some(ack) = waiting.next().await {
                        wire.send(Box::new(ack)).await?;
                    }
                    return disconnect(&mut wire, StatusCode::None).await;
                }
            }
        }
    }

    /// Answers one message. One that cannot be read has no status in its answer, which the shipped configuration refuses.
    async fn answer(&self, question: Option<Question>, ack: Ack, max_frame_bytes: usize) -> Ack {
        let Some(question) = question else {
            return ack;
        };
        let lines = question.lines();
        let asked = Asked {
            method: &question.method,
            path: &question.target,
            query: None,
            headers: &lines,
            peer: self.peer,
            client: question.client,
        };
        let service = &self.service;
        let variables = settled(
            service,
            |attempt| {
                let live = service.live.load();
                let exchange =
                    Exchange::begin(service, &live, asked, Endpoint::ForwardAuth, attempt);
                let original = if live.trust.covers(self.peer) {
                    of_message(
                        &question.method,
                        &question.target,
                        question.is_tls,
                        &lines,
                        live.max_header_bytes,
                    )
                } else {
                    Err(Reason::ProxyUntrusted)
                };
                check(&exchange, original, true).map(|checked| match checked {
                    Checked::Pass(permit) => variables::of_permit(&live, &permit),
                    Checked::Refused(reply) => variables::of_reply(&reply),
                })
            },
            |reply| variables::of_reply(&reply),
        );
        variables::put(ack, variables.await, max_frame_bytes)
    }
}

/// Agrees on how to speak. Whether there is more to say.
async fn greet(wire: &mut Wire, hello: Option<HaproxyHello>) -> io::Result<bool> {
    let Some(hello) = hello else {
        disconnect(wire, StatusCode::Invalid).await?;
        return Ok(false);
    };
    let Some(version) = hello.negotiate_version() else {
        disconnect(wire, StatusCode::BadVersion).await?;
        return Ok(false);
    };
    let max_frame_size = match hello.negotiate_max_frame_size(MAX_FRAME_BYTES) {
        Ok(size) => size,
        Err(status) => {
            disconnect(wire, status).await?;
            return Ok(false);
        }
    };
    wire.codec_mut().set_max_frame_size(max_frame_size);
    let own = AgentHello {
        version,
        max_frame_size,
        capabilities: vec![FrameCapabilities::Pipelining],
    };
    wire.send(Box::new(own)).await?;
    Ok(!hello.healthcheck.unwrap_or(false))
}

async fn disconnect(wire: &mut Wire, status: StatusCode) -> io::Result<()> {
    let word = AgentDisconnect {
        status_code: status.to_u32(),
        message: status.message().to_owned(),
    };
    wire.send(Box::new(word)).await?;
    wire.close().await
}
