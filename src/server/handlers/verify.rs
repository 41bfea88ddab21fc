//! `/verify`: for proxies that understand a status only (nginx's `auth_request`). 200, 401, 403 or 503.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::server::Service;
use crate::server::answer::{Checked, Exchange, check};
use crate::server::asked::Asked;
use crate::server::forwarded::{Dialect, names_target, original};
use crate::server::respond::{self, Endpoint};
use crate::server::turn::answered;

/// Answers. The body is never read: bare nginx announces one and does not send it.
pub async fn verify(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    judged(&request, &service, Endpoint::Verify, Dialect::Original).await
}

/// What the endpoints for proxies have in common.
pub(super) async fn judged(
    request: &HttpRequest,
    service: &Service,
    endpoint: Endpoint,
    dialect: Dialect,
) -> HttpResponse {
    answered(service, |attempt| {
        let live = service.live.load();
        let asked = Asked::over_http(request);
        let exchange = Exchange::begin(service, &live, asked, endpoint, attempt);
        let original = original(&asked, dialect, &live);
        let names_target = names_target(asked.headers, dialect);
        check(&exchange, original, names_target).map(|checked| match checked {
            Checked::Pass(permit) if dialect == Dialect::RequestLine => {
                respond::allow_envoy(&live, &permit)
            }
            Checked::Pass(permit) => respond::allow(&live, &permit),
            Checked::Refused(reply) => reply.over_http(),
        })
    })
    .await
}
