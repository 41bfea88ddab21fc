//! Answers: the only place with status codes.
//!
//! Outside, every bad token looks the same; what differs is only what RFC 6750 §3.1 lets differ. Nothing of a token, a key or an
//! expected value ever stands in an answer.

use std::fmt::Write as _;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::json;

use crate::gate::{Permit, Refusal};
use crate::policy::Rule;
use crate::policy::rule::Authentication;
use crate::reason::{Outward, Reason};

use super::live::Live;
use super::page::{self, Words};
use super::reply::Reply;
use super::spelling::underscored;

/// Which endpoint answers; they differ in what their callers understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// nginx's `auth_request` knows 2xx, 401 and 403; anything else becomes its 500.
    Verify,
    /// Proxies that pass the whole answer on.
    ForwardAuth,
    /// People.
    SignIn,
    /// Applications and their scripts.
    UserInfo,
    /// Clients that ask about tokens.
    Introspect,
}

/// How an answer can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// A page.
    Person,
    /// Problem JSON (RFC 9457).
    Program,
}

/// The request may pass: exactly 200 (Envoy takes 204 for a denial).
pub const ALLOWED: StatusCode = StatusCode::OK;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// How long a client may wait before it asks again when nothing can be decided, in seconds.
const RETRY_AFTER: &str = "5";

/// The request may pass: no body, every identity header.
#[must_use]
pub fn allow(live: &Live, permit: &Permit) -> HttpResponse {
    let mut response = HttpResponse::new(ALLOWED);
    let headers = response.headers_mut();
    headers.reserve(live.identity_headers.len() + 1);
    let mut are_fit = true;
    let is_whole = each_identity_line(live, permit, |name, value| {
        // The gate lets no control character through, so the value fits; were it otherwise, nobody may pass.
        match HeaderValue::from_maybe_shared(value.clone()) {
            Ok(value) => {
                headers.insert(name.clone(), value);
            }
            Err(_) => are_fit = false,
        }
    });
    if !is_whole || !are_fit {
        return HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE);
    }
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    response
}

/// Shows each identity line of a request that may pass: each name once, and an empty value where there is none, so that nothing of the
/// client's own survives. `false`: one that is promised is missing, and nobody may pass.
pub fn each_identity_line(
    live: &Live,
    permit: &Permit,
    mut show: impl FnMut(&HeaderName, &Bytes),
) -> bool {
    let Some(known) = permit.known() else {
        let nothing = Bytes::new();
        for name in live.identity_headers.iter().chain(&live.signed_header) {
            show(name, &nothing);
        }
        return true;
    };
    let values = known.verified().identity().values();
    for (name, value) in live.identity_headers.iter().zip(values) {
        show(name, value);
    }
    match (&live.signed_header, permit.signed()) {
        (Some(name), Some(value)) => show(name, value),
        (Some(_), None) => return false,
        (None, _) => {}
    }
    true
}

const TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// The same for Envoy, which takes header names to remove besides: those without a value, and what a client may have sent under another
/// spelling.
#[must_use]
pub fn allow_envoy(live: &Live, permit: &Permit) -> HttpResponse {
    let mut response = allow(live, permit);
    if response.status() != ALLOWED {
        return response;
    }
    let mut names = String::new();
    for name in live.identity_headers.iter().chain(&live.signed_header) {
        let is_empty = response
            .headers()
            .get(name)
            .is_none_or(HeaderValue::is_empty);
        let own = name.as_str();
        let alias = underscored(own);
        // Envoy removes after it has set: a name that is its own alias must not be among them.
        let alias = Some(alias.as_str()).filter(|alias| *alias != own);
        for name in is_empty.then_some(own).into_iter().chain(alias) {
            if !names.is_empty() {
                names.push(',');
            }
            names.push_str(name);
        }
    }
    match HeaderValue::from_maybe_shared(Bytes::from(names)) {
        Ok(names) => response.headers_mut().insert(TO_REMOVE, names),
        Err(_) => return HttpResponse::new(StatusCode::SERVICE_UNAVAILABLE),
    };
    response
}

/// The identity lines of a request that may pass, for protocols other than HTTP: each name once, and an empty value where there is none.
/// `None`: one that is promised is missing, and nobody may pass.
#[must_use]
pub fn identity_lines<'l>(live: &'l Live, permit: &Permit) -> Option<Vec<(&'l str, Bytes)>> {
    let names = live.identity_headers.iter().chain(&live.signed_header);
    let mut values = Vec::with_capacity(live.identity_headers.len() + 1);
    each_identity_line(live, permit, |_, value| values.push(value.clone()))
        .then(|| names.map(HeaderName::as_str).zip(values).collect())
}

/// The head of a request did not come in time.
#[must_use]
pub fn too_slow() -> Reply {
    Reply::new(StatusCode::REQUEST_TIMEOUT).with("connection", "close")
}

/// Something inside failed. Without the settings, since they may be what failed.
#[must_use]
pub fn internal() -> Reply {
    Reply::new(StatusCode::SERVICE_UNAVAILABLE)
        .with("retry-after", RETRY_AFTER)
        .with("cache-control", "no-store")
}

/// The person may go on to this address.
#[must_use]
pub fn go_to(address: &str) -> Reply {
    private(Reply::new(StatusCode::FOUND).with("location", address.to_owned()))
}

/// The person is sent to sign in.
#[must_use]
pub fn sign_in(address: &str, bounces: String) -> Reply {
    let found = Reply::new(StatusCode::FOUND);
    private(
        found
            .with("location", address.to_owned())
            .with("set-cookie", bounces),
    )
}

/// The public keys of what is signed here; 404 where nothing is.
#[must_use]
pub fn key_set(set: Option<serde_json::Value>) -> Reply {
    match set {
        // Short against the time that a key is published before it signs.
        Some(set) => Reply::new(StatusCode::OK)
            .with("cache-control", "public, max-age=300")
            .with("x-content-type-options", "nosniff")
            .with_body("application/jwk-set+json", set.to_string()),
        None => Reply::new(StatusCode::NOT_FOUND),
    }
}

/// The identity, for applications.
#[must_use]
pub fn identity(json: &serde_json::Value) -> Reply {
    Reply::new(StatusCode::OK)
        .with("cache-control", "no-store")
        .with("x-content-type-options", "nosniff")
        .with_body("application/json", json.to_string())
}

/// The token is good (RFC 7662 §2.2). The client may take that for true for a while, and never longer than the token is: `left` seconds.
#[must_use]
pub fn active(json: &serde_json::Value, left: Option<i64>) -> Reply {
    const LONGEST: i64 = 60;
    let reply = Reply::new(StatusCode::OK);
    let reply = match left.map(|left| left.min(LONGEST)) {
        Some(seconds) if seconds > 0 => {
            reply.with("cache-control", format!("private, max-age={seconds}"))
        }
        _ => reply.with("cache-control", "no-store"),
    };
    reply
        .with("x-content-type-options", "nosniff")
        .with_body("application/json", json.to_string())
}

/// The token is not good, and nobody learns why.
#[must_use]
pub fn inactive() -> Reply {
    identity(&json!({ "active": false }))
}

/// Nobody may ask here.
#[must_use]
pub fn nothing_here() -> Reply {
    Reply::new(StatusCode::NOT_FOUND)
}

/// No form with one token (RFC 6749 §5.2).
#[must_use]
pub fn unfit_form() -> Reply {
    Reply::new(StatusCode::BAD_REQUEST)
        .with("cache-control", "no-store")
        .with_body(
            "application/json",
            json!({
                "error": "invalid_request",
                "error_description": "expected application/x-www-form-urlencoded with one `token`",
            })
            .to_string(),
        )
}

/// Nobody who may ask (RFC 6749 §5.2).
#[must_use]
pub fn unknown_client(live: &Live) -> Reply {
    Reply::new(StatusCode::UNAUTHORIZED)
        .with_line("www-authenticate", &live.challenges.basic)
        .with("cache-control", "no-store")
        .with_body(
            "application/json",
            json!({ "error": "invalid_client" }).to_string(),
        )
}

/// What a refusal can offer a person.
#[derive(Clone, Copy, Debug, Default)]
pub struct Offer<'o> {
    /// The address to sign in at, for `X-Auth-Redirect` or a link.
    pub sign_in: Option<&'o str>,
    /// Whether the person has been sent to sign in too often.
    pub is_looping: bool,
    /// When to ask again, where that is known.
    pub retry_after: Option<Duration>,
}

/// The status of a refusal at an endpoint.
#[must_use]
pub fn status(endpoint: Endpoint, reason: Reason) -> StatusCode {
    match reason.outward() {
        Outward::NoToken | Outward::BadToken | Outward::MustSignInAgain => StatusCode::UNAUTHORIZED,
        Outward::BadRequest if endpoint == Endpoint::Verify => StatusCode::UNAUTHORIZED,
        Outward::BadRequest => StatusCode::BAD_REQUEST,
        Outward::Malformed if endpoint != Endpoint::Verify => StatusCode::BAD_REQUEST,
        Outward::Malformed | Outward::Forbidden | Outward::LacksScope => StatusCode::FORBIDDEN,
        Outward::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Outward::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Outward::BadGateway => StatusCode::BAD_GATEWAY,
        Outward::GatewayTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// The request may not pass.
#[must_use]
pub fn refuse(
    live: &Live,
    endpoint: Endpoint,
    refusal: &Refusal,
    audience: Audience,
    offer: Offer<'_>,
) -> Reply {
    let reason = refusal.reason();
    let status = status(endpoint, reason);
    let mut reply = Reply::new(status);
    if let Some(challenge) = challenge(live, refusal) {
        reply = reply.with_line("www-authenticate", &challenge);
    }
    if reason.outward() == Outward::Unavailable {
        reply = match offer.retry_after.map(|after| after.as_secs() + 1) {
            Some(seconds) => reply.with("retry-after", seconds.to_string()),
            None => reply.with("retry-after", RETRY_AFTER),
        };
    }
    if endpoint == Endpoint::Verify {
        // Its callers read the status and some headers. nginx leaves a body unread, and has to open a new connection for the next check.
        return match offer.sign_in {
            Some(address) => private(reply).with("x-auth-redirect", address.to_owned()),
            None => private(reply),
        };
    }
    told(reply, words(reason, offer), audience, offer.sign_in)
}

/// An answer with words, as a page or as problem JSON.
fn told(
    reply: Reply,
    (title, text): (&str, &str),
    audience: Audience,
    sign_in: Option<&str>,
) -> Reply {
    let status = reply.status;
    let reply = private(reply).with("x-content-type-options", "nosniff");
    match audience {
        Audience::Program => {
            let body = json!({
                "type": "about:blank",
                "title": title,
                "status": status.as_u16(),
                "detail": text,
            });
            reply.with_body("application/problem+json", body.to_string())
        }
        Audience::Person => {
            let link = sign_in.map(|address| ("Sign in", address));
            let markup = page::render(status, Words { title, text, link });
            reply
                .with("content-security-policy", page::content_security_policy())
                .with_body("text/html; charset=utf-8", markup.into_string())
        }
    }
}

/// The challenge that a refusal carries (RFC 6750 §3, RFC 9470 §3).
fn challenge(live: &Live, refusal: &Refusal) -> Option<Bytes> {
    let challenges = &live.challenges;
    let challenge = match refusal.reason().outward() {
        Outward::NoToken => &challenges.no_token,
        Outward::BadToken => &challenges.invalid_token,
        Outward::BadRequest => &challenges.invalid_request,
        Outward::LacksScope => &challenges.insufficient_scope,
        Outward::MustSignInAgain => return Some(sign_in_again(live, refusal.rule())),
        Outward::Malformed
        | Outward::Forbidden
        | Outward::TooLarge
        | Outward::Unavailable
        | Outward::BadGateway
        | Outward::GatewayTimeout => {
            return None;
        }
    };
    Some(challenge.clone())
}

/// The challenge of RFC 9470 §3: how, and how recently, the person must have signed in. These stand in the answer on purpose, since the
/// client has to ask the issuer for them.
fn sign_in_again(live: &Live, rule: Option<&Rule>) -> Bytes {
    let challenge = &live.challenges.insufficient_authentication;
    let wanted = rule.and_then(Rule::authentication);
    let mut text = String::from_utf8_lossy(challenge).into_owned();
    if let Some(values) = wanted.and_then(Authentication::acr_values) {
        let _ = write!(text, ", acr_values=\"{values}\"");
    }
    if let Some(seconds) = wanted.and_then(Authentication::max_age) {
        let _ = write!(text, ", max_age=\"{seconds}\"");
    }
    Bytes::from(text)
}

fn words(reason: Reason, offer: Offer<'_>) -> (&'static str, &'static str) {
    if offer.is_looping {
        return (
            "Signing in did not work",
            "You were sent to sign in several times within a minute and came back without valid credentials. \
             Please check that your browser accepts cookies, then try again; if it goes on, tell whoever runs this service.",
        );
    }
    match reason.outward() {
        Outward::NoToken => (
            "Not signed in",
            "Valid credentials are needed to open this.",
        ),
        Outward::BadToken => (
            "Not signed in",
            "The credentials that were sent are not valid, or no longer. Please sign in again.",
        ),
        Outward::BadRequest => (
            "Two different credentials",
            "The request carries two different tokens. Send one; in a browser, delete the cookies of this site.",
        ),
        Outward::Malformed => ("Bad request", "The request cannot be understood."),
        Outward::Forbidden => ("Not allowed", "You may not open this."),
        Outward::LacksScope => (
            "Not allowed",
            "The token that was sent lacks a scope that this needs.",
        ),
        Outward::MustSignInAgain => (
            "Please sign in again",
            "This needs a more recent or a stronger sign-in than yours.",
        ),
        Outward::TooLarge => (
            "Request too large",
            "The request carries too many or too large headers. In a browser, delete the cookies of this site.",
        ),
        Outward::BadGateway => (
            "The application does not answer",
            "You may open this, but the application behind it cannot be reached. Please try again in a moment.",
        ),
        Outward::GatewayTimeout => (
            "The application takes too long",
            "You may open this, but the application behind it did not answer in time. Please try again in a moment.",
        ),
        Outward::Unavailable => (
            "Not available",
            "This cannot be decided at the moment. Please try again in a moment.",
        ),
    }
}

/// Nobody keeps it, and nobody hears of the address that it answers.
fn private(reply: Reply) -> Reply {
    reply
        .with("cache-control", "no-store")
        .with("referrer-policy", "no-referrer")
}
