//! `/sign-in`: for people, sent here by a link, by ingress-nginx (`auth-signin`) or by nginx's `error_page 401`.
//!
//! The request is judged again: whoever may pass is sent back to where they came from, anybody else to `auth_url`. The address to come back to is
//! `?rd=` (a path or an absolute URL), else the original request that the proxy describes.

use std::borrow::Cow;

use actix_web::{HttpRequest, HttpResponse, web};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::request::Original;
use crate::server::Service;
use crate::server::answer::{Attempt, Exchange, Turn, answered};
use crate::server::forwarded::{Dialect, names_target, original};
use crate::server::live::Live;
use crate::server::respond::{self, Endpoint};

/// Answers.
pub async fn sign_in(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    answered(&service, |attempt| answer(&request, &service, attempt)).await
}

fn answer(request: &HttpRequest, service: &Service, attempt: Attempt) -> Turn {
    let live = service.live.load();
    let exchange = Exchange::begin(service, &live, request, Endpoint::SignIn, attempt);
    let described = match original(request, Dialect::Original, &live) {
        Ok(original) => original,
        Err(reason) => return Turn::Answer(exchange.refuse_unread(reason)),
    };
    let wanted = wanted(request);
    let is_described = names_target(request, Dialect::Original);
    let target = Target::of(&live, described, is_described, wanted.as_ref());
    match exchange.decide(target.original) {
        Ok(permit) => {
            let place = target
                .address
                .or_else(|| live.returns.safe_place().cloned());
            let response = match place {
                Some(place) => respond::go_to(place.as_str()),
                None => respond::allow(&live, &permit),
            };
            Turn::Answer(exchange.allow(&permit, response))
        }
        Err(halt) => {
            let Target { original, address } = target;
            exchange.conclude(halt, &original, || address)
        }
    }
}

/// Where the person wants to go back to.
enum Wanted {
    /// The value of `rd`, decoded once.
    Parameter(String),
    /// `rd` stands there twice, with different values: nobody knows.
    Unclear,
}

/// `None`: there is no `rd`, the proxy's headers say it.
fn wanted(request: &HttpRequest) -> Option<Wanted> {
    let query = request.uri().query()?;
    let mut values = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("rd="))
        .map(|value| value.replace('+', " "))
        .map(|value| {
            percent_decode_str(&value)
                .decode_utf8()
                .map(Cow::into_owned)
        });
    let first = values.next()?;
    // Decoded strictly: a byte that is no UTF-8 must not become another path.
    match first {
        Ok(first) if values.all(|other| other.as_ref() == Ok(&first)) => {
            Some(Wanted::Parameter(first))
        }
        _ => Some(Wanted::Unclear),
    }
}

/// The request that is judged, and the address it may be returned to.
struct Target<'r> {
    original: Original<'r>,
    address: Option<Url>,
}

impl<'r> Target<'r> {
    fn of(
        live: &Live,
        described: Original<'r>,
        is_described: bool,
        wanted: Option<&'r Wanted>,
    ) -> Self {
        match wanted {
            // Nobody described another request: this page is no place to come back to.
            None if !is_described => Self {
                original: described,
                address: None,
            },
            None => Self {
                original: described,
                address: live.returns.of_request(&described),
            },
            Some(Wanted::Unclear) => Self {
                original: described,
                address: None,
            },
            Some(Wanted::Parameter(value)) => {
                let without_fragment = value.split('#').next().unwrap_or_default();
                let query = without_fragment.split_once('?').map(|(_, query)| query);
                Self {
                    original: Original { query, ..described },
                    address: live.returns.of_parameter(&described, value),
                }
            }
        }
    }
}
