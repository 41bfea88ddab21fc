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
use crate::server::answer::Exchange;
use crate::server::asked::Asked;
use crate::server::forwarded::{Dialect, names_target, original};
use crate::server::live::Live;
use crate::server::reply::Reply;
use crate::server::respond::{self, Endpoint};
use crate::server::turn::{Attempt, Turn, answered};

/// Answers.
pub async fn sign_in(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    answered(&service, |attempt| answer(&request, &service, attempt)).await
}

fn answer(request: &HttpRequest, service: &Service, attempt: Attempt) -> Turn<HttpResponse> {
    let live = service.live.load();
    let asked = Asked::over_http(request.head());
    let exchange = Exchange::begin(service, &live, asked, Endpoint::SignIn, attempt);
    let described = match original(&asked, Dialect::Original, &live) {
        Ok(original) => original,
        Err(reason) => return Turn::Answer(exchange.refuse_unread(reason).over_http()),
    };
    let wanted = wanted(request);
    let is_described = names_target(asked.headers, Dialect::Original);
    let target = Target::of(&live, described, is_described, wanted.as_ref());
    // Without a place to go to, only who it is counts.
    let decision = match target.judged() {
        Some(original) => exchange.decide(original),
        None => exchange.recognize(target.described),
    };
    // Where nobody needs to be known, whoever comes here wants to be.
    let decision = match decision {
        Ok(permit) if permit.known().is_none() => exchange.recognize(target.described),
        decision => decision,
    };
    match decision {
        Ok(permit) => {
            let place = target
                .address
                .or_else(|| live.returns.safe_place().cloned());
            exchange.passed(&permit);
            Turn::Answer(match place {
                Some(place) => respond::go_to(place.as_str()).over_http(),
                None => respond::allow(&live, &permit),
            })
        }
        Err(halt) => exchange
            .conclude(halt, &target.described, || target.address.clone())
            .map(Reply::over_http),
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

/// Where the person shall go when all is well.
struct Target<'r> {
    /// The request that the proxy describes, or the one for this page; with the query of `rd`, which may hold a token.
    described: Original<'r>,
    /// The address they may be returned to.
    address: Option<Url>,
    /// Whether the proxy's description is that place.
    is_described: bool,
}

impl<'r> Target<'r> {
    fn of(
        live: &Live,
        described: Original<'r>,
        is_described: bool,
        wanted: Option<&'r Wanted>,
    ) -> Self {
        match wanted {
            None => Self {
                described,
                // Where nobody described another request, this page is no place to come back to.
                address: is_described
                    .then(|| live.returns.of_request(&described))
                    .flatten(),
                is_described,
            },
            Some(Wanted::Unclear) => Self {
                described,
                address: None,
                is_described: false,
            },
            Some(Wanted::Parameter(value)) => {
                let without_fragment = value.split('#').next().unwrap_or_default();
                let query = without_fragment.split_once('?').map(|(_, query)| query);
                Self {
                    address: live.returns.of_parameter(&described, value),
                    described: Original { query, ..described },
                    is_described: false,
                }
            }
        }
    }

    /// The request that the person will send next, which the rules are asked about; `None` where nobody knows.
    fn judged(&self) -> Option<Original<'_>> {
        if self.is_described {
            return Some(self.described);
        }
        let address = self.address.as_ref()?;
        Some(Original {
            host: address.host_str(),
            path: address.path(),
            // The browser will load it.
            method: "GET",
            states_method: true,
            states_path: true,
            ..self.described
        })
    }
}
