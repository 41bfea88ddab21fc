//! Which code checks RSA signatures, and that it can be told and chosen.

use serde_json::{Value, json};

use crate::harness::process::run;
use crate::harness::{Gate, Request, Settings, tokens};

/// Whether this machine can.
pub(super) fn has_instructions() -> bool {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    told.contains(" avx512ifma")
}

/// The same for a test that proves nothing without them.
pub(super) fn needs_instructions() -> bool {
    let has_them = has_instructions();
    if !has_them {
        let told = "NOT TESTED: this processor has no AVX-512 IFMA\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    }
    has_them
}

fn settings() -> Settings {
    let set = json!({"keys": [tokens::rsa().jwk("k1")]});
    Settings::empty()
        .file("jwks.json", set.to_string())
        .top(&format!(
            "jwks_file = \"{{dir}}/jwks.json\"\nexpected_audience = \"{}\"",
            tokens::AUDIENCE
        ))
}

fn checked_by(gate: &Gate) -> (Value, bool) {
    let status = Request::get("/keys").send(gate.admin()).json();
    let metrics = Request::get("/metrics").send(gate.admin()).text();
    let counted = metrics.contains("jwtgate_keys_with_avx512_ifma{issuer=\"default\"} 1");
    (
        status["issuers"][0]["keys"][0]["checked_by"].clone(),
        counted,
    )
}

/// Good ones pass and others do not, whoever checks.
fn assert_judges(gate: &Gate) {
    let key = tokens::rsa();
    for algorithm in ["RS256", "RS384", "RS512", "PS256"] {
        let good = key.sign_kid(algorithm, "k1", &tokens::good_claims());
        let ask = |token: &str| {
            let answer = Request::get("/verify").bearer(token).send(gate.main());
            answer.status
        };
        assert_eq!(ask(&good), 200, "{algorithm}");
        let (message, signature) = good.rsplit_once('.').expect("a token");
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let (_, rest) = signature.split_at(1);
        assert_eq!(ask(&format!("{message}.{other}{rest}")), 401, "{algorithm}");
        // A signature of the other hash.
        let (_, another) = key
            .sign_kid("RS512", "k1", &tokens::good_claims())
            .rsplit_once('.')
            .map(|(message, signature)| (message.to_owned(), signature.to_owned()))
            .expect("a token");
        assert_eq!(
            ask(&format!("{message}.{another}")),
            if algorithm == "RS512" { 200 } else { 401 }
        );
    }
}

#[test]
fn rsa_signatures_are_checked_with_the_processors_instructions_where_it_has_them() {
    let gate = settings().start();
    assert_judges(&gate);
    let own = has_instructions();
    let expected = if own { "avx512-ifma" } else { "aws-lc" };
    assert_eq!(checked_by(&gate), (json!(expected), own));
    assert_eq!(gate.output().contains("\"AVX-512 IFMA\""), own);
}

#[test]
fn the_library_checks_them_where_that_is_wanted() {
    for gate in [
        settings().table("[keys]\nrsa_ifma = false").start(),
        settings().env("JWTGATE_KEYS__RSA_IFMA", "false").start(),
    ] {
        assert_judges(&gate);
        assert_eq!(checked_by(&gate), (json!("aws-lc"), false));
        assert!(gate.output().contains("`keys.rsa_ifma` is off"));
    }
}

#[test]
fn check_and_bench_tell_who_checks_them() {
    let folder = settings().table("[keys]\nrsa_ifma = false").write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("UTF-8");
    let ran = run(&["check", "--config", config], "");
    assert!(
        ran.stdout
            .contains("RSA signatures are checked by the crypto library"),
        "{}",
        ran.all()
    );
    let bench = [
        "bench",
        "--algorithm",
        "HS256",
        "--seconds",
        "0.01",
        "--json",
    ];
    let told: Value = serde_json::from_str(&run(&bench, "").stdout).expect("JSON");
    let by = told["rsa_checked_by"].as_str().expect("a text");
    assert_eq!(by == "AVX-512 IFMA", has_instructions(), "{by}");
}
