//! `/userinfo`: who is it, as JSON, for the application or a single-page app. Never a redirect.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::gate::{Permit, extract, verify};
use crate::jose::Claims;
use crate::request::{Original, RequestView};
use crate::server::Service;
use crate::server::answer::{Attempt, Exchange, Turn, answered};
use crate::server::forwarded::{ActixHeaders, Dialect, original};
use crate::server::live::Live;
use crate::server::respond::{self, Endpoint};

/// Answers.
pub async fn userinfo(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    answered(&service, |attempt| answer(&request, &service, attempt)).await
}

fn answer(request: &HttpRequest, service: &Service, attempt: Attempt) -> Turn {
    let live = service.live.load();
    let exchange = Exchange::begin(service, &live, request, Endpoint::UserInfo, attempt);
    let original = match original(request, Dialect::Itself, &live) {
        Ok(original) => original,
        Err(reason) => return Turn::Answer(exchange.refuse_unread(reason)),
    };
    match exchange.recognize(original) {
        Ok(permit) => {
            let json = describe(&live, request, original, &permit);
            Turn::Answer(exchange.allow(&permit, respond::identity(&json)))
        }
        Err(halt) => exchange.conclude(halt, &original, || None),
    }
}

/// The identity of a request that may pass. The claims are read again out of the very token that was verified.
fn describe(live: &Live, request: &HttpRequest, original: Original<'_>, permit: &Permit) -> Value {
    // Whoever is recognized has a token.
    let Some(known) = permit.known() else {
        return Value::Null;
    };
    let headers = ActixHeaders(request.headers());
    let view = RequestView {
        headers: &headers,
        original,
        source: None,
    };
    let payload = extract::extract(&live.gate.extract, &view)
        .ok()
        .and_then(|credential| verify::payload_of_verified(credential.token()))
        .unwrap_or_default();
    let claims = Claims::parse(&payload).ok();
    let verified = known.verified();
    let issuer = live.gate.issuers.all().get(verified.place());
    let (email, groups) = issuer
        .zip(claims.as_ref())
        .map(|(issuer, claims)| issuer.identity.email_and_groups(claims))
        .unwrap_or_default();
    let iss = claims
        .as_ref()
        .and_then(|claims| claims.get("iss")?.as_str());
    json!({
        "username": verified.identity().username(),
        "email": email,
        "groups": groups,
        "issuer": iss.unwrap_or(verified.issuer()),
        "expires_at": verified.validity().expires().map(crate::clock::Timestamp::seconds),
    })
}
