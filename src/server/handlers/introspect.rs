//! `/introspect`: is this token good, and whose is it? For clients with credentials of their own (RFC 7662).

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::clock::Timestamp;
use crate::config::TokenSource;
use crate::gate::Credential;
use crate::request::{Original, RawToken};
use crate::server::Service;
use crate::server::answer::Exchange;
use crate::server::asked::Asked;
use crate::server::exchanges::Exchanges;
use crate::server::introspection::{Form, active};
use crate::server::reply::Reply;
use crate::server::respond::{self, Endpoint};
use crate::server::turn::{Attempt, Turn, answered};

/// The largest form, in bytes: a token of the largest size, percent-encoded, and credentials.
pub const MAX_FORM_BYTES: usize = 256 * 1024;

/// Answers.
pub async fn introspect(
    request: HttpRequest,
    body: web::Bytes,
    service: web::Data<Service>,
) -> HttpResponse {
    answered(&service, |attempt| {
        answer(&request, &body, &service, attempt).map(Reply::over_http)
    })
    .await
}

fn answer(request: &HttpRequest, body: &[u8], service: &Service, attempt: Attempt) -> Turn<Reply> {
    // The body has been read: what comes now is another head.
    if let Some(exchanges) = request.conn_data::<Exchanges>() {
        drop(exchanges.begin());
    }
    let live = service.live.load();
    if !live.introspection.is_on() {
        return Turn::Answer(respond::nothing_here());
    }
    let Some(form) = Form::parse(body).filter(|_| is_form(request)) else {
        return Turn::Answer(respond::unfit_form());
    };
    if let Err(stranger) = live.introspection.admit(authorization(request), &form) {
        tracing::warn!(
            client.name = stranger.claims_to_be.unwrap_or("-"),
            peer = request
                .peer_addr()
                .map(|peer| tracing::field::display(peer.ip())),
            "somebody asks /introspect without the credentials of a client"
        );
        return Turn::Answer(respond::unknown_client(&live));
    }
    let asked = Asked::over_http(request.head());
    let exchange = Exchange::begin(service, &live, asked, Endpoint::Introspect, attempt);
    let credential = Credential::new(RawToken::new(form.token.as_bytes()), TokenSource::Header);
    match exchange.recognize_token(credential) {
        Ok(permit) => {
            exchange.passed(&permit);
            let expires = permit
                .known()
                .and_then(|known| known.verified().validity().expires());
            let left = expires.map(|end| end.seconds() - Timestamp::now().seconds());
            Turn::Answer(match active(&live, &permit, credential) {
                Some(json) => respond::active(&json, left),
                None => respond::inactive(),
            })
        }
        // Whatever is wrong with it, it is not good, and nobody learns why (RFC 7662 §2.2); but what cannot be decided is no answer.
        Err(halt) => exchange
            .conclude(halt, &Original::UNSTATED, || None)
            .map(|reply| {
                if reply.status.is_server_error() {
                    reply
                } else {
                    respond::inactive()
                }
            }),
    }
}

fn is_form(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The one line of credentials; a second one makes none of them.
fn authorization(request: &HttpRequest) -> Option<&str> {
    let mut lines = request.headers().get_all(AUTHORIZATION);
    let line = lines.next()?;
    match lines.next() {
        None => line.to_str().ok(),
        Some(_) => Some(""),
    }
}
