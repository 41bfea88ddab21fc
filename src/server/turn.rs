//! Answering in turns: what needs a key that may be had waits for it, here and nowhere else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::http::ConnectionType;

use crate::gate::{Judged, Signatures, Unjudged};
use crate::keys::{MissingKey, Waited};

use super::live::Service;
use super::reply::Reply;
use super::respond;

/// One go at answering a request: the first, or another after something has been waited for.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'j> {
    /// When the first began.
    pub(super) began: Instant,
    pub(super) is_first: bool,
    pub(super) patience: Patience,
    /// When its signature is checked.
    pub(super) signatures: Signatures<'j>,
}

impl Attempt<'_> {
    /// One after which nothing is waited for.
    #[must_use]
    pub const fn last(began: Instant) -> Self {
        Self {
            began,
            is_first: false,
            patience: Patience::IsOver,
            signatures: Signatures::AtOnce,
        }
    }
}

/// What a key that is missing means for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It may be waited for.
    MayWait,
    /// It was, and what is found now is the answer.
    IsOver,
    /// It cannot be told now; the client may ask again after this time.
    NotNow(Duration),
}

/// What came of an attempt.
#[derive(Debug)]
pub enum Turn<A> {
    /// The answer.
    Answer(A),
    /// Something is to be waited for.
    Wait(Wants),
}

/// What a request waits for.
#[derive(Debug)]
pub enum Wants {
    /// A key that is missing and may be had.
    Key(MissingKey),
    /// A signature to be checked together with others.
    Signature(Box<Unjudged>),
}

impl<A> Turn<A> {
    /// The same with another form of the answer.
    pub fn map<B>(self, form: impl FnOnce(A) -> B) -> Turn<B> {
        match self {
            Self::Answer(answer) => Turn::Answer(form(answer)),
            Self::Wait(wants) => Turn::Wait(wants),
        }
    }
}

/// An attempt that needs something.
#[derive(Debug)]
pub struct Waiting {
    attempt: Attempt<'static>,
    wants: Wants,
}

impl Waiting {
    /// The signature that is to be checked; or the same, which waits for something else.
    ///
    /// # Errors
    /// It waits for something else.
    pub fn signature(self) -> Result<(Attempt<'static>, Box<Unjudged>), Self> {
        match self.wants {
            Wants::Signature(unjudged) => {
                let attempt = Attempt {
                    signatures: Signatures::AtOnce,
                    ..self.attempt
                };
                Ok((attempt, unjudged))
            }
            Wants::Key(_) => Err(self),
        }
    }

    /// Answers, with as many further attempts as keys have to be waited for.
    pub async fn settled<A>(
        mut self,
        service: &Service,
        handle: impl Fn(Attempt<'_>) -> Turn<A>,
        form: impl Fn(Reply) -> A,
    ) -> A {
        loop {
            let began = self.attempt.began;
            let Wants::Key(missing) = &self.wants else {
                // Attempts from here on have their signatures checked at once.
                return form(respond::internal());
            };
            let waited = service.keyring.wait(missing, began.into()).await;
            let attempt = Attempt {
                began,
                is_first: false,
                patience: match waited {
                    Waited::Again { is_final: false } => Patience::MayWait,
                    Waited::Again { is_final: true } => Patience::IsOver,
                    Waited::NotNow(after) => Patience::NotNow(after),
                },
                signatures: Signatures::AtOnce,
            };
            match guarded(service, attempt, &handle, &form) {
                Turn::Answer(answer) => return answer,
                Turn::Wait(wants) => self = Self { attempt, wants },
            }
        }
    }
}

/// One attempt. A panic is caught, counted, and a 503 for this request only: it is a bug, and never a 200.
fn guarded<A>(
    service: &Service,
    attempt: Attempt<'_>,
    handle: impl Fn(Attempt<'_>) -> Turn<A>,
    form: impl Fn(Reply) -> A,
) -> Turn<A> {
    catch_unwind(AssertUnwindSafe(|| handle(attempt))).unwrap_or_else(|_| {
        service.metrics.panicked();
        Turn::Answer(form(respond::internal()))
    })
}

/// Answers a request that came at the moment `began` by a first attempt, which waits for nothing.
///
/// # Errors
/// A key is missing that may be had; or the signature is to be checked with others, where that is allowed.
pub fn first<A>(
    service: &Service,
    began: Instant,
    signatures: Signatures<'static>,
    handle: impl Fn(Attempt<'_>) -> Turn<A>,
    form: impl Fn(Reply) -> A,
) -> Result<A, Waiting> {
    let attempt = Attempt {
        began,
        is_first: true,
        patience: Patience::MayWait,
        signatures,
    };
    match guarded(service, attempt, handle, form) {
        Turn::Answer(answer) => Ok(answer),
        Turn::Wait(wants) => Err(Waiting { attempt, wants }),
    }
}

/// Answers by the same attempt once more, now that its signature has been checked; without a verdict it is checked at once.
///
/// # Errors
/// A key is missing that may be had.
pub fn judged<A>(
    service: &Service,
    attempt: Attempt<'static>,
    verdict: Option<&Judged>,
    handle: impl Fn(Attempt<'_>) -> Turn<A>,
    form: impl Fn(Reply) -> A,
) -> Result<A, Waiting> {
    let with_verdict = Attempt {
        signatures: verdict.map_or(Signatures::AtOnce, Signatures::Judged),
        ..attempt
    };
    match guarded(service, with_verdict, handle, form) {
        Turn::Answer(answer) => Ok(answer),
        Turn::Wait(wants) => Err(Waiting { attempt, wants }),
    }
}

/// Answers a request, with as many attempts as keys have to be waited for.
pub async fn settled<A>(
    service: &Service,
    handle: impl Fn(Attempt<'_>) -> Turn<A>,
    form: impl Fn(Reply) -> A,
) -> A {
    match first(service, Instant::now(), Signatures::AtOnce, &handle, &form) {
        Ok(answer) => answer,
        Err(waiting) => waiting.settled(service, handle, form).await,
    }
}

/// The same over HTTP. While the service drains, every answer is the last one of its connection, so that clients go elsewhere by
/// themselves.
pub async fn answered(
    service: &Service,
    handle: impl Fn(Attempt<'_>) -> Turn<HttpResponse>,
) -> HttpResponse {
    let mut answer = settled(service, handle, Reply::over_http).await;
    if service.is_draining() {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use actix_web::http::StatusCode;

    use crate::clock::Timestamp;
    use crate::server::live::Live;

    #[test]
    fn s16_6_a_panic_is_a_503_of_this_request_only_and_is_counted() {
        let config = crate::config::Config {
            secret: Some(crate::config::Secret::from(
                "0123456789abcdef0123456789abcdef",
            )),
            ..crate::config::Config::default()
        };
        let (gate, returns, _) = crate::app::compile_gate(&config, Timestamp::now());
        let metrics = crate::telemetry::Metrics::default();
        let (live, _) = Live::compile(&config, gate.unwrap(), returns, &metrics);
        let live = Arc::new(arc_swap::ArcSwap::from_pointee(live.unwrap()));
        let service = Service::new(live, Arc::default(), metrics, None);
        let panics = |_: Attempt<'_>| -> Turn<Reply> { panic!("on purpose") };
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let reply = runtime
            .unwrap()
            .block_on(settled(&service, panics, |reply| reply));
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
        let metrics = service.metrics.render().unwrap();
        assert!(metrics.contains("jwtgate_panics_total 1"));
    }
}
