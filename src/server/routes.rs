//! THE table of endpoints, grouped by who calls them. Nothing else exists.

use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{Route, guard};

use super::forwarded::EXT_AUTHZ_PREFIX;
use super::{admin, handlers};

/// The main listener. Every method is taken: Envoy sends the client's own.
pub fn main(config: &mut ServiceConfig) {
    config
        // Proxies.
        .route("/verify", web::route().to(handlers::verify::verify))
        .route(
            "/forward-auth",
            web::route().to(handlers::forward_auth::forward_auth),
        )
        .service(
            web::scope(EXT_AUTHZ_PREFIX)
                .default_service(web::route().to(handlers::ext_authz::ext_authz)),
        )
        // People.
        .route("/sign-in", web::route().to(handlers::sign_in::sign_in))
        // Applications.
        .service(
            web::resource("/introspect")
                .app_data(PayloadConfig::new(handlers::introspect::MAX_FORM_BYTES))
                .route(web::post().to(handlers::introspect::introspect)),
        )
        .route("/userinfo", web::route().to(handlers::userinfo::userinfo))
        .route("/.well-known/jwks.json", reading().to(handlers::jwks::jwks));
}

/// The admin listener.
pub fn admin(config: &mut ServiceConfig) {
    config
        .route("/healthz", reading().to(admin::healthz))
        .route("/readyz", reading().to(admin::readyz))
        .route("/metrics", reading().to(admin::metrics))
        .route("/keys", reading().to(admin::keys))
        .route("/explain", web::post().to(admin::explain));
}

fn reading() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
