//! `/userinfo`: who is it, as JSON, for the application or a single-page app. Never a redirect.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

use crate::gate::Permit;
use crate::request::{HeaderLines, Original};
use crate::server::Service;
use crate::server::answer::Exchange;
use crate::server::asked::Asked;
use crate::server::claims::of_permit;
use crate::server::forwarded::{Dialect, original};
use crate::server::live::Live;
use crate::server::reply::Reply;
use crate::server::respond::{self, Endpoint};
use crate::server::turn::{Attempt, Turn, answered};

/// Answers.
pub async fn userinfo(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    answered(&service, |attempt| answer(&request, &service, attempt)).await
}

fn answer(request: &HttpRequest, service: &Service, attempt: Attempt) -> Turn<HttpResponse> {
    let live = service.live.load();
    let asked = Asked::over_http(request.head());
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

/// The identity of a request that may pass.
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
    let verified = known.verified();
    let issuer = live.gate.issuers.all().get(verified.place());
    let (about, iss) = of_permit(live, asked, original, permit, |claims| {
        let about = issuer.map(|issuer| issuer.identity.email_and_groups(claims));
        let iss = claims.get("iss").and_then(|iss| iss.as_str());
        (about, iss.map(str::to_owned))
    })
    .unwrap_or_default();
    let (email, groups) = about.unwrap_or_default();
    json!({
        "username": verified.identity().username(),
        "email": email,
        "groups": groups,
        "issuer": iss.as_deref().unwrap_or(verified.issuer()),
        "expires_at": verified.validity().expires().map(crate::clock::Timestamp::seconds),
    })
}
