//! The shortest configurations that are shipped: whatever they lack, they are safe.

use std::time::{Duration, Instant};

use crate::harness::proxies::{Extent, Kind};
use crate::harness::upstream::echoed_headers;
use crate::harness::{Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, folded_headers, get, settings, shows_alice};

behind_every_proxy!(
    s8_2_the_minimal_configuration_lets_nobody_choose_an_identity,
    s18_7_the_minimal_configuration_fails_closed,
);

fn start(kind: Kind) -> Option<Chain> {
    if matches!(
        kind,
        Kind::HaproxySpoe | Kind::EnvoyGrpc | Kind::Apache | Kind::Itself
    ) {
        // They have none: it would be nearly the complete one.
        return None;
    }
    Chain::start_with(kind, Extent::Minimal, settings(), &[])
}

fn s8_2_the_minimal_configuration_lets_nobody_choose_an_identity(kind: Kind) {
    let Some(chain) = start(kind) else {
        return;
    };
    let good = || get("/app?x=1").bearer(tokens::good());
    let echo = chain.reached(&good());
    assert_eq!(echo["target"], "/app?x=1");
    shows_alice(&echo, "a good token");
    chain.reached(&get("/app").cookie(format!("auth_token={}", tokens::good())));
    let post = Request::new("POST", "/app").bearer(tokens::good());
    assert_eq!(chain.reached(&post.body("a=1"))["body_length"], 3);
    for token in [
        tokens::forged(),
        tokens::expired(),
        tokens::wrong_audience(),
    ] {
        chain.refused(&get("/app").bearer(token), 401);
    }
    chain.refused(&get("/app"), 401);
    chain.refused(&get("/admin").bearer(tokens::good()), 403);
    let upgrade = good()
        .header("Connection", "Upgrade, HTTP2-Settings")
        .header("Upgrade", "h2c");
    let echo = chain.reached(&upgrade);
    let connection = echoed_headers(&echo, "Connection").join(",");
    assert!(
        !connection.to_ascii_lowercase().contains("upgrade"),
        "{echo}"
    );
    for name in ["X-Original-URL", "X-Forwarded-Uri", "X-Original-URI"] {
        let claimed = get("/admin").bearer(tokens::good()).header(name, "/public");
        let answer = chain.ask(&claimed).answer;
        assert!((400..500).contains(&answer.status), "{answer:?}");
    }
    for name in [
        "X-Auth-User",
        "X-Auth-Email",
        "X-Auth-Groups",
        "X-Auth-Identity",
    ] {
        let spellings =
            ["-", "_", ".", "!", "*", "~"].map(|separator| name.replace('-', separator));
        let mixed = ["_", ".", "+", "`"].map(|separator| name.replacen('-', separator, 1));
        let token = tokens::with(&serde_json::json!({"email": null, "groups": null}));
        for spelling in spellings.iter().chain(&mixed) {
            let spoofed = get("/app")
                .bearer(&token)
                .header(spelling, "root")
                .header(spelling, "root")
                .header("Connection", "close, X-Auth-User");
            let echo = chain.reached(&spoofed);
            assert_eq!(
                echoed_headers(&echo, "X-Auth-User"),
                ["alice"],
                "{spelling}"
            );
            let found = folded_headers(&echo);
            let is_root = found.iter().any(|(_, value)| value.contains("root"));
            assert!(!is_root, "{spelling}: {found:?}");
        }
    }
}

fn s18_7_the_minimal_configuration_fails_closed(kind: Kind) {
    let Some(mut chain) = start(kind) else {
        return;
    };
    let good = get("/app").bearer(tokens::good());
    chain.reached(&good);
    let before = chain.app.served();
    if kind != Kind::Traefik {
        chain.gate.freeze();
        let start = Instant::now();
        let answer = good.clone().timeout(Duration::from_secs(10));
        let answer = answer.send(chain.proxy.address());
        assert!(answer.status >= 500, "{answer:?}");
        assert!(start.elapsed() < Duration::from_secs(4));
    }
    chain.gate.signal("KILL");
    let ended = chain.gate.wait_for_exit(Duration::from_secs(5));
    ended.expect("SIGKILL ends it");
    let answer = good.send(chain.proxy.address());
    assert!(answer.status >= 500, "{answer:?}");
    assert_eq!(chain.app.served(), before);
}
