//! `jwtgate bench`: it measures what passes, with the operator's own configuration, and says why where nothing can be measured.

use serde_json::{Value, json};

use crate::harness::key_server::KeyServer;
use crate::harness::process::{Ran, run};
use crate::harness::{Settings, tokens};

/// The shortest run of one algorithm.
const SHORT: [&str; 5] = ["bench", "--algorithm", "HS256", "--seconds", "0.01"];

fn bench(settings: &Settings, more: &[&str], stdin: &str) -> Ran {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    run(&[&SHORT[..], &["--config", config], more].concat(), stdin)
}

fn told(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{}", ran.all());
    serde_json::from_str(&ran.stdout).expect("one JSON object")
}

/// All figures are there, and none is that of a failure.
fn assert_measured(told: &Value) {
    let rows = told["algorithms"].as_array().expect("a list");
    assert_eq!(rows.len(), 1, "{told}");
    let mut figures = vec![&rows[0]["raw_checks_per_second"]];
    for decisions in [
        &rows[0]["decisions_per_second"],
        &told["decisions_per_second"],
    ] {
        figures.extend([&decisions["first_time"], &decisions["seen_before"]]);
    }
    for way in ["first_time", "seen_before"] {
        let core = &told["core"][way];
        figures.extend([&core["requests_per_second"], &core["cpu_microseconds"]]);
    }
    for figure in figures {
        assert!(figure.as_f64().is_some_and(|figure| figure > 1.0), "{told}");
    }
}

#[test]
fn without_a_configuration_the_machine_is_measured_with_a_plain_one() {
    let ran = run(&[&SHORT[..], &["--json"]].concat(), "");
    let told = told(&ran);
    assert_measured(&told);
    assert_eq!(told["subject"]["configuration"], Value::Null);
    let text = run(&SHORT, "");
    assert_eq!(text.code, Some(0), "{}", text.all());
    for part in ["HS256", "a plain configuration", "a core carries"] {
        assert!(text.stdout.contains(part), "{}", text.stdout);
    }
    assert!(!text.stderr.contains('\u{1b}'), "progress is for terminals");
}

#[test]
fn the_own_secret_signs_and_the_own_rules_decide() {
    let settings = Settings::hmac().table(
        "[[rules]]\naction = \"require\"\npath_prefix = \"/open\"\n\
         [[rules]]\naction = \"require\"\npath_prefix = \"/\"\nrequire = { groups = [\"nobody\"] }",
    );
    let url = "https://app.example.com/open/page";
    let told = told(&bench(&settings, &["--json", "--url", url], ""));
    assert_measured(&told);
    assert_eq!(told["subject"]["token"], "a token signed for it");
    let refused = bench(&settings, &[], "");
    assert_eq!(refused.code, Some(2), "{}", refused.all());
    assert!(refused.stderr.contains("policy."), "{}", refused.stderr);
    assert!(refused.stderr.contains("--url"), "{}", refused.stderr);
}

#[test]
fn a_fresh_key_stands_in_for_issuers_that_nobody_asks() {
    let server = KeyServer::start();
    let settings = Settings::empty().table(&format!(
        "[issuers.main]\nissuer = \"{}\"\naudience = \"app\"\nrequired_claims = {{ team = \"a\" }}\nalgorithms = [\"ES256\"]\n\
         [issuers.other]\nissuer = \"https://other.example.com\"\naudience = \"app\"",
        server.issuer()
    ));
    let told = told(&bench(&settings, &["--json"], ""));
    assert_measured(&told);
    assert_eq!(
        told["subject"]["token"],
        "a token that a stand-in key signed"
    );
    assert_eq!(server.total(), 0, "no issuer is asked");
}

#[test]
fn a_given_token_is_judged_by_the_keys_of_its_issuer() {
    let server = KeyServer::start();
    let key = tokens::rsa();
    server.publishes(&[key.jwk("k1")]);
    let settings = Settings::empty().table(&format!(
        "[issuers.main]\nissuer = \"{}\"\naudience = \"{}\"\n[keys]\ncooldown = \"1s\"",
        server.issuer(),
        tokens::AUDIENCE
    ));
    let claims = tokens::claims_with(&json!({"iss": server.issuer()}));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token.txt");
    let given = |token: &str| {
        std::fs::write(&file, token).expect("a file");
        let file = file.to_str().expect("UTF-8");
        bench(&settings, &["--json", "--token-file", file], "")
    };
    let good = told(&given(&key.sign_kid("RS256", "k1", &claims)));
    assert_measured(&good);
    assert_eq!(good["subject"]["token"], "your token");
    let forged = given(&tokens::forged());
    assert_eq!(forged.code, Some(2), "{}", forged.all());
    assert!(forged.stderr.contains("token."), "{}", forged.stderr);
}

#[test]
fn faults_of_the_configuration_are_told_before_anything_is_measured() {
    let ran = bench(&Settings::hmac().top("leeway = \"much\""), &[], "");
    assert_eq!(ran.code, Some(2), "{}", ran.all());
    assert!(ran.stderr.contains("leeway"), "{}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
}
