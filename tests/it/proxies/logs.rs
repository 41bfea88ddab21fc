//! What the proxies write down.

use crate::harness::proxies::Kind;
use crate::harness::tokens;

use super::behind_every_proxy;
use super::chain::{Chain, get};

behind_every_proxy!(s9_4_no_log_of_a_proxy_holds_a_token);

fn s9_4_no_log_of_a_proxy_holds_a_token(kind: Kind) {
    if kind == Kind::Itself {
        // It has no log of its own but the gate's.
        return;
    }
    let Some(mut chain) = Chain::start(kind) else {
        return;
    };
    let token = tokens::good();
    let with_token = |path: &str| {
        let target = format!("{path}?x=1&auth_token={token}");
        let referer = format!("http://app.example.com{target}");
        get(&target).header("Referer", referer)
    };
    chain.reached(&with_token("/app/logged"));
    let forged = format!("/app/forged?auth_token={}", tokens::forged());
    chain.refused(&get(&forged).page_load(), 302);
    chain.refused(&get("/app/bearer").bearer(tokens::forged()), 401);
    let cookie = format!("auth_token={}", tokens::forged());
    chain.refused(&get("/app/cookie").cookie(cookie), 401);
    if kind != Kind::Nginx {
        // nginx's error log quotes the whole request line and cannot be told not to, as its configuration says.
        chain.gate.signal("KILL");
        let ended = chain.gate.wait_for_exit(std::time::Duration::from_secs(5));
        ended.expect("SIGKILL ends it");
        let down = with_token("/app/down").send(chain.proxy.address());
        assert!(down.status >= 500, "{down:?}");
    }
    let said = chain.proxy.stop();
    for path in ["/app/logged", "/app/forged", "/app/bearer", "/app/cookie"] {
        assert!(said.contains(path), "{path} is not in the log: {said}");
    }
    let secrets = [
        token,
        tokens::forged(),
        "auth_token".to_owned(),
        "eyJ".to_owned(),
    ];
    for secret in secrets {
        assert!(!said.contains(&secret), "{secret} is in the log: {said}");
    }
}
