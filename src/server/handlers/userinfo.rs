//! `/userinfo`: who is it, as JSON, for the application or a single-page app. Never a redirect.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::gate::{Permit, extract, verify};
use crate::jose::Claims;
use crate::request::{HeaderLines, Original, RequestView};
use crate::server::Service;
use crate::server::answer::{Attempt, Exchange, Turn, answered};
use crate::server::asked::Asked;
use crate::server::forwarded::{Dialect, original};
use crate::server::live::Live;
use crate::server::reply::Reply;
use crate::server::respond::{self, Endpoint};

/// Answers.
pub async fn userinfo(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    answered(&service, |attempt| answer(&request, &service, attempt)).await
}

fn answer(request: &HttpRequest, service: &Service, attempt: Attempt) -> Turn<HttpResponse> {
    let live = service.live.load();
    let asked = Asked::over_http(request);
    let exchange = Exchange::begin(service, &live, asked, Endpoint::UserInfo, attempt);
    let original = match original(&asked, Dialect::Itself, &live) {
        Ok(original) => original,
        Err(reason) => return Turn::Answer(exchange.refuse_unread(reason).over_http()),
    };
    match exchange.recognize(original) {
        Ok(permit) => {
            exchange.passed(&permit);
            let json = describe(&live, &asked, original, &permit);
            Turn::Answer(respond::identity(&json).over_http())
        }
        Err(halt) => exchange
            .conclude(halt, &original, || None)
            .map(Reply::over_http),
    }
}

/// The identity of a request that may pass. The claims are read again out of the very token that was verified.
fn describe<H: HeaderLines>(
    live: &Live,
    asked: &Asked<'_, H>,
    original: Original<'_>,
    permit: &Permit,
) -> Value {
    // Whoever is recognized has a token.
    let Some(known) = permit.known() else {
        return Value::Null;
    };
    let view = RequestView {
        headers: asked.headers,
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
