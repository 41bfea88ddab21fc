//! The express lane: checks of the plainest form, answered on the connection itself.
//!
//! ```text
//! bytes ─► head: a GET of /verify or /forward-auth, whole, without a body? ─► check ─► write ─► bytes
//!                      │ no, of any kind
//!                      ▼
//!                actix, with the bytes read so far; it keeps the connection
//! ```
//!
//! A known token costs less than a microsecond; what a framework does around it (a request object, maps of headers, routes, a future for
//! each step) costs three. Nothing is decided here that is not decided behind: what is not understood at once, or not understood whole,
//! goes to actix, byte for byte, and the answer is the same.

mod head;
mod prefixed;
mod together;
mod write;

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use actix_http::Protocol;
use actix_http::error::DispatchError;
use actix_server::GracefulShutdownSignal;
use actix_service::{Service as ActixService, ServiceFactory};
use bytes::{Buf as _, BytesMut};
use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use crate::gate::Signatures;

use super::answer::Checked;
use super::live::Service;
use super::reply::Reply;
use super::respond;
use super::routes::Hot;
use super::turn::{Attempt, Turn, Waiting, first, judged};
use super::watched::Watched;

use together::Together;

use head::{Head, KeptHead, MAX_LINES, Recognized, recognize};
use write::Written;

pub(super) use prefixed::Prefixed;

/// A connection as the listeners have it.
type Connection<S> = (Watched<S>, Protocol, Option<SocketAddr>);
/// One that goes on to actix.
type HandedOver<S> = (Prefixed<Watched<S>>, Protocol, Option<SocketAddr>);

/// What is read at a time: a usual request of a proxy fits.
const READ: usize = 4 * 1024;
/// The longest head that is waited for here.
const MAX_HEAD: usize = 32 * 1024;
/// How much is answered before it is sent, where a client asks without waiting.
const MAX_OUTPUT: usize = 64 * 1024;

/// What each worker builds its lane from.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) service: Arc<Service>,
    /// Which paths are answered here.
    pub(super) hot: Hot,
    pub(super) draining: GracefulShutdownSignal,
}

/// The lane in front of actix.
pub(super) struct Express<A> {
    pub(super) lane: Lane,
    pub(super) behind: A,
}

impl<S, A> ServiceFactory<Connection<S>> for Express<A>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: ServiceFactory<
            HandedOver<S>,
            Config = (),
            Response = (),
            Error = DispatchError,
            InitError = (),
        >,
    A::Future: 'static,
    A::Service: 'static,
{
    type Response = ();
    type Error = DispatchError;
    type Config = ();
    type Service = ExpressService<A::Service>;
    type InitError = ();
    type Future = LocalBoxFuture<'static, Result<Self::Service, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let lane = Rc::new(self.lane.clone());
        let together = Rc::new(Together::new(self.lane.service.metrics.clone()));
        let behind = self.behind.new_service(());
        Box::pin(async move {
            let behind = Rc::new(behind.await?);
            Ok(ExpressService {
                lane,
                together,
                behind,
            })
        })
    }
}

/// A worker's lane.
pub(super) struct ExpressService<A> {
    lane: Rc<Lane>,
    /// Signatures that wait for company.
    together: Rc<Together>,
    behind: Rc<A>,
}

impl<S, A> ActixService<Connection<S>> for ExpressService<A>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: ActixService<HandedOver<S>, Response = (), Error = DispatchError> + 'static,
{
    type Response = ();
    type Error = DispatchError;
    type Future = LocalBoxFuture<'static, Result<(), DispatchError>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), DispatchError>> {
        self.behind.poll_ready(context)
    }

    fn call(&self, (stream, protocol, peer): Connection<S>) -> Self::Future {
        let (lane, behind) = (Rc::clone(&self.lane), Rc::clone(&self.behind));
        let together = Rc::clone(&self.together);
        Box::pin(async move {
            match lane.serve(stream, peer, &together).await {
                Ok(Some(rest)) => behind.call((rest, protocol, peer)).await,
                // A connection that breaks is the client's affair.
                Ok(None) | Err(_) => Ok(()),
            }
        })
    }
}

impl Lane {
    /// Answers for as long as everything is plain. What is left is the connection with what has been read and not answered; `None`: it
    /// has ended.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: Watched<S>,
        peer: Option<SocketAddr>,
        together: &Rc<Together>,
    ) -> io::Result<Option<Prefixed<Watched<S>>>> {
        let mut input = BytesMut::new();
        let output = RefCell::new(Vec::new());
        let mut draining = pin!(self.draining.notified());
        let mut has_answered = false;
        loop {
            let next = self.answer_all(&mut input, &output, peer, together).await;
            let is_last = self.service.is_draining();
            let mut written = output.take();
            if !written.is_empty() {
                stream.write_all(&written).await?;
                has_answered = true;
                if is_last {
                    stream.shutdown().await?;
                    return Ok(None);
                }
                // Room of a usual size is used again.
                written.clear();
                written.shrink_to(READ);
                output.replace(written);
            }
            match next {
                Next::Read if input.len() < MAX_HEAD => {}
                Next::Read | Next::HandOver => {
                    return Ok(Some(Prefixed::new(input.freeze(), stream)));
                }
                Next::Answer => continue,
            }
            input.reserve(READ);
            let read = std::future::poll_fn(|context| {
                let read = poll_read(&mut stream, &mut input, context);
                // Between two requests nothing is lost by ending.
                if read.is_pending()
                    && input.is_empty()
                    && draining.as_mut().poll(context).is_ready()
                {
                    return Poll::Ready(Ok(0));
                }
                read
            });
            match read.await {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                // Who waits between two requests is owed no answer.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    if !has_answered || !input.is_empty() {
                        let written = Written::new(&self.service, &output, Instant::now());
                        written.reply(&respond::too_slow());
                        stream.write_all(&output.take()).await?;
                        stream.shutdown().await?;
                    }
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers the plain requests that are here whole, until there are none or their answers should be sent. What comes next.
    async fn answer_all(
        &self,
        input: &mut BytesMut,
        output: &RefCell<Vec<u8>>,
        peer: Option<SocketAddr>,
        together: &Rc<Together>,
    ) -> Next {
        loop {
            if input.is_empty() {
                return Next::Read;
            }
            if output.borrow().len() > MAX_OUTPUT {
                return Next::Answer;
            }
            let length = match self.answer(input, output, peer, together.next()) {
                Step::Answered(length) => length,
                Step::Waits(waiting, kept) => {
                    let written = Written::new(&self.service, output, Instant::now());
                    let again =
                        |attempt: Attempt<'_>| self.judge(&kept.head(), attempt, &written, peer);
                    let refused = |reply: Reply| written.reply(&reply);
                    let waiting = match waiting.signature() {
                        Err(waiting) => Err(waiting),
                        Ok((attempt, unjudged)) => {
                            let verdict = together.judge(unjudged).await;
                            judged(&self.service, attempt, verdict.as_ref(), again, refused)
                        }
                    };
                    if let Err(waiting) = waiting {
                        waiting.settled(&self.service, again, refused).await;
                    }
                    kept.length
                }
                Step::Part => return Next::Read,
                Step::Other => return Next::HandOver,
            };
            input.advance(length);
            // That answer is the last of its connection, and says so.
            if self.service.is_draining() {
                return Next::Read;
            }
        }
    }

    /// Answers the request that the input begins with.
    fn answer<'b>(
        &self,
        input: &'b [u8],
        output: &RefCell<Vec<u8>>,
        peer: Option<SocketAddr>,
        signatures: Signatures<'static>,
    ) -> Step<'b> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_LINES];
        let head = match recognize(input, &mut room, self.hot) {
            Recognized::Check(head) => head,
            Recognized::Part => return Step::Part,
            Recognized::Other => return Step::Other,
        };
        let now = Instant::now();
        let written = Written::new(&self.service, output, now);
        let attempt = |attempt: Attempt<'_>| self.judge(&head, attempt, &written, peer);
        let refused = |reply: Reply| written.reply(&reply);
        match first(&self.service, now, signatures, attempt, refused) {
            Ok(()) => Step::Answered(head.length),
            Err(waiting) => Step::Waits(waiting, head.kept()),
        }
    }

    fn judge(
        &self,
        head: &Head<'_, '_>,
        attempt: Attempt<'_>,
        written: &Written<'_>,
        peer: Option<SocketAddr>,
    ) -> Turn<()> {
        let asked = head.asked(peer);
        head.check.judge(
            &asked,
            &self.service,
            attempt,
            |live, checked| match checked {
                Checked::Pass(permit) => written.pass(live, &permit),
                Checked::Refused(reply) => written.reply(&reply),
            },
        )
    }
}

/// What comes next on a connection.
enum Next {
    /// More is read.
    Read,
    /// There are answers to send, and more requests behind them.
    Answer,
    /// It goes on to actix.
    HandOver,
}

/// What came of the bytes that a connection began with.
enum Step<'b> {
    /// A request of this length has been answered.
    Answered(usize),
    /// This one needs a key, or the verdict on its signature.
    Waits(Waiting, KeptHead<'b>),
    /// More must be read.
    Part,
    /// It is for actix.
    Other,
}

fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    tokio_util::io::poll_read_buf(Pin::new(stream), context, input)
}
