//! One request of a client: judged, and passed on where it may pass.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use tokio_util::task::TaskTracker;

use crate::reason::Reason;
use crate::server::Service;
use crate::server::answer::{self, Checked, check};
use crate::server::asked::Asked;
use crate::server::exchanges::Underway;
use crate::server::forwarded::{RequestLine, direct};
use crate::server::reply::Reply;
use crate::server::respond::{self, Endpoint};
use crate::server::turn::{Attempt, settled};

use super::Times;
use super::activity::Activity;
use super::application::{Application, Body};
use super::moving::Moving;
use super::outgoing::{Outgoing, outgoing, remove_those_of_the_connection};
use super::tunnel;

/// One request, and what it takes to answer it.
pub(super) struct Exchange<'e> {
    pub(super) service: &'e Arc<Service>,
    pub(super) application: &'e Application,
    pub(super) times: Times,
    pub(super) peer: Option<SocketAddr>,
    pub(super) is_tls: bool,
    /// What is waited for at the end, for as long as that may take.
    pub(super) open: &'e TaskTracker,
    /// Held for as long as a body or a tunnel may bring bytes.
    pub(super) underway: Underway,
}

/// Why the application did not answer.
struct NotAnswered {
    reason: Reason,
    /// What the system says.
    cause: Option<String>,
}

impl From<Reason> for NotAnswered {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            cause: None,
        }
    }
}

/// What an error comes from in the end: `connection refused`, not `client error`.
fn innermost(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}

/// What became of a request at the gate.
enum Judged {
    Pass(Outgoing),
    Refused(Reply),
}

impl Exchange<'_> {
    /// Answers.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = self.answered(request).await;
        // While the service drains, clients go elsewhere by themselves.
        if self.service.is_draining() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn answered(&self, mut request: Request<Incoming>) -> Response<Body> {
        let began = Instant::now();
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        match self.judge(&head).await {
            Judged::Refused(reply) => {
                drain(&head, body).await;
                told(reply)
            }
            Judged::Pass(outgoing) => {
                let passed = self.pass_on(&head, outgoing, body, upgrade).await;
                passed.unwrap_or_else(|why| told(self.fail(&head, &why, began)))
            }
        }
    }

    fn asked<'h>(&self, head: &'h Parts) -> Asked<'h, HeaderMap> {
        Asked {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: &head.headers,
            peer: self.peer,
            client: self.peer,
        }
    }

    async fn judge(&self, head: &Parts) -> Judged {
        let asked = self.asked(head);
        let authority = head.uri.authority().map(http::uri::Authority::as_str);
        settled(
            self.service,
            |attempt| {
                let live = self.service.live.load();
                let exchange = answer::Exchange::begin(
                    self.service,
                    &live,
                    asked,
                    Endpoint::ForwardAuth,
                    attempt,
                );
                let is_old = head.version < Version::HTTP_11;
                let target = RequestLine {
                    authority,
                    is_tls: self.is_tls,
                    is_old,
                };
                let original = direct(&asked, target, &live);
                check(&exchange, original, true).map(|checked| match (checked, original) {
                    (Checked::Refused(reply), _) => Judged::Refused(reply),
                    (Checked::Pass(permit), Ok(original)) => {
                        outgoing(&live, &permit, &asked, &original, head)
                            .map_or_else(|| Judged::Refused(respond::internal()), Judged::Pass)
                    }
                    (Checked::Pass(_), Err(_)) => Judged::Refused(respond::internal()),
                })
            },
            Judged::Refused,
        )
        .await
    }

    /// Passes the request on, and the answer back.
    async fn pass_on(
        &self,
        head: &Parts,
        outgoing: Outgoing,
        body: Incoming,
        upgrade: OnUpgrade,
    ) -> Result<Response<Body>, NotAnswered> {
        let is_upgrade = outgoing.is_upgrade;
        let activity = Activity::default();
        let request = self.request(head, outgoing, body, &activity)?;
        let answer = tokio::select! {
            answer = self.application.send(request) => answer,
            () = activity.silence(self.times.response) => return Err(Reason::UpstreamTimeout.into()),
        };
        let mut answer = answer.map_err(|error| NotAnswered {
            reason: if activity.is_broken() {
                // The client's own body broke off, or stood still.
                Reason::RequestMalformed
            } else {
                Reason::UpstreamUnreachable
            },
            cause: Some(innermost(&error)),
        })?;
        let is_switching = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        if is_switching && !is_upgrade {
            let cause = Some("it switches protocols and was not asked to".to_owned());
            return Err(NotAnswered {
                reason: Reason::UpstreamUnreachable,
                cause,
            });
        }
        if answer.headers().contains_key(TRANSFER_ENCODING) {
            // RFC 9112 §6.3: it overrides the length.
            answer.headers_mut().remove(CONTENT_LENGTH);
        }
        remove_those_of_the_connection(answer.headers_mut());
        *answer.version_mut() = Version::HTTP_11;
        if is_switching {
            let application = hyper::upgrade::on(&mut answer);
            let (underway, idle) = (self.underway.clone(), self.times.idle);
            self.open.spawn(async move {
                tunnel::join(upgrade, application, idle).await;
                drop(underway);
            });
            let headers = answer.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        let idle = self.times.idle;
        let underway = self.underway.clone();
        Ok(answer.map(|body| Moving::new(body, activity, idle, underway).boxed()))
    }

    fn request(
        &self,
        head: &Parts,
        outgoing: Outgoing,
        body: Incoming,
        activity: &Activity,
    ) -> Result<Request<Body>, Reason> {
        let address = Outgoing::address(outgoing.target).ok_or(Reason::RequestMalformed)?;
        // One that is empty is sent without framing, as it came.
        let mut headers = outgoing.headers;
        let body: Body = if body.is_end_stream() {
            if head.headers.contains_key(CONTENT_LENGTH) {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            activity.ended();
            Full::default().map_err(|never| match never {}).boxed()
        } else {
            {
                let underway = self.underway.clone();
                Moving::new(body, activity.clone(), self.times.idle, underway).boxed()
            }
        };
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = address;
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// What the client is told when the application cannot be asked.
    fn fail(&self, head: &Parts, why: &NotAnswered, began: Instant) -> Reply {
        let live = self.service.live.load();
        let attempt = Attempt::last(began);
        answer::Exchange::begin(
            self.service,
            &live,
            self.asked(head),
            Endpoint::ForwardAuth,
            attempt,
        )
        .not_answered(why.reason, why.cause.as_deref())
    }
}

/// How much of a body is read that nobody wants, and for how long: a client that is still sending would see a reset instead of the answer.
const DRAINED_BYTES: usize = 256 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

async fn drain(head: &Parts, mut body: Incoming) {
    // Whoever waits to be asked for it has not sent it.
    if head.headers.contains_key(EXPECT) {
        return;
    }
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > DRAINED_BYTES {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}

/// An answer of the gate itself.
fn told(reply: Reply) -> Response<Body> {
    let body = Full::new(reply.body).map_err(|never| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() =
        StatusCode::from_u16(reply.status.as_u16()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_maybe_shared(value) {
            response
                .headers_mut()
                .append(HeaderName::from_static(name), value);
        }
    }
    response
}
