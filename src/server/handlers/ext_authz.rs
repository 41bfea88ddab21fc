//! `/ext-authz/…`: for Envoy's `ext_authz` over HTTP and what is built on it (Istio, Gateway API). The answers of `/forward-auth`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::server::Service;
use crate::server::forwarded::Dialect;
use crate::server::respond::Endpoint;

use super::verify::judged;

/// Answers. The method is the client's own; the body is never read.
pub async fn ext_authz(request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
    judged(
        &request,
        &service,
        Endpoint::ForwardAuth,
        Dialect::RequestLine,
    )
    .await
}
