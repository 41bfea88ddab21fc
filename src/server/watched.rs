//! A connection that cannot be held: a head must be complete, and an answer taken, within a limit, on every request.
//!
//! actix times the head of the *first* request of a connection only (actix-http 3.20): whoever sends one request and then one byte
//! would hold a connection for ever. This stream watches every head, from its first byte to the empty line that ends it. How long
//! the answer to a whole head takes is not its matter. Bodies are never read here, so bytes of one count as a head that does not end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a head to the last.
    pub head: Duration,
    /// From an answer that does not fit the socket's buffer to the next byte that does.
    pub answer: Duration,
}

/// A stream with a limit on both.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    patience: Patience,
    /// When the first byte of a head came that has not ended yet.
    head_began: Option<Instant>,
    /// Whether that head holds anything but line breaks, which may stand in front of one (RFC 9112 §2.2).
    has_text: bool,
    /// When the client stopped taking an answer.
    blocked_since: Option<Instant>,
    /// The last bytes read: a head ends in an empty line.
    tail: [u8; 4],
    /// Wakes the connection's task. It is set rarely: when it rings early it is set again, so a busy connection costs a timer every
    /// few seconds, not one for each request.
    alarm: Option<Pin<Box<Sleep>>>,
}

const END_OF_HEAD: [u8; 4] = *b"\r\n\r\n";

impl<S> Watched<S> {
    /// Watches a new connection.
    pub const fn new(stream: S, patience: Patience) -> Self {
        Self {
            stream,
            patience,
            head_began: None,
            has_text: false,
            blocked_since: None,
            tail: END_OF_HEAD,
            alarm: None,
        }
    }

    fn has_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.has_text |= bytes.iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        for &byte in bytes.iter().rev().take(4).rev() {
            self.tail.rotate_left(1);
            if let Some(last) = self.tail.last_mut() {
                *last = byte;
            }
        }
        if self.has_text && self.tail == END_OF_HEAD {
            self.head_began = None;
            self.has_text = false;
        } else {
            self.head_began.get_or_insert_with(Instant::now);
        }
    }

    /// Fails when the client's time is over, else sees to it that the task is woken when it will be.
    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let head = self.head_began.map(|began| began + self.patience.head);
        let answer = self.blocked_since.map(|since| since + self.patience.answer);
        let Some(due) = [head, answer].into_iter().flatten().min() else {
            return Ok(());
        };
        loop {
            if Instant::now() >= due {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
            if alarm.is_elapsed() || alarm.deadline() > due {
                alarm.as_mut().reset(due);
            }
            if alarm.as_mut().poll(context).is_pending() {
                return Ok(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            self.has_read(buffer.filled().get(before..).unwrap_or_default());
            return read;
        }
        match self.check(context) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.blocked_since = None;
            return written;
        }
        self.blocked_since.get_or_insert_with(Instant::now);
        match self.check(context) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(5),
        answer: Duration::from_secs(10),
    };

    fn run(test: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(test);
    }

    async fn request(
        client: &mut (impl AsyncWrite + Unpin),
        watched: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) {
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut head = [0; 18];
        watched.read_exact(&mut head).await.unwrap();
        watched.write_all(b"answer").await.unwrap();
    }

    #[test]
    fn s16_3_a_dripped_head_is_cut_off_also_on_a_later_request() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            request(&mut client, &mut watched).await;
            // Idle between requests: no limit here, that is keep-alive's.
            let idle = tokio::time::timeout(Duration::from_mins(1), watched.read_u8()).await;
            assert!(idle.is_err());
            let began = Instant::now();
            let drip = async {
                loop {
                    client.write_all(b"G").await.unwrap();
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            };
            let read = async {
                loop {
                    if let Err(error) = watched.read_u8().await {
                        return error;
                    }
                }
            };
            let error = tokio::select! {
                error = read => error,
                () = drip => unreachable!(),
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), PATIENCE.head);
        });
    }

    #[test]
    fn s16_3_bytes_behind_an_answered_head_are_watched_too() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            client.write_all(b"GET / HTTP/1.1\r\n\r\nG").await.unwrap();
            watched.read_exact(&mut [0; 19]).await.unwrap();
            watched.write_all(b"answer").await.unwrap();
            assert!(watched.read_u8().await.is_err());
        });
    }

    #[test]
    fn s16_3_line_breaks_alone_are_no_head() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            request(&mut client, &mut watched).await;
            client.write_all(b"\r\n\r\n").await.unwrap();
            watched.read_exact(&mut [0; 4]).await.unwrap();
            assert!(watched.read_u8().await.is_err());
        });
    }

    #[test]
    fn an_answer_may_take_longer_than_a_head() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            watched.read_exact(&mut [0; 18]).await.unwrap();
            let waiting = tokio::time::timeout(Duration::from_mins(1), watched.read_u8()).await;
            assert!(waiting.is_err(), "only the test's own clock ran out");
        });
    }

    #[test]
    fn s16_3_a_client_that_takes_no_answer_is_cut_off() {
        run(async {
            let (_client, server) = duplex(16);
            let mut watched = Watched::new(server, PATIENCE);
            let began = Instant::now();
            let error = watched.write_all(&[0; 1000]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), PATIENCE.answer);
        });
    }
}
