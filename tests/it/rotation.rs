//! Keys that a real provider rotates, in the shapes of those that people have.

use std::time::{Duration, Instant};

use crate::harness::{Gate, Provider, Request, Settings, Shape, wait};

/// A gate for the provider's tokens. The cooldown is short, so that a test sees two rotations.
fn gate(provider: &Provider, shape: Shape) -> Gate {
    Settings::empty()
        .top("username_claim_field = \"sub\"")
        .table("[keys]\ncooldown = \"1s\"")
        .table(&format!(
            "[issuers.idp]\nissuer = \"{}\"\naudience = \"{}\"",
            provider.issuer(),
            shape.audience()
        ))
        .start()
}

fn status(gate: &Gate, token: &str) -> u16 {
    // A request may wait for keys, and the machine may be busy.
    Request::get("/verify")
        .bearer(token)
        .timeout(Duration::from_secs(20))
        .send(gate.main())
        .status
}

/// How often the provider was asked for its keys.
fn fetches(provider: &Provider) -> usize {
    let is_key_set = |event: &serde_json::Value| {
        let path = event["path"].as_str().unwrap_or_default();
        path.ends_with("/jwks") || path.ends_with("/keys")
    };
    provider
        .events()
        .iter()
        .filter(|event| is_key_set(event))
        .count()
}

/// Waits until the cooldown of the last fetch is over, by asking the gate.
fn until_asked_again(provider: &Provider, count: usize) {
    let asked = wait::until(Duration::from_secs(10), || {
        (fetches(provider) > count).then_some(())
    });
    assert!(asked.is_some(), "the provider was not asked again");
}

fn rotates(shape: Shape) {
    let Some(provider) = Provider::start(shape) else {
        return;
    };
    let gate = gate(&provider, shape);
    let first = provider.token();
    assert_eq!(status(&gate, &first), 200);

    // With overlap: nobody is refused.
    provider.rotate(false);
    let second = provider.token();
    assert_eq!(status(&gate, &first), 200);
    let began = Instant::now();
    let accepted = wait::until(Duration::from_secs(10), || {
        (status(&gate, &second) == 200).then_some(())
    });
    assert!(accepted.is_some(), "{shape:?}: a new key is not taken");
    // One cooldown, and the waiting of a request for it.
    assert!(began.elapsed() < Duration::from_secs(3));
    assert_eq!(
        status(&gate, &first),
        200,
        "{shape:?}: the old key is still published"
    );

    // Hard: the new key is taken, the old one dies with the tokens that were remembered for it.
    provider.rotate(true);
    let third = provider.token();
    let accepted = wait::until(Duration::from_secs(10), || {
        (status(&gate, &third) == 200).then_some(())
    });
    assert!(accepted.is_some(), "{shape:?}: a new key is not taken");
    for old in [&first, &second] {
        assert_ne!(
            status(&gate, old),
            200,
            "{shape:?}: a removed key still counts"
        );
    }
    gate.assert_no_panic();
}

#[test]
fn s14_4_keys_rotate_at_a_provider_of_the_plain_shape() {
    rotates(Shape::Generic);
}

#[test]
fn s14_4_keys_rotate_at_a_provider_of_the_shape_of_okta() {
    rotates(Shape::Okta);
}

#[test]
fn s14_4_keys_rotate_at_a_provider_of_the_shape_of_entra() {
    rotates(Shape::Azure);
}

#[test]
fn s14_5_a_provider_that_is_down_costs_no_good_token() {
    let Some(provider) = Provider::start(Shape::Okta) else {
        return;
    };
    let gate = gate(&provider, Shape::Okta);
    let token = provider.token();
    assert_eq!(status(&gate, &token), 200);
    provider.set("down=jwks");
    let before = fetches(&provider);
    let began = Instant::now();
    // A key that nobody has makes the gate ask.
    let unknown = crate::harness::tokens::rsa().sign_kid(
        "RS256",
        "nobody",
        &serde_json::json!({"iss": provider.issuer()}),
    );
    while began.elapsed() < Duration::from_secs(4) {
        assert_eq!(status(&gate, &unknown), 503);
        assert_eq!(status(&gate, &token), 200);
    }
    until_asked_again(&provider, before);
    provider.set("down=none");
    let fresh = {
        provider.rotate(false);
        provider.token()
    };
    let accepted = wait::until(Duration::from_secs(10), || {
        (status(&gate, &fresh) == 200).then_some(())
    });
    assert!(accepted.is_some(), "it does not recover");
}

#[test]
fn several_tenants_of_one_provider_are_told_apart() {
    let Some(provider) = Provider::start(Shape::Azure) else {
        return;
    };
    let tenant = "11111111-2222-3333-4444-555555555555";
    let origin = provider.url("");
    let origin = origin.trim_end_matches('/');
    let issuers = |tenants: &str| {
        Settings::empty().table(&format!(
            "[issuers.entra]\npreset = \"entra\"\nissuer = \"{origin}/{{tenantid}}/v2.0\"\n\
             discovery_url = \"{origin}/common/v2.0/.well-known/openid-configuration\"\n\
             tenants = [{tenants}]\naudience = \"{}\"\nusername_claim = \"sub\"",
            Shape::Azure.audience()
        ))
    };
    let token = provider.token();
    let ours = issuers(&format!("\"{tenant}\"")).start();
    assert_eq!(status(&ours, &token), 200, "{}", ours.output());
    let others = issuers("\"99999999-2222-3333-4444-555555555555\"").start();
    assert_eq!(status(&others, &token), 401);
    assert_eq!(others.reason(1), "token.issuer");
}
