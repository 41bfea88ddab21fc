//! Who comes through without a token.

use super::{Found, SHOW, Tried, names, shut};
use crate::doctor::Plan;
use crate::doctor::client::Ask;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::Reach;
use crate::doctor::wire::values as values_of;

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
    let mut forged = names::plain(&names::identity(plan));
    forged.extend(names::others(&[]));
    let forged = scene.get().lines(&forged.concat());
    let forged = [tried(scene, "", forged).await];
    vec![
        (Id::AccessNoToken, shut(&bare)),
        (Id::AccessMethod, shut(&methods)),
        (Id::AccessHttp10, shut(&old)),
        (Id::AccessAbsoluteForm, shut(&absolute)),
        (Id::AccessUserAgent, shut(&checkers)),
        (Id::AccessWebSocket, shut(&socket)),
        (Id::AccessForgedIdentity, shut(&forged)),
        (Id::AccessUpgrade, upgrade(scene).await),
    ]
}

/// The ways to ask for HTTP/2 (RFC 7540 §3.2), alone and beside what proxies let through.
const UPGRADES: [&[&str]; 4] = [
    &["h2c"],
    &["websocket, h2c"],
    &["h2c", "websocket"],
    &["websocket", "h2c"],
];

/// What an application is asked that takes HTTP/2 by an upgrade.
async fn upgrade(scene: &Scene) -> Verdict {
    let mut is_seen = false;
    for values in UPGRADES {
        let plain = scene
            .get()
            .line("Connection", "Upgrade, HTTP2-Settings")
            .line("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA");
        let ask = values
            .iter()
            .fold(plain, |ask, value| ask.line("Upgrade", *value));
        let sight = scene.good(ask).await;
        let lines = sight.lines();
        let holds = |name, word| {
            let mut values = values_of(&lines, name);
            values.any(|value| value.to_ascii_lowercase().contains(word))
        };
        let answers = sight.values("upgrade").any(|value| value.contains("h2c"));
        let switches = sight.status() == 101 && answers;
        if switches || (holds("upgrade", "h2c") && holds("connection", "upgrade")) {
            let asked = values.join("` and `Upgrade: ");
            return Verdict::Hole(format!("`Upgrade: {asked}` reaches the application"));
        }
        is_seen |= !lines.is_empty() || sight.reach() == Reach::No;
    }
    if is_seen {
        Verdict::Closed("none reaches the application".to_owned())
    } else {
        Verdict::Unknown(format!("the page does not show its headers; {SHOW}"))
    }
}

async fn tried(scene: &Scene, what: &str, ask: Ask) -> Tried {
    Tried {
        what: what.to_owned(),
        sight: scene.ask(ask).await,
    }
}
