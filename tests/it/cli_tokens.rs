//! `keygen`, `mint`, `inspect` and `explain`, used as an operator would chain them.

use std::fs;

use serde_json::Value;

use crate::harness::process::{Ran, run};
use crate::harness::tokens::{self, AUDIENCE};
use crate::harness::{Request, Settings};

// ── The flags that these tests rely on, each in one place ───────────────────────────────────────────────────────────

/// `{"private_pem":…,"public_pem":…,"jwks":{"keys":[…]}}` on stdout.
fn keygen(algorithm: &str, kid: &str) -> Value {
    let ran = run(
        &["keygen", "--algorithm", algorithm, "--kid", kid, "--json"],
        "",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    serde_json::from_str(&ran.stdout).expect("keygen --json prints JSON")
}

/// A token on stdout.
fn mint(key_file: &str, algorithm: &str, kid: &str, claims: &Value) -> String {
    let claims = claims.to_string();
    let ran = run(
        &[
            "mint",
            "--key",
            key_file,
            "--algorithm",
            algorithm,
            "--kid",
            kid,
            "--claims",
            &claims,
        ],
        "",
    );
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    ran.stdout.trim().to_owned()
}

/// `{"header":…,"claims":…}` on stdout, from a token on stdin.
fn inspect(token: &str) -> Ran {
    run(&["inspect", "--json"], token)
}

/// The verdict on a token on stdin: exit code 0 for a pass, 1 for a refusal.
fn explain(settings: &Settings, token: &str) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    run(
        &[
            "explain",
            "--config",
            config.to_str().expect("a path in UTF-8"),
        ],
        token,
    )
}

// ── The tests ───────────────────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn what_keygen_makes_mint_signs_with_and_the_gate_believes() {
    for algorithm in ["RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"] {
        let keys = keygen(algorithm, "k1");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let private = folder.path().join("private.pem");
        fs::write(&private, keys["private_pem"].as_str().expect("a PEM"))
            .expect("the temporary folder is writable");
        let path = private.to_str().expect("a path in UTF-8");
        let token = mint(path, algorithm, "k1", &tokens::good_claims());

        let audience = || Settings::empty().top(&format!("expected_audience = \"{AUDIENCE}\""));
        let set = audience()
            .file("jwks.json", keys["jwks"].to_string())
            .top("jwks_file = \"{dir}/jwks.json\"");
        let pem = audience()
            .file("public.pem", keys["public_pem"].as_str().expect("a PEM"))
            .top("signing_certificate = \"{dir}/public.pem\"");
        for settings in [set, pem] {
            let explained = explain(&settings, &token);
            assert_eq!(explained.code, Some(0), "{algorithm}: {}", explained.all());
            let gate = settings.start();
            let answer = Request::get("/verify").bearer(&token).send(gate.main());
            assert_eq!(
                (answer.status, answer.header("X-Auth-User")),
                (200, Some("alice")),
                "{algorithm}"
            );
        }
        assert_eq!(keys["jwks"]["keys"][0]["kid"], "k1");
        assert!(
            !keys["jwks"].to_string().contains("\"d\""),
            "a private member stands in the public set"
        );
    }
}

#[test]
fn many_tokens_are_minted_each_another() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let file = folder.path().join("secret.txt");
    fs::write(&file, tokens::SECRET).expect("the temporary folder is writable");
    let key = file.to_str().expect("a path in UTF-8");
    let mint = |count: &str| {
        let audience = ["--audience", AUDIENCE, "--username", "alice"];
        run(
            &[&["mint", "--key", key, "--count", count], &audience[..]].concat(),
            "",
        )
    };
    let ran = mint("3");
    let mut minted: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(minted.len(), 3, "{}", ran.all());
    minted.sort_unstable();
    minted.dedup();
    assert_eq!(minted.len(), 3, "{}", ran.all());
    let gate = Settings::hmac().start();
    for token in minted {
        let answer = Request::get("/verify").bearer(token).send(gate.main());
        assert_eq!(answer.header("X-Auth-User"), Some("alice"));
    }
    for count in ["0", "-1", "1000001", "many"] {
        assert_eq!(mint(count).code, Some(2), "{count}");
    }
}

#[test]
fn keygen_makes_hmac_secrets_as_long_as_their_hash() {
    for (algorithm, hash) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        let ran = run(&["keygen", "--algorithm", algorithm], "");
        assert_eq!(ran.code, Some(0), "{}", ran.all());
        let secret = ran.stdout.trim().to_owned();
        assert!(secret.len() >= hash, "{algorithm}: {} bytes", secret.len());
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("secret");
        fs::write(&file, &ran.stdout).expect("the temporary folder is writable");
        let token = mint(
            file.to_str().expect("a path in UTF-8"),
            algorithm,
            "k1",
            &tokens::good_claims(),
        );
        let settings = Settings::empty().top(&format!(
            "expected_audience = \"{AUDIENCE}\"\nsecret_file = \"{}\"\nalgorithms = [\"{algorithm}\"]",
            file.display()
        ));
        let gate = settings.start();
        assert_eq!(
            Request::get("/verify")
                .bearer(&token)
                .send(gate.main())
                .status,
            200,
            "{algorithm}"
        );
    }
}

#[test]
fn two_keys_are_never_the_same() {
    assert_ne!(
        keygen("ES256", "k")["private_pem"],
        keygen("ES256", "k")["private_pem"]
    );
}

#[test]
fn inspect_shows_header_and_claims_and_says_that_nothing_was_verified() {
    let ran = inspect(&tokens::forged());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    let shown: Value = serde_json::from_str(&ran.stdout).expect("inspect --json prints JSON");
    assert_eq!(shown["header"]["alg"], "HS256");
    assert_eq!(shown["claims"]["username"], "alice");
    let plain = run(&["inspect"], &tokens::forged());
    assert!(
        plain.code == Some(0) && plain.all().contains("not verified"),
        "{}",
        plain.all()
    );
    let garbage = inspect("no token");
    assert_eq!(garbage.code, Some(1), "{}", garbage.all());
}

#[test]
fn explain_names_the_failing_step_and_the_reason_of_the_log() {
    let cases = [
        (tokens::expired(), "token.expired"),
        (tokens::forged(), "token.signature"),
        (tokens::wrong_audience(), "token.audience"),
        (tokens::unsigned(), "token.algorithm"),
        ("not.a.token".to_owned(), "token.malformed"),
        (
            tokens::with(&serde_json::json!({"username": null})),
            "identity.username",
        ),
    ];
    for (token, reason) in cases {
        let ran = explain(&Settings::hmac(), &token);
        assert_eq!(ran.code, Some(1), "{reason}: {}", ran.all());
        assert!(ran.all().contains(reason), "no {reason} in:\n{}", ran.all());
    }
}

#[test]
fn explain_agrees_with_the_gate_and_never_prints_the_token() {
    let gate = Settings::hmac().start();
    let all = [
        tokens::good(),
        tokens::expired(),
        tokens::forged(),
        tokens::unsigned(),
        tokens::wrong_audience(),
    ];
    for token in all {
        let ran = explain(&Settings::hmac(), &format!("{token}\n"));
        let served = Request::get("/verify")
            .bearer(&token)
            .send(gate.main())
            .status;
        assert_eq!(ran.code == Some(0), served == 200, "{}", ran.all());
        for part in token.split('.').skip(1).filter(|part| !part.is_empty()) {
            assert!(
                !ran.all().contains(part),
                "the token is printed:\n{}",
                ran.all()
            );
        }
        assert!(!ran.all().contains(tokens::SECRET), "{}", ran.all());
    }
}

#[test]
fn explain_shows_who_a_good_token_is() {
    let ran = explain(&Settings::hmac(), &tokens::good());
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    assert!(
        ran.all().contains("X-Auth-User") && ran.all().contains("alice"),
        "{}",
        ran.all()
    );
}
