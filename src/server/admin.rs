//! The listener for operators: is it alive, is it ready, what does it count?

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::gate::issuers::Supply;

use super::Service;

/// `/healthz`: 200 while the process lives. Trouble with keys or stores is no reason to restart it.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "alive": true }))
}

/// `/readyz`: 200 when requests can be judged, else 503 with what is lacking, by name.
pub async fn readyz(service: web::Data<Service>) -> HttpResponse {
    let lacking = service.lacking();
    let mut builder = if lacking.is_empty() {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    builder
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "ready": lacking.is_empty(), "lacking": lacking }))
}

/// `/metrics`: everything that is counted, in the Prometheus text format.
pub async fn metrics(service: web::Data<Service>) -> HttpResponse {
    match service.metrics.render() {
        Ok(text) => HttpResponse::Ok()
            .content_type("text/plain; version=0.0.4; charset=utf-8")
            .body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

/// `/keys`: the issuers, their keys, and how it stands with the fetches. Public halves only.
pub async fn keys(service: web::Data<Service>) -> HttpResponse {
    let live = service.live.load();
    let issuers = live.gate.issuers.all().iter();
    let all: Vec<_> = issuers
        .map(|issuer| {
            let is_local = issuer.supply == Supply::Local;
            let keyring = &service.keyring;
            keyring.status(issuer.id, &issuer.name, &issuer.keys, is_local)
        })
        .collect();
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({ "issuers": all }))
}

/// The largest question to `/explain`, in bytes.
const MAX_QUESTION: usize = 256 * 1024;

/// `/explain`: what would be answered to a request now, and why.
pub async fn explain(service: web::Data<Service>, body: web::Payload) -> HttpResponse {
    let body = body.to_bytes_limited(MAX_QUESTION).await;
    let answer = match &body {
        Ok(Ok(body)) => super::explain::answer(&service, body),
        _ => Err("the question is larger than 256 KiB, or was broken off"),
    };
    let mut builder = if answer.is_ok() {
        HttpResponse::Ok()
    } else {
        HttpResponse::BadRequest()
    };
    builder
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(answer.unwrap_or_else(|why| json!({ "error": why })))
}
