//! The endpoints for proxies: may this request pass, and who is it? `/verify` is for those that understand a status only (nginx's
//! `auth_request`), `/forward-auth` for those that pass the whole answer on (Traefik, Caddy, HAProxy), `/ext-authz/…` for Envoy's
//! `ext_authz` over HTTP and what is built on it (Istio, Gateway API). None of them reads a body: bare nginx announces one and does not
//! send it.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::server::Service;
use crate::server::answer::{Checked, Exchange, check};
use crate::server::asked::{Asked, Lines};
use crate::server::forwarded::{Dialect, names_target, original};
use crate::server::live::Live;
use crate::server::reply::Reply;
use crate::server::respond::{self, Endpoint};
use crate::server::turn::{Attempt, Turn, answered};

/// What an endpoint answers, and which headers describe the original request there.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    endpoint: Endpoint,
    dialect: Dialect,
}

/// 200, 401, 403 or 503.
pub const VERIFY: Check = Check {
    endpoint: Endpoint::Verify,
    dialect: Dialect::Original,
};
/// 200, 302, 400, 401, 403 or 503.
pub const FORWARD_AUTH: Check = Check {
    endpoint: Endpoint::ForwardAuth,
    dialect: Dialect::Forwarded,
};
/// The answers of `/forward-auth`. The method is the client's own.
pub const EXT_AUTHZ: Check = Check {
    endpoint: Endpoint::ForwardAuth,
    dialect: Dialect::RequestLine,
};

impl Check {
    /// The answer, by a route.
    pub async fn answer(self, request: HttpRequest, service: web::Data<Service>) -> HttpResponse {
        let asked = Asked::over_http(request.head());
        let form = |live: &Live, checked| match checked {
            Checked::Pass(permit) if self.dialect == Dialect::RequestLine => {
                respond::allow_envoy(live, &permit)
            }
            Checked::Pass(permit) => respond::allow(live, &permit),
            Checked::Refused(reply) => Reply::over_http(reply),
        };
        answered(&service, |attempt| {
            self.judge(&asked, &service, attempt, form)
        })
        .await
    }

    /// One attempt, whatever the request came as and the answer goes as.
    pub(in crate::server) fn judge<H: Lines, A>(
        self,
        asked: &Asked<'_, H>,
        service: &Service,
        attempt: Attempt<'_>,
        form: impl FnOnce(&Live, Checked) -> A,
    ) -> Turn<A> {
        let Self { endpoint, dialect } = self;
        let live = service.live.load();
        let exchange = Exchange::begin(service, &live, *asked, endpoint, attempt);
        let original = original(asked, dialect, &live);
        let names_target = names_target(asked.headers, dialect);
        check(&exchange, original, names_target).map(|checked| form(&live, checked))
    }
}
