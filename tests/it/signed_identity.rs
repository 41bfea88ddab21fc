//! `[signed_identity]`: who it is, signed by jwtgate.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::process::run;
use crate::harness::{Gate, Request, Response, Settings, tokens};

const SIGNED: &str = r#"
    [signed_identity]
    header = "X-Auth-Identity"
    issuer = "https://gate.example.com"
    audience = "https://app.example.com"
    lifetime = "1m"
"#;

fn ask(gate: &Gate, path: &str, token: &str) -> Response {
    Request::get("/verify")
        .original("GET", path)
        .bearer(token)
        .send(gate.main())
}

#[track_caller]
fn signed(answer: &Response) -> String {
    assert_eq!(answer.status, 200);
    let values = answer.values("X-Auth-Identity");
    assert_eq!(values.len(), 1);
    values[0].to_owned()
}

fn parts(token: &str) -> (Value, Value) {
    let part = |index: usize| {
        let text = token.split('.').nth(index).expect("three parts");
        let json = URL_SAFE_NO_PAD.decode(text).expect("base64url");
        serde_json::from_slice(&json).expect("JSON")
    };
    (part(0), part(1))
}

/// Whether another gate, which has only the published keys, takes the token.
fn is_verified(gate: &Gate, token: &str, audience: &str) -> bool {
    let keys = Request::get("/.well-known/jwks.json").send(gate.main());
    assert_eq!(keys.status, 200);
    assert_eq!(
        keys.header("Content-Type"),
        Some("application/jwk-set+json")
    );
    let settings = Settings::empty()
        .top(&format!("expected_audience = \"{audience}\"\nexpected_issuer = \"https://gate.example.com\"\nusername_claim_field = \"sub\"\njwks_file = \"{{dir}}/keys.json\""))
        .file("keys.json", keys.text().into_bytes())
        .start();
    ask(&settings, "/", token).header("X-Auth-User") == Some("alice")
}

#[test]
fn the_application_can_verify_who_it_is_with_the_published_keys() {
    let gate = Settings::hmac().table(SIGNED).start();
    let token = tokens::with(&json!({"name": "Alice A.", "exp": tokens::now() + 20}));
    let identity = signed(&ask(&gate, "/", &token));
    let (header, claims) = parts(&identity);
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES256"), &json!("JWT"))
    );
    for (claim, expected) in [
        ("iss", json!("https://gate.example.com")),
        ("aud", json!("https://app.example.com")),
        ("sub", json!("alice")),
        ("email", json!("alice@example.com")),
        ("name", json!("Alice A.")),
        ("groups", json!(["dev", "ops"])),
        ("idp", json!("default")),
    ] {
        assert_eq!(claims[claim], expected, "{claim}");
    }
    // It lives no longer than the token it was made from.
    let left = claims["exp"].as_i64().unwrap() - tokens::now();
    assert!((1..=20).contains(&left), "{left}");
    assert!(is_verified(&gate, &identity, "https://app.example.com"));
    assert!(!is_verified(&gate, &identity, "https://other.example.com"));
    // The same token gets the same one: it is made once.
    assert_eq!(signed(&ask(&gate, "/", &token)), identity);
    let again = tokens::with(&json!({"name": "Alice B."}));
    assert_ne!(signed(&ask(&gate, "/", &again)), identity);
}

#[test]
fn a_rule_says_for_whom_it_is_and_nobody_known_gets_an_empty_header() {
    let gate = Settings::hmac()
        .table(SIGNED)
        .table(
            r#"
            [access]
            admin_groups = "ops"
            [identity.fields.groups]
            only_prefix = "d"
            [identity.headers]
            X-Auth-User = "username"
            X-Auth-Role = "role"
            [[rules]]
            action = "require"
            path_prefix = "/orders"
            audience = ["https://orders", "https://billing"]
            [[rules]]
            action = "public"
            path = "/public"
            [[rules]]
            action = "require"
            "#,
        )
        .start();
    let token = tokens::good();
    let (_, orders) = parts(&signed(&ask(&gate, "/orders/1", &token)));
    assert_eq!(orders["aud"], json!(["https://orders", "https://billing"]));
    assert_eq!(orders["groups"], json!(["dev"]));
    assert_eq!(orders["role"], json!("admin"));
    let (_, other) = parts(&signed(&ask(&gate, "/", &token)));
    assert_eq!(other["aud"], json!("https://app.example.com"));
    let public = Request::get("/verify")
        .original("GET", "/public")
        .send(gate.main());
    assert_eq!(signed(&public), "");
    let refused = ask(&gate, "/", "garbage");
    assert_eq!(
        (refused.status, refused.header("X-Auth-Identity")),
        (401, None)
    );
}

#[test]
fn keys_from_files_are_published_in_full_and_made_keys_survive_a_reload() {
    let made = |name: &str| {
        let ran = run(&["keygen", "--algorithm", "EdDSA"], "");
        assert_eq!(ran.code, Some(0), "{name}");
        ran.stdout
    };
    let gate = Settings::hmac()
        .table(&format!(
            "{SIGNED}\nalgorithm = \"EdDSA\"\nkey_files = [\"{{dir}}/new.pem\", \"{{dir}}/old.pem\"]"
        ))
        .file("new.pem", made("new").into_bytes())
        .file("old.pem", made("old").into_bytes())
        .start();
    let set = Request::get("/.well-known/jwks.json")
        .send(gate.main())
        .json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
    assert!(!set.to_string().contains("\"d\""));
    let (header, _) = parts(&signed(&ask(&gate, "/", &tokens::good())));
    assert_eq!(header["kid"], set["keys"][0]["kid"]);

    let gate = Settings::hmac().table(SIGNED).start();
    let keys = || {
        Request::get("/.well-known/jwks.json")
            .send(gate.main())
            .text()
    };
    let before = keys();
    gate.signal("HUP");
    assert!(gate.wait_for_line("reloaded"), "{}", gate.output());
    assert_eq!(keys(), before);
}

#[test]
fn without_it_there_are_no_keys_and_faults_are_told() {
    let gate = Settings::hmac().start();
    let answer = Request::get("/.well-known/jwks.json").send(gate.main());
    assert_eq!(answer.status, 404);
    assert_eq!(
        ask(&gate, "/", &tokens::good()).header("X-Auth-Identity"),
        None
    );
    for (table, told) in [
        (
            "[signed_identity]\nheader = \"X-Auth-Identity\"",
            "signed_identity.issuer",
        ),
        (
            "[signed_identity]\nheader = \"x_auth_user\"\nissuer = \"https://g\"",
            "signed_identity.header",
        ),
        (
            "[signed_identity]\nheader = \"X-I\"\nissuer = \"https://g\"\nlifetime = \"1d\"",
            "signed_identity.lifetime",
        ),
        (
            "[signed_identity]\nheader = \"X-I\"\nissuer = \"https://g\"\nkey_files = \"none.pem\"",
            "signed_identity.key_files",
        ),
        (
            "[[rules]]\naction = \"require\"\naudience = \"https://a\"",
            "signed_identity.header",
        ),
    ] {
        match Settings::hmac().table(table).try_start() {
            Ok(_) => panic!("{table} was accepted"),
            Err(exited) => assert!(exited.output.contains(told), "{}", exited.output),
        }
    }
}

#[test]
fn nothing_that_no_header_may_hold_is_signed_and_no_group_is_lost() {
    let gate = Settings::hmac()
        .table(SIGNED)
        .table("[identity]\npreset = \"jupyterhub\"")
        .start();
    for (index, (claims, reason)) in [
        (json!({"email": "a\nb"}), "identity.invalid"),
        (json!({"name": "a\u{202e}b"}), "identity.invalid"),
        (json!({"groups": ["a\u{7}"]}), "identity.invalid"),
        (json!({"groups": {"a": 1}}), "identity.invalid"),
        (json!({"email": ["x"]}), "identity.invalid"),
        (
            json!({"_claim_names": {"groups": "s"}}),
            "identity.group_overage",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = ask(&gate, "/", &tokens::with(&claims));
        assert_eq!(
            (answer.status, answer.header("X-Auth-Identity")),
            (403, None),
            "{claims}"
        );
        assert_eq!(gate.reason(index + 1), reason, "{claims}");
    }
    let (_, said) = parts(&signed(&ask(
        &gate,
        "/",
        &tokens::with(&json!({"email_verified": false})),
    )));
    assert_eq!(said["email_verified"], json!(false));
}

#[test]
fn a_token_that_is_good_by_leeway_alone_gets_a_moment_and_sign_in_is_signed_too() {
    let gate = Settings::hmac().table(SIGNED).start();
    let late = tokens::with(&json!({"exp": tokens::now() - 5}));
    let (_, said) = parts(&signed(&ask(&gate, "/", &late)));
    let left = said["exp"].as_i64().unwrap() - tokens::now();
    assert!((1..=10).contains(&left), "{left}");
    let answer = Request::get("/sign-in")
        .page_load()
        .bearer(tokens::good())
        .send(gate.main());
    assert!(signed(&answer).split('.').count() == 3);
}

#[test]
fn an_audience_that_says_nothing_is_a_fault() {
    for rule in [
        "[[rules]]\naction = \"require\"\naudience = []",
        "[[rules]]\naction = \"require\"\naudience = \"\"",
        "[[shadow_rules]]\naction = \"require\"\naudience = \"https://a\"",
    ] {
        match Settings::hmac().table(SIGNED).table(rule).try_start() {
            Ok(_) => panic!("{rule} was accepted"),
            Err(exited) => assert!(
                exited.output.contains("rules[0].audience"),
                "{}",
                exited.output
            ),
        }
    }
}

#[test]
fn what_cannot_be_signed_is_refused_with_its_digest_and_passes_as_nobody_where_nobody_is_needed() {
    let gate = Settings::hmac()
        .table(SIGNED)
        .table("[identity]\npreset = \"jupyterhub\"\nmax_total_bytes = 512\n[[rules]]\naction = \"public\"\npath = \"/public\"\n[[rules]]\naction = \"require\"")
        .start();
    let groups: Vec<_> = (0..40).map(|number| format!("group-{number:03}")).collect();
    let token = tokens::with(&json!({"groups": groups}));
    assert_eq!(ask(&gate, "/", &token).status, 403);
    let refusal = gate.refusals(1).remove(0).to_string();
    assert!(refusal.contains("identity.too_large"), "{refusal}");
    assert!(refusal.contains("X-Auth-Identity"), "{refusal}");
    assert!(!refusal.contains("00000000"), "{refusal}");
    let public = ask(&gate, "/public", &token);
    assert_eq!(signed(&public), "");
    assert_eq!(public.header("Remote-User"), Some(""));
}
