//! `/verify`: for proxies that understand a status only (nginx's `auth_request`). 200, 401, 403 or 503.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::server::Service;
use crate::server::answer::{Exchange, guarded};
use crate::server::forwarded::{Dialect, names_target, original};
use crate::server::respond::{self, Endpoint};

/// Answers. The body is never read: bare nginx announces one and does not send it.
pub async fn verify(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    guarded(&service, || {
        check(&request, &service, Endpoint::Verify, Dialect::Original)
    })
}

/// What `/verify` and `/forward-auth` have in common.
pub(super) fn check(
    request: &HttpRequest,
    service: &Service,
    endpoint: Endpoint,
    dialect: Dialect,
) -> HttpResponse {
    let live = service.live.load();
    let exchange = Exchange::begin(service, &live, request, endpoint);
    let original = match original(request, dialect, &live) {
        Ok(original) => original,
        Err(reason) => return exchange.refuse_unread(reason),
    };
    match exchange.decide(original) {
        Ok(permit) => exchange.allow(&permit, respond::allow(&live, &permit)),
        Err(refusal) => {
            let address = || {
                let is_named = names_target(request, dialect);
                is_named.then(|| live.returns.of_request(&original))?
            };
            exchange.refuse(&refusal, &original, address)
        }
    }
}
