//! Who it is: usernames and the headers that carry an identity.

use serde_json::{Value, json};

use crate::harness::{Gate, Request, Response, Settings, tokens};

fn ask(gate: &Gate, changes: &Value) -> Response {
    Request::get("/verify")
        .bearer(tokens::with(changes))
        .send(gate.main())
}

#[track_caller]
fn named(gate: &Gate, changes: &Value, expected: &str) {
    let answer = ask(gate, changes);
    assert_eq!(
        (answer.status, answer.header("X-Auth-User")),
        (200, Some(expected)),
        "{changes}"
    );
}

/// 403, with no identity and no way to sign in, even for a page load.
#[track_caller]
fn forbidden(gate: &Gate, changes: &Value) {
    let answer = ask(gate, changes);
    assert_eq!(
        (answer.status, answer.header("X-Auth-User")),
        (403, None),
        "{changes}"
    );
    let token = tokens::with(changes);
    let page = Request::get("/forward-auth")
        .page_load()
        .forwarded("GET", "/a")
        .bearer(token)
        .send(gate.main());
    assert_eq!(
        (page.status, page.header("Location")),
        (403, None),
        "{changes}"
    );
    assert_eq!(page.header("X-Auth-User"), None, "{changes}");
}

#[test]
fn s7_1_a_username_that_is_missing_or_no_text_is_403_and_never_a_redirect() {
    let gate = Settings::with_sign_in().start();
    let bad = [
        json!(7),
        json!(true),
        json!(""),
        json!(["alice"]),
        json!({"name": "alice"}),
        json!(1.5),
    ];
    for username in bad {
        forbidden(&gate, &json!({"username": username}));
    }
    forbidden(&gate, &json!({"username": null}));
    assert!(gate.reason(1).starts_with("identity.username"));
    let mut claims = tokens::good_claims();
    claims["username"] = Value::Null;
    let answer = Request::get("/verify")
        .bearer(tokens::signed(&claims))
        .send(gate.main());
    assert_eq!(answer.status, 403);
}

#[test]
fn s7_2_control_characters_in_a_username_are_403() {
    let gate = Settings::with_sign_in().start();
    for bad in [
        "a\nb",
        "a\rb",
        "a\r\nX-Evil: 1",
        "a\0",
        "\u{7f}a",
        "a\tb",
        "\u{1b}[31m",
        "a\u{85}b",
        "\u{9b}31m",
    ] {
        forbidden(&gate, &json!({"username": bad}));
    }
}

#[test]
fn s7_3_blanks_around_a_username_are_403_and_within_it_kept() {
    let gate = Settings::with_sign_in().start();
    for bad in [" alice", "alice ", " ", "\u{a0}alice", "alice\u{3000}"] {
        forbidden(&gate, &json!({"username": bad}));
    }
    named(&gate, &json!({"username": "alice b"}), "alice b");
}

#[test]
fn s7_4_bidi_and_format_characters_are_403() {
    let gate = Settings::with_sign_in().start();
    for bad in [
        "a\u{202e}b",
        "a\u{2066}b",
        "a\u{200b}b",
        "\u{feff}a",
        "a\u{2028}b",
    ] {
        forbidden(&gate, &json!({"username": bad}));
    }
}

#[test]
fn s7_4_other_alphabets_are_percent_encoded_and_two_names_never_meet() {
    let gate = Settings::hmac().start();
    named(&gate, &json!({"username": "José"}), "Jos%C3%A9");
    named(&gate, &json!({"username": "Jos%C3%A9"}), "Jos%25C3%25A9");
    named(&gate, &json!({"username": "100%"}), "100%");
    named(&gate, &json!({"username": "100%é"}), "100%25%C3%A9");
    named(&gate, &json!({"username": "a%20b"}), "a%2520b");
    // U+010A must not be narrowed to a line feed.
    named(&gate, &json!({"username": "a\u{10a}b"}), "a%C4%8Ab");
    // Composed and decomposed forms stay two names.
    named(&gate, &json!({"username": "Jose\u{301}"}), "Jose%CC%81");
}

#[test]
fn s7_4_other_alphabets_can_be_sent_as_utf_8_or_refused() {
    let utf8 = Settings::hmac()
        .table("[identity]\nnon_ascii = \"utf8\"")
        .start();
    named(&utf8, &json!({"username": "José"}), "José");
    named(&utf8, &json!({"username": "Jos%C3%A9"}), "Jos%C3%A9");
    let refuse = Settings::with_sign_in()
        .table("[identity]\nnon_ascii = \"refuse\"")
        .start();
    forbidden(&refuse, &json!({"username": "José"}));
    named(&refuse, &json!({"username": "alice"}), "alice");
}

#[test]
fn s7_5_256_bytes_pass_and_257_do_not() {
    let gate = Settings::with_sign_in().start();
    named(
        &gate,
        &json!({"username": "u".repeat(256)}),
        &"u".repeat(256),
    );
    forbidden(&gate, &json!({"username": "u".repeat(257)}));
}

#[test]
fn s7_5_punctuation_passes_unchanged_and_nothing_is_folded() {
    let gate = Settings::hmac().start();
    for name in [
        "Alice",
        "a,b",
        "\"a\"",
        "CORP\\alice",
        "a|b",
        "<b>x",
        "--help",
        "../etc",
        "a=b;c",
        "alice@corp",
    ] {
        named(&gate, &json!({"username": name}), name);
    }
}

#[test]
fn extract_username_keeps_what_stands_before_the_first_at_sign() {
    let gate = Settings::with_sign_in()
        .top("extract_username = true")
        .start();
    named(&gate, &json!({"username": "alice@corp@evil"}), "alice");
    named(&gate, &json!({"username": "alice"}), "alice");
    forbidden(&gate, &json!({"username": "@corp"}));
}

#[test]
fn the_username_claim_is_a_literal_name_a_path_a_pointer_or_a_list() {
    let user = json!({"username": null, "user": {"name": "nested"}, "a/b": "slash"});
    let path = Settings::hmac()
        .top("username_claim_field = \"user.name\"")
        .start();
    named(&path, &user, "nested");
    let mut literal = user.clone();
    literal["user.name"] = json!("literal");
    named(&path, &literal, "literal");
    let pointer = Settings::hmac()
        .top("username_claim_field = \"/user/name\"")
        .start();
    named(&pointer, &user, "nested");
    let escaped = Settings::hmac()
        .top("username_claim_field = \"/a~1b\"")
        .start();
    named(&escaped, &user, "slash");
    let list = Settings::hmac()
        .top("username_claim_field = [\"preferred_username\", \"user.name\", \"sub\"]")
        .start();
    named(&list, &user, "nested");
    named(
        &list,
        &json!({"preferred_username": "first", "user": {"name": "nested"}}),
        "first",
    );
    named(&list, &json!({"username": "other"}), "alice-7");
}

#[test]
fn s7_1_there_is_no_fallback_that_was_not_configured() {
    let gate = Settings::with_sign_in()
        .top("username_claim_field = \"preferred_username\"")
        .start();
    forbidden(&gate, &json!({}));
}

#[test]
fn s7_7_absent_claims_are_empty_headers_so_that_no_copy_of_a_client_survives() {
    let gate = Settings::hmac().start();
    for absent in [
        json!({"email": null, "groups": null}),
        json!({"email": null, "groups": []}),
    ] {
        let answer = ask(&gate, &absent);
        assert_eq!(answer.status, 200, "{absent}");
        assert_eq!(answer.header("X-Auth-Email"), Some(""), "{absent}");
        assert_eq!(answer.header("X-Auth-Groups"), Some(""), "{absent}");
    }
    let mut claims = tokens::good_claims();
    claims["email"] = Value::Null;
    let answer = Request::get("/verify")
        .bearer(tokens::signed(&claims))
        .send(gate.main());
    assert_eq!(
        (answer.status, answer.header("X-Auth-Email")),
        (200, Some(""))
    );
}

#[test]
fn lists_are_joined_with_commas_and_an_element_that_holds_one_is_refused() {
    let gate = Settings::with_sign_in().start();
    let answer = ask(&gate, &json!({"groups": ["dev", "on call", "ops"]}));
    assert_eq!(answer.header("X-Auth-Groups"), Some("dev,on call,ops"));
    forbidden(&gate, &json!({"groups": ["dev,admin"]}));
    assert_eq!(gate.reason(1), "identity.invalid");
}

#[test]
fn claims_of_a_wrong_type_or_with_control_characters_are_403() {
    let gate = Settings::with_sign_in().start();
    let bad = [
        json!({"email": {"a": 1}}),
        json!({"email": "a\r\nX-Auth-User: root"}),
        json!({"email": "a\u{0}"}),
        json!({"groups": ["dev", 7]}),
        json!({"groups": ["dev", ["nested"]]}),
        json!({"groups": ["a\nb"]}),
        json!({"groups": {"dev": true}}),
    ];
    for changes in bad {
        forbidden(&gate, &changes);
    }
}

#[test]
fn headers_over_4_kib_or_8_kib_together_are_403() {
    let gate = Settings::with_sign_in()
        .table("[identity]\nheaders = { \"X-Auth-User\" = \"username\", \"X-A\" = \"a\", \"X-B\" = \"b\", \"X-C\" = \"c\" }")
        .start();
    assert_eq!(ask(&gate, &json!({"a": "a".repeat(4000)})).status, 200);
    forbidden(&gate, &json!({"a": "a".repeat(4097)}));
    assert_eq!(gate.reason(1), "identity.too_large");
    let three = "x".repeat(3000);
    forbidden(&gate, &json!({"a": three, "b": three, "c": three}));
}

#[test]
fn other_headers_can_be_named_with_any_claim_path() {
    let gate = Settings::hmac()
        .table("[identity]\nheaders = { \"Remote-User\" = \"username\", \"X-City\" = \"address.city\", \"X-Sub\" = \"/sub\" }")
        .start();
    let answer = ask(&gate, &json!({"address": {"city": "Oslo"}}));
    assert_eq!(answer.header("Remote-User"), Some("alice"));
    assert_eq!(answer.header("X-City"), Some("Oslo"));
    assert_eq!(answer.header("X-Sub"), Some("alice-7"));
    assert_eq!(answer.header("X-Auth-User"), None);
}

#[test]
fn s8_1_identity_headers_of_a_client_are_never_copied() {
    let gate = Settings::hmac().start();
    let spoof = |request: Request| {
        [
            "X-Auth-User",
            "x-auth-user",
            "X_Auth_User",
            "X-AUTH-EMAIL",
            "X-Auth-Groups",
        ]
        .iter()
        .fold(request, |request, name| request.header(name, "root"))
        .header("Connection", "X-Auth-User")
    };
    let good = spoof(Request::get("/verify").bearer(tokens::with(&json!({"email": null}))))
        .send(gate.main());
    assert_eq!(
        (good.status, good.header("X-Auth-User")),
        (200, Some("alice"))
    );
    assert_eq!(good.header("X-Auth-Email"), Some(""));
    assert!(
        !good.headers.iter().any(|(_, value)| value == b"root"),
        "{good:?}"
    );
    for endpoint in ["/verify", "/forward-auth", "/sign-in", "/userinfo"] {
        let none = spoof(Request::get(endpoint)).send(gate.main());
        assert_eq!(none.status, 401, "{endpoint}");
        assert!(
            !none.headers.iter().any(|(_, value)| value == b"root"),
            "{none:?}"
        );
        assert!(!none.text().contains("root"), "{none:?}");
    }
}

#[test]
fn l4_answers_of_many_people_at_once_never_meet() {
    let gate = Settings::hmac().start();
    std::thread::scope(|scope| {
        for client in 0..8 {
            let gate = &gate;
            scope.spawn(move || {
                let names: Vec<_> = (0..25)
                    .map(|index| format!("user-{client}-{index}"))
                    .collect();
                let tokens: Vec<_> = names.iter().map(|name| tokens::good_for(name)).collect();
                for _ in 0..8 {
                    for (name, token) in names.iter().zip(&tokens) {
                        let answer = Request::get("/verify").bearer(token).send(gate.main());
                        assert_eq!(
                            (answer.status, answer.header("X-Auth-User")),
                            (200, Some(name.as_str()))
                        );
                    }
                }
            });
        }
    });
}
