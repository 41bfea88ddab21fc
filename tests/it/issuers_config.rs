//! `[issuers.NAME]` as it is written down: what is a fault, and what the environment may say.

use serde_json::{Value, json};

use crate::harness::judge::fresh;
use crate::harness::process::run;
use crate::harness::tokens::{self, Key, SECRET, p256, rsa};
use crate::harness::{Judge, KeyServer, Settings};

/// The faults and warnings that `check` tells, as `severity path`, and its exit code.
fn check(settings: &Settings) -> (Option<i32>, Vec<String>, String) {
    let folder = settings.write();
    let config = folder.path().join("jwtgate.toml");
    let config = config.to_str().expect("a path in UTF-8");
    let ran = run(&["check", "--config", config, "--json"], "");
    let told: Value = serde_json::from_str(&ran.stdout).expect("a JSON list");
    let text = |fault: &Value, name: &str| fault[name].as_str().expect("text").to_owned();
    let told = told.as_array().expect("a list").iter();
    let told = told
        .map(|fault| format!("{} {}", text(fault, "severity"), text(fault, "path")))
        .collect();
    (ran.code, told, ran.stdout)
}

/// `check` finds this fault, and `serve` does not start with it.
#[track_caller]
fn is_fault(settings: Settings, path: &str) {
    let (code, told, all) = check(&settings);
    assert!(told.contains(&format!("error {path}")), "{path}: {all}");
    assert_eq!(code, Some(1));
    assert!(settings.try_start().is_err(), "the server started");
}

#[track_caller]
fn is_fine(settings: &Settings) {
    let (code, told, all) = check(settings);
    assert_eq!((code, told), (Some(0), Vec::new()), "{all}");
}

/// A good issuer of this name.
fn good(name: &str) -> String {
    format!(
        "[issuers.{name}]\nissuer = \"https://{name}.example\"\nsecret = \"{SECRET}\"\naudience = \"app\"\n"
    )
}

fn with(tables: &str) -> Settings {
    Settings::empty().table(tables)
}

#[test]
fn good_issuers_are_nothing_to_talk_about() {
    is_fine(&with(&good("corp")));
    is_fine(&with(&format!("{}{}", good("corp"), good("partner"))));
    is_fine(
        &with(&good("corp")).top(&format!(
            "secret = \"{SECRET}\"\nexpected_issuer = \"https://top.example\"\nexpected_audience = \"app\""
        )),
    );
    // A source that is set to nothing is none, so the top level describes no issuer.
    is_fine(
        &with(&good("corp")).top("secret_file = \"\"\njwks_url = []\nsigning_certificate = \"\""),
    );
}

#[test]
fn a_source_at_the_top_level_beside_named_issuers_needs_its_issuer() {
    let settings = with(&good("corp")).top(&format!(
        "secret = \"{SECRET}\"\nexpected_audience = \"app\""
    ));
    is_fault(settings, "expected_issuer");
    let empty = with(&good("corp")).top(&format!(
        "secret = \"{SECRET}\"\nexpected_audience = \"app\"\nexpected_issuer = \"\""
    ));
    is_fault(empty, "expected_issuer");
}

#[test]
fn an_expected_issuer_alone_describes_no_issuer() {
    let judge = Judge::of(
        with(&good("corp"))
            .top("expected_issuer = \"https://top.example\"\nusername_claim_field = \"sub\""),
    );
    let signed = |iss: &str| {
        let claims = json!({"iss": iss, "sub": "alice", "aud": "app"});
        tokens::signed(&fresh(&claims))
    };
    judge.passes(&signed("https://corp.example"), "alice");
    judge.refuses(&signed("https://top.example"), "token.issuer");
}

#[test]
fn names_of_issuers_are_plain_and_none_is_default() {
    for name in [
        "default",
        "\"\"",
        "\"a.b\"",
        "\"a b\"",
        "\"a/b\"",
        "\"..\"",
        "\"käse\"",
        "\"https://idp.example\"",
        &"x".repeat(65),
    ] {
        let path = format!("issuers.{}", name.trim_matches('"'));
        let table = good("corp").replace("[issuers.corp]", &format!("[issuers.{name}]"));
        is_fault(with(&table), &path);
    }
    is_fine(&with(&good(&"x".repeat(64))));
    is_fine(&with(&good("Corp_1-x")));
}

#[test]
fn two_sources_of_keys_in_one_issuer_are_a_fault() {
    let sources = [
        ("jwks_file", "jwks_file = \"{dir}/keys.json\""),
        ("jwks", "jwks = '{\"keys\":[]}'"),
        ("jwks_url", "jwks_url = \"https://idp.example/jwks\""),
        ("key_url", "key_url = \"https://idp.example/{kid}\""),
        (
            "discovery_url",
            "discovery_url = \"https://idp.example/metadata\"",
        ),
    ];
    for (index, (first, one)) in sources.iter().enumerate() {
        for (second, other) in &sources[index + 1..] {
            let table =
                format!("[issuers.corp]\nissuer = \"https://corp.example\"\n{one}\n{other}\n");
            let settings =
                with(&table).file("keys.json", json!({"keys": [rsa().jwk("a")]}).to_string());
            let (code, told, all) = check(&settings);
            let path = format!("error issuers.corp.{first}, issuers.corp.{second}");
            assert!(told.contains(&path), "{path}: {all}");
            assert_eq!(code, Some(1));
        }
    }
    let secrets = format!("{}secret_file = \"{{dir}}/secret\"", good("corp"));
    is_fault(
        with(&secrets).file("secret", SECRET),
        "issuers.corp.secret, issuers.corp.secret_file",
    );
}

#[test]
fn a_secret_beside_a_certificate_is_a_warning_and_the_secret_counts() {
    let table = format!(
        "{}signing_certificate = \"{{dir}}/idp.pem\"\n",
        good("corp")
    );
    let settings = with(&table)
        .top("username_claim_field = \"sub\"")
        .file("idp.pem", rsa().public_pem());
    let (code, told, _) = check(&settings);
    let path = "warning issuers.corp.secret, issuers.corp.signing_certificate";
    assert_eq!((code, told), (Some(0), vec![path.to_owned()]));
    let judge = Judge::of(settings);
    let claims = fresh(&json!({"iss": "https://corp.example", "sub": "alice", "aud": "app"}));
    judge.passes(&tokens::signed(&claims), "alice");
    judge.refuses(&rsa().sign("RS256", &claims), "token.algorithm");
}

#[test]
fn two_issuers_with_one_name_in_their_tokens_are_a_fault() {
    let two = |first: &str, second: &str| {
        let table = |name: &str, issuer: &str| {
            format!(
                "[issuers.{name}]\nissuer = {issuer}\nsecret = \"{SECRET}\"\naudience = \"app\"\n"
            )
        };
        with(&format!("{}{}", table("a", first), table("b", second)))
    };
    is_fault(two("\"https://x\"", "\"https://x\""), "issuers.b.issuer");
    is_fault(
        two(
            "[\"https://x\", \"https://y\"]",
            "[\"https://z\", \"https://y\"]",
        ),
        "issuers.b.issuer",
    );
    is_fine(&two("\"https://x\"", "\"https://x/\""));
    is_fine(&two("\"https://x\"", "\"https://X\""));
    let top = with(&good("corp")).top(&format!(
        "secret = \"{SECRET}\"\nexpected_audience = \"app\"\nexpected_issuer = [\"https://t\", \"https://corp.example\"]"
    ));
    is_fault(top, "issuers.corp.issuer");
}

#[test]
fn one_issuer_with_several_spellings_takes_each_of_them() {
    let judge = Judge::of(
        with(&format!(
            "[issuers.corp]\nissuer = [\"https://x\", \"x\"]\nsecret = \"{SECRET}\"\naudience = \"app\""
        ))
        .top("username_claim_field = \"sub\""),
    );
    let signed = |iss: &str| {
        let claims = json!({"iss": iss, "sub": "alice", "aud": "app"});
        tokens::signed(&fresh(&claims))
    };
    judge.passes(&signed("https://x"), "alice");
    judge.passes(&signed("x"), "alice");
    judge.refuses(&signed("X"), "token.issuer");
}

#[test]
fn what_an_issuer_cannot_be_is_told_with_the_path_of_its_key() {
    let corp = |lines: &str| with(&format!("{}{lines}\n", good("corp")));
    for (lines, path) in [
        ("algorithms = [\"RS256\"]", "issuers.corp.algorithms"),
        ("algorithms = []", "issuers.corp.algorithms"),
        ("algorithms = \"none\"", "issuers.corp.algorithms"),
        ("leeway = \"1h\"", "issuers.corp.leeway"),
        ("leeway = \"soon\"", "issuers.corp.leeway"),
        ("username_claim = []", "issuers.corp.username_claim"),
        ("username_claim = \"/a~2\"", "issuers.corp.username_claim"),
        ("audience_claim = \"\"", "issuers.corp.audience_claim"),
        ("header_name = \"X Y\"", "issuers.corp.header_name"),
        ("signer = [\"\"]", "issuers.corp.signer"),
        (
            "required_claims = { hd = [] }",
            "issuers.corp.required_claims.\"hd\"",
        ),
        (
            "required_claims = { hd = 7 }",
            "issuers.corp.required_claims.hd",
        ),
        (
            "required_claims = { \"\" = \"x\" }",
            "issuers.corp.required_claims.\"\"",
        ),
        ("preset = \"oktaa\"", "issuers.corp.preset"),
        (
            "expected_issuer = \"https://x\"",
            "issuers.corp.expected_issuer",
        ),
        ("secret_encoding = \"hex\"", "issuers.corp.secret"),
    ] {
        is_fault(corp(lines), path);
    }
}

#[test]
fn what_a_source_of_keys_cannot_be_is_told_with_the_path_of_its_key() {
    for (table, path) in [
        ("audience = \"app\"", "issuers.corp.issuer"),
        ("issuer = \"\"\naudience = \"app\"", "issuers.corp.issuer"),
        ("issuer = \"not an address\"", "issuers.corp.issuer"),
        ("issuer = \"http://idp.example.com\"", "issuers.corp.issuer"),
        (
            "issuer = \"https://me@idp.example.com\"",
            "issuers.corp.issuer",
        ),
        (
            "issuer = \"https://login.example/{tenantid}/v2.0\"",
            "issuers.corp.tenants",
        ),
        (
            "issuer = \"x\"\njwks_url = \"http://idp.example.com/jwks\"",
            "issuers.corp.jwks_url",
        ),
        (
            "issuer = \"x\"\nkey_url = \"https://idp.example.com/keys\"",
            "issuers.corp.key_url",
        ),
        (
            "issuer = \"x\"\nkey_url = \"https://{kid}.example.com/\"",
            "issuers.corp.key_url",
        ),
        (
            "issuer = \"x\"\nkey_url = \"https://idp.example.com/?kid={kid}\"",
            "issuers.corp.key_url",
        ),
        (
            "issuer = \"x\"\nkey_url = \"https://idp.example.com/{kid}/{kid}\"",
            "issuers.corp.key_url",
        ),
        (
            "jwks_file = \"{dir}/absent.json\"\nissuer = \"x\"",
            "issuers.corp.jwks_file {dir}/absent.json",
        ),
    ] {
        let settings = with(&format!("[issuers.corp]\n{table}\n"));
        let (code, told, all) = check(&settings);
        let path = path.split(" {dir}").next().unwrap_or_default();
        let is_told = |told: &String| told.starts_with(&format!("error {path}"));
        assert!(told.iter().any(is_told), "{path}: {all}");
        assert_eq!(code, Some(1));
    }
}

#[test]
fn a_named_issuer_that_no_token_could_name_is_a_fault() {
    for source in [
        "jwks_url = \"https://idp.example.com/jwks\"",
        "key_url = \"https://idp.example.com/{kid}\"",
        "discovery_url = \"https://idp.example.com/metadata\"",
        "jwks_file = \"{dir}/keys.json\"",
        "signing_certificate = \"{dir}/idp.pem\"",
        "secret_file = \"{dir}/secret\"",
    ] {
        let settings = with(&format!("[issuers.corp]\naudience = \"app\"\n{source}\n"))
            .file("keys.json", json!({"keys": [rsa().jwk("a")]}).to_string())
            .file("idp.pem", rsa().public_pem())
            .file("secret", SECRET);
        is_fault(settings, "issuers.corp.issuer");
    }
}

#[test]
fn an_address_with_a_password_is_not_repeated() {
    let settings = with(
        "[issuers.corp]\nissuer = \"x\"\njwks_url = \"https://me:Sup3rS3cret@idp.example.com/jwks\"\n",
    );
    let (code, _, all) = check(&settings);
    assert_eq!(code, Some(1));
    assert!(!all.contains("Sup3rS3cret"), "{all}");
}

/// The token of an issuer in the environment, signed with the key.
fn of(key: &Key, iss: &str, changes: &Value) -> String {
    let claims = json!({"iss": iss, "sub": "alice", "aud": "app"});
    let claims = crate::harness::judge::but(&fresh(&claims), changes);
    key.sign_kid("ES256", "k1", &claims)
}

#[test]
fn issuers_can_stand_in_the_environment_alone() {
    let server = KeyServer::start();
    server.publishes(&[p256().jwk("k1")]);
    let judge = Judge::of(
        Settings::empty()
            .env("JWTGATE_ISSUERS__CORP__ISSUER", "https://corp.example")
            .env("JWTGATE_ISSUERS__CORP__JWKS_URL", &server.url("/jwks"))
            .env("JWTGATE_ISSUERS__CORP__AUDIENCE", "[\"app\", \"other\"]")
            .env("JWTGATE_ISSUERS__CORP__USERNAME_CLAIM", "sub")
            .env("JWTGATE_ISSUERS__CORP__ALGORITHMS", "ES256"),
    );
    judge.passes(&of(p256(), "https://corp.example", &json!({})), "alice");
    let other = json!({"aud": "another"});
    judge.refuses(
        &of(p256(), "https://corp.example", &other),
        "token.audience",
    );
    assert_eq!(judge.last_refusal()["issuer.name"], "corp");
}

#[test]
fn the_environment_stands_above_the_table_and_names_secret_files() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).expect("the temporary folder is writable");
    let previous = folder.path().join("previous");
    let older = "an-older-secret-of-the-tests-that-is-long-enough-for-every-hash-1";
    std::fs::write(&previous, older).expect("the temporary folder is writable");
    let path = |path: &std::path::Path| path.to_str().expect("a path in UTF-8").to_owned();
    let judge = Judge::of(
        with("[issuers.my_corp]\nissuer = \"file\"\naudience = \"file\"\nleeway = \"0s\"\nusername_claim = \"sub\"")
            .env("JWTGATE_ISSUERS__MY_CORP__SECRET_FILE", &path(&secret))
            .env("JWTGATE_ISSUERS__MY_CORP__PREVIOUS_SECRET_FILE", &path(&previous))
            .env("JWTGATE_ISSUERS__MY_CORP__ISSUER", "env")
            .env("JWTGATE_ISSUERS__MY_CORP__AUDIENCE", "app")
            .env("JWTGATE_ISSUERS__MY_CORP__REQUIRE_EXP", "false")
            .env("JWTGATE_ISSUERS__MY_CORP__HEADER_NAME", "X-Corp"),
    )
    .in_header("X-Corp");
    let signed = |secret: &str, iss: &str| {
        let claims = json!({"iss": iss, "sub": "alice", "aud": "app", "exp": null});
        let claims = crate::harness::judge::but(&fresh(&json!({})), &claims);
        tokens::hmac(secret.as_bytes(), &tokens::header("HS256"), &claims)
    };
    judge.passes(&signed(SECRET, "env"), "alice");
    judge.passes(&signed(older, "env"), "alice");
    judge.refuses(&signed(SECRET, "file"), "token.issuer");
}

#[test]
fn variables_that_name_no_key_of_an_issuer_are_faults() {
    for (name, value) in [
        ("JWTGATE_ISSUERS__CORP__ISSUERS", "x"),
        ("JWTGATE_ISSUERS__CORP__PRESET", "oktaa"),
        ("JWTGATE_ISSUERS__CORP", "x"),
        ("JWTGATE_ISSUERS", "x"),
        ("JWTGATE_ISSUERS__CORP__REQUIRED_CLAIMS", "{\"hd\":\"x\"}"),
        ("JWTGATE_ISSUERS__CORP__REQUIRED_CLAIMS__HD", "x"),
        ("JWTGATE_ISSUERS__CORP__LEEWAY", "soon"),
        ("JWTGATE_ISSUERS__CORP__ISSUER__URL", "x"),
        ("JWTGATE_ISSUERS__DEFAULT__ISSUER", "x"),
    ] {
        match with(&good("corp")).env(name, value).try_start() {
            Ok(gate) => panic!("{name} is taken:\n{}", gate.output()),
            Err(exited) => {
                let path = name.strip_prefix("JWTGATE_").unwrap_or(name).to_lowercase();
                let path = path.split("__").take(2).collect::<Vec<_>>().join(".");
                assert!(
                    exited.output.contains(name) || exited.output.contains(&path),
                    "{name}: {}",
                    exited.output
                );
            }
        }
    }
}
