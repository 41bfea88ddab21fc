//! Who comes through without a token.

use super::{Found, Tried, names, shut};
use crate::doctor::Plan;
use crate::doctor::client::Ask;
use crate::doctor::finding::Id;
use crate::doctor::scene::Scene;

/// Some gates let these pass unasked (CVE-2026-34457).
const HEALTH_CHECKERS: [&str; 4] = [
    "kube-probe/1.31",
    "GoogleHC/1.0",
    "ELB-HealthChecker/2.0",
    "Amazon-Route53-Health-Check-Service (ref 0; report http://amzn.to/1vsZADi)",
];

const METHODS: [&str; 5] = ["HEAD", "POST", "OPTIONS", "PROPFIND", "JWTGATE"];

pub(super) async fn probe(scene: &Scene, plan: &Plan) -> Found {
    let bare = [tried(scene, "", scene.get()).await];
    let mut methods = Vec::new();
    for method in METHODS {
        let ask = Ask {
            method,
            body: if method == "POST" { "a=1" } else { "" },
            ..scene.get()
        };
        methods.push(tried(scene, method, ask).await);
    }
    let old = Ask {
        version: "HTTP/1.0",
        ..scene.get()
    };
    let old = [tried(scene, "", old).await];
    let absolute = Ask::get(format!("{}{}", scene.origin(), scene.target()));
    let absolute = [tried(scene, "", absolute).await];
    let mut checkers = Vec::new();
    for name in HEALTH_CHECKERS {
        let what = name.split(' ').next().unwrap_or(name);
        let ask = scene.get().line("User-Agent", name);
        checkers.push(tried(scene, what, ask).await);
    }
    let socket = scene
        .get()
        .line("Connection", "Upgrade")
        .line("Upgrade", "websocket")
        .line("Sec-WebSocket-Version", "13")
        .line("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let socket = [tried(scene, "", socket).await];
    let forged = names::plain(&names::identity(plan))
        .into_iter()
        .chain(names::others(&[]));
    let forged = forged.fold(scene.get(), |ask, (name, value)| ask.line(name, value));
    let forged = [tried(scene, "", forged).await];
    vec![
        (Id::AccessNoToken, shut(&bare)),
        (Id::AccessMethod, shut(&methods)),
        (Id::AccessHttp10, shut(&old)),
        (Id::AccessAbsoluteForm, shut(&absolute)),
        (Id::AccessUserAgent, shut(&checkers)),
        (Id::AccessWebSocket, shut(&socket)),
        (Id::AccessForgedIdentity, shut(&forged)),
    ]
}

async fn tried(scene: &Scene, what: &str, ask: Ask) -> Tried {
    Tried {
        what: what.to_owned(),
        sight: scene.ask(ask).await,
    }
}
