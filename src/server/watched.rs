//! A connection that cannot be held: a head must be complete, an answer taken, and a next request made, each within a limit.
//!
//! actix times the head of the *first* request of a connection only, and does not time a connection at all whose chunked body never
//! comes (actix-http 3.20): one byte, or one head, would hold a connection for ever. This stream watches every head, from its first
//! byte to the empty line that ends it, and the time since the last answer. It knows nothing of bodies: what arrives of one counts as
//! a head, unless whoever reads it says so ([`Exchanges`]), and whatever arrives, only an answer starts the long limit anew.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::exchanges::Exchanges;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the first byte of a head to the last, and to the first head from the beginning; `None` where none is sent.
    pub head: Option<Duration>,
    /// From an answer that does not fit the socket's buffer to the next byte that does.
    pub answer: Duration,
    /// From one answer to the next; `None`: no limit.
    pub quiet: Option<Duration>,
}

/// A stream with these limits.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    patience: Patience,
    exchanges: Exchanges,
    /// How many of their changes are known.
    seen: usize,
    /// When the first byte of a head came that has not ended yet.
    head_began: Option<Instant>,
    /// Whether that head holds anything but line breaks, which may stand in front of one (RFC 9112 §2.2).
    has_text: bool,
    /// When the client stopped taking an answer.
    blocked_since: Option<Instant>,
    /// When the last byte of an answer was taken, or the connection began.
    last_answer: Instant,
    /// The last bytes read, the newest last.
    tail: [u8; 3],
    /// Wakes the connection's task. It is set rarely: when it rings early it is set again, so a busy connection costs a timer every
    /// few seconds, not one for each request.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl<S> Watched<S> {
    /// Watches a new connection. It owes a head at once: one that says nothing holds its place no longer than one that says half of it.
    pub fn new(stream: S, patience: Patience) -> Self {
        Self {
            stream,
            patience,
            exchanges: Exchanges::default(),
            seen: 0,
            head_began: patience.head.map(|_| Instant::now()),
            has_text: false,
            blocked_since: None,
            last_answer: Instant::now(),
            tail: [0; 3],
            alarm: None,
        }
    }

    /// The stream that it stands around.
    pub const fn inner(&self) -> &S {
        &self.stream
    }

    /// What tells it that a body may come.
    pub fn exchanges(&self) -> Exchanges {
        self.exchanges.clone()
    }

    /// Whether a head may be coming. What came before the last exchange, and within it, belongs to that.
    fn awaits_head(&mut self) -> bool {
        let changes = self.exchanges.changes();
        if changes != self.seen {
            self.seen = changes;
            self.head_began = None;
            self.has_text = false;
            self.tail = [0; 3];
        }
        !self.exchanges.is_any_open()
    }

    fn has_read(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.patience.head.is_none() || !self.awaits_head() {
            return;
        }
        // Where a head ends inside, what stands behind it is the beginning of the next one, and its time begins now.
        let rest = match last_end_inside(self.tail, bytes) {
            Some(end) => {
                self.head_began = None;
                self.has_text = false;
                bytes.get(end..).unwrap_or_default()
            }
            None => bytes,
        };
        self.has_text |= rest.iter().any(|byte| !is_line_break(*byte));
        for &byte in bytes.iter().rev().take(3).rev() {
            self.tail = push(self.tail, byte);
        }
        if self.has_text && ends_head(self.tail) {
            self.head_began = None;
            self.has_text = false;
        } else {
            self.head_began.get_or_insert_with(Instant::now);
        }
    }

    /// Fails when `due` has come, else sees to it that the task is woken then.
    fn wait(&mut self, due: Instant, context: &mut Context<'_>) -> io::Result<()> {
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

const fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

const fn push([_, second, third]: [u8; 3], byte: u8) -> [u8; 3] {
    [second, third, byte]
}

/// An empty line ends a head. The parser takes a bare LF for a line break (RFC 9112 §2.2), so it is one here.
const fn ends_head(tail: [u8; 3]) -> bool {
    matches!(tail, [_, b'\n', b'\n'] | [b'\n', b'\r', b'\n'])
}

/// Behind the last empty line that stands before the end of `bytes`. A read that ends with a head, which nearly every one does, is
/// not searched.
fn last_end_inside(mut tail: [u8; 3], bytes: &[u8]) -> Option<usize> {
    let whole = match bytes {
        [.., first, second, third] => [*first, *second, *third],
        _ => bytes.iter().fold(tail, |tail, &byte| push(tail, byte)),
    };
    if ends_head(whole) {
        return None;
    }
    let mut end = None;
    for (index, &byte) in bytes.iter().enumerate() {
        tail = push(tail, byte);
        if ends_head(tail) {
            end = Some(index + 1);
        }
    }
    end
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
        let quiet = self.patience.quiet.map(|limit| self.last_answer + limit);
        let began = if self.awaits_head() {
            self.head_began.zip(self.patience.head)
        } else {
            None
        };
        let head = began.map(|(began, limit)| began + limit);
        let Some(due) = quiet.into_iter().chain(head).min() else {
            return Poll::Pending;
        };
        match self.wait(due, context) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    /// What became of an attempt to write.
    fn written(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.blocked_since = None;
            self.last_answer = Instant::now();
            return written;
        }
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        let due = since + self.patience.answer;
        match self.wait(due, context) {
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
        self.written(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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

    const HEAD: Duration = Duration::from_secs(5);
    const QUIET: Duration = Duration::from_secs(80);
    const PATIENCE: Patience = Patience {
        head: Some(HEAD),
        answer: Duration::from_secs(10),
        quiet: Some(QUIET),
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

    /// The error that ends the reading of bytes which come again and again.
    async fn dripped(
        client: &mut (impl AsyncWrite + Unpin),
        watched: &mut (impl AsyncRead + Unpin),
        bytes: &[u8],
        every: Duration,
    ) -> io::Error {
        let drip = async {
            loop {
                client.write_all(bytes).await.unwrap();
                tokio::time::sleep(every).await;
            }
        };
        let read = async {
            loop {
                if let Err(error) = watched.read_u8().await {
                    return error;
                }
            }
        };
        tokio::select! {
            error = read => error,
            () = drip => unreachable!(),
        }
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
            let error = dripped(&mut client, &mut watched, b"G", Duration::from_secs(1)).await;
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), HEAD);
        });
    }

    #[test]
    fn s16_3_a_connection_that_says_nothing_is_cut_off_as_one_that_says_half() {
        run(async {
            let (_client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            let began = Instant::now();
            let error = watched.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), HEAD);
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
    fn heads_that_never_end_at_the_end_of_a_read_are_not_taken_for_one() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
            watched.read_exact(&mut [0; 16]).await.unwrap();
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(3)).await;
                client.write_all(b"\r\nGET / HTTP/1.1\r\n").await.unwrap();
                watched.read_exact(&mut [0; 18]).await.unwrap();
                watched.write_all(b"answer").await.unwrap();
            }
            let began = Instant::now();
            assert!(watched.read_u8().await.is_err());
            assert_eq!(began.elapsed(), HEAD);
        });
    }

    #[test]
    fn s16_3_only_an_answer_starts_the_long_limit_anew() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            request(&mut client, &mut watched).await;
            let began = Instant::now();
            // Reads as a head that ends, each time.
            let bytes = b"4\r\n\r\n\r\n";
            let error = dripped(&mut client, &mut watched, bytes, Duration::from_secs(4)).await;
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), QUIET);
        });
    }

    #[test]
    fn a_body_that_is_read_is_no_head_and_the_next_head_is_watched_again() {
        run(async {
            let (mut client, server) = duplex(1024);
            let mut watched = Watched::new(server, PATIENCE);
            let exchanges = watched.exchanges();
            client
                .write_all(b"POST / HTTP/1.1\r\n\r\nbo")
                .await
                .unwrap();
            watched.read_exact(&mut [0; 21]).await.unwrap();
            let underway = exchanges.begin();
            let of_the_answer = underway.clone();
            for _ in 0..10 {
                let slow = tokio::time::timeout(2 * HEAD, watched.read_u8()).await;
                assert!(slow.is_err(), "only the test's own clock ran out");
                client.write_all(b"d").await.unwrap();
                watched.read_u8().await.unwrap();
                watched.write_all(b"answer").await.unwrap();
            }
            drop(underway);
            let slow = tokio::time::timeout(2 * HEAD, watched.read_u8()).await;
            assert!(slow.is_err(), "the answer is still under way");
            drop(of_the_answer);
            let idle = tokio::time::timeout(2 * HEAD, watched.read_u8()).await;
            assert!(idle.is_err(), "what came of the body began no head");
            let began = Instant::now();
            let error = dripped(&mut client, &mut watched, b"G", Duration::from_secs(1)).await;
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(began.elapsed(), HEAD);
        });
    }

    #[test]
    fn a_bare_line_feed_ends_a_line_too() {
        for (bytes, ends) in [
            (&b"GET / HTTP/1.1\nHost: a\n\n"[..], true),
            (&b"GET / HTTP/1.1\r\nHost: a\n\r\n"[..], true),
            (&b"GET / HTTP/1.1\r\n\r\nG"[..], false),
            (&b"GET / HTTP/1.1\r\n\r"[..], false),
        ] {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            let _guard = runtime.enter();
            let mut watched = Watched::new((), PATIENCE);
            watched.has_read(bytes);
            assert_eq!(watched.head_began.is_none(), ends, "{bytes:?}");
        }
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
