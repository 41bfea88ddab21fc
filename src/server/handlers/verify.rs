//! `/verify`: for proxies that understand a status only (nginx's `auth_request`). 200, 401, 403 or 503.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::server::Service;
use crate::server::answer::{Attempt, Exchange, Turn, answered};
use crate::server::forwarded::{Dialect, names_target, original};
use crate::server::respond::{self, Endpoint};

/// Answers. The body is never read: bare nginx announces one and does not send it.
pub async fn verify(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    answered(&service, |attempt| {
        check(
            &request,
            &service,
            Endpoint::Verify,
            Dialect::Original,
            attempt,
        )
    })
    .await
}

/// What `/verify` and `/forward-auth` have in common.
pub(super) fn check(
    request: &HttpRequest,
    service: &Service,
    endpoint: Endpoint,
    dialect: Dialect,
    attempt: Attempt,
) -> Turn {
    let live = service.live.load();
    let exchange = Exchange::begin(service, &live, request, endpoint, attempt);
    let original = match original(request, dialect, &live) {
        Ok(original) => original,
        Err(reason) => return Turn::Answer(exchange.refuse_unread(reason)),
    };
    match exchange.decide(original) {
        Ok(permit) => Turn::Answer(exchange.allow(&permit, respond::allow(&live, &permit))),
        Err(halt) => exchange.conclude(halt, &original, || {
            let is_named = names_target(request, dialect);
            is_named.then(|| live.returns.of_request(&original))?
        }),
    }
}
