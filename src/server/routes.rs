//! THE table of endpoints, grouped by who calls them. Nothing else exists.

use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{Route, guard};

use super::forwarded::EXT_AUTHZ_PREFIX;
use super::handlers::check::{Check, EXT_AUTHZ, FORWARD_AUTH, VERIFY};
use super::{admin as admins, handlers};

/// The routes of a listener.
#[derive(Clone, Copy, Debug)]
pub struct Routes {
    /// All of them.
    pub(super) table: fn(&mut ServiceConfig),
    /// Those that the express lane answers before the table is asked, by their path.
    pub(super) hot: Hot,
}

/// The check of a path, where every request of a client goes through it.
pub(super) type Hot = fn(&str) -> Option<Check>;

/// The main listener.
pub const MAIN: Routes = Routes {
    table: main,
    hot: |path| match path {
        "/verify" => Some(VERIFY),
        "/forward-auth" => Some(FORWARD_AUTH),
        _ => None,
    },
};

/// The admin listener.
pub const ADMIN: Routes = Routes {
    table: admin,
    hot: |_| None,
};

/// Every method is taken: Envoy sends the client's own.
fn main(config: &mut ServiceConfig) {
    config
        // Proxies.
        .route("/verify", checking(VERIFY))
        .route("/forward-auth", checking(FORWARD_AUTH))
        .service(web::scope(EXT_AUTHZ_PREFIX).default_service(checking(EXT_AUTHZ)))
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

fn admin(config: &mut ServiceConfig) {
    config
        .route("/healthz", reading().to(admins::healthz))
        .route("/readyz", reading().to(admins::readyz))
        .route("/metrics", reading().to(admins::metrics))
        .route("/keys", reading().to(admins::keys))
        .route("/explain", web::post().to(admins::explain));
}

fn checking(check: Check) -> Route {
    web::route().to(move |request, service| check.answer(request, service))
}

fn reading() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
