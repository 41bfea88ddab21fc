//! `/.well-known/jwks.json`: the public keys of the identities that are signed here, for applications that verify them.

use actix_web::{HttpResponse, web};

use crate::server::Service;
use crate::server::respond;

/// Answers.
pub async fn jwks(service: web::Data<Service>) -> HttpResponse {
    let live = service.live.load();
    respond::key_set(live.gate.signer.as_ref().map(|signer| signer.key_set())).over_http()
}
