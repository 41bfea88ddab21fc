//! `/userinfo`: who is it, as JSON, for the application or a single-page app. Never a redirect.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::gate::{Permit, extract, verify};
use crate::jose::{Claims, Json};
use crate::request::RequestView;
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
    let headers = ActixHeaders(request.headers());
    match exchange.decide(original) {
        Ok(permit) => {
            let view = RequestView {
                headers: &headers,
                original,
            };
            let json = describe(&live, &view, &permit);
            Turn::Answer(exchange.allow(&permit, respond::identity(&json)))
        }
        Err(halt) => exchange.conclude(halt, &original, || None),
    }
}

/// The identity of a request that may pass. The claims are read again out of the very token that was verified.
fn describe(live: &Live, view: &RequestView<'_, ActixHeaders<'_>>, permit: &Permit) -> Value {
    let payload = extract::extract(&live.gate.extract, view)
        .ok()
        .and_then(|credential| verify::payload_of_verified(credential.token()))
        .unwrap_or_default();
    let claims = Claims::parse(&payload).ok();
    let claim = |name: &str| claims.as_ref().and_then(|claims| claims.get(name));
    let verified = permit.verified();
    json!({
        "username": verified.identity().username(),
        "email": claim("email").and_then(Json::as_str),
        "groups": claim("groups").map(groups).unwrap_or_default(),
        "issuer": claim("iss").and_then(Json::as_str).unwrap_or(verified.issuer()),
        "expires_at": verified.validity().expires().map(crate::clock::Timestamp::seconds),
    })
}

fn groups<'c>(claim: &'c Json<'_>) -> Vec<&'c str> {
    match claim {
        Json::String(group) => vec![group],
        Json::Array(groups) => groups.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}
