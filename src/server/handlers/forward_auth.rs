//! `/forward-auth`: for proxies that pass the whole answer on (Traefik, Caddy, HAProxy). 200, 302, 400, 401, 403 or 503.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::server::Service;
use crate::server::forwarded::Dialect;
use crate::server::respond::Endpoint;

use super::verify::judged;

/// Answers. The body is never read.
pub async fn forward_auth(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    judged(
        &request,
        &service,
        Endpoint::ForwardAuth,
        Dialect::Forwarded,
    )
    .await
}
