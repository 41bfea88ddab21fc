//! The rules of each issuer: its own where it has any, else those of the top level.

use serde_json::{Value, json};

use crate::harness::judge::{but, fresh};
use crate::harness::tokens::{self, SECRET};
use crate::harness::{Judge, Settings};

const OWN_SECRET: &str = "another-secret-of-the-tests-that-is-long-enough-for-every-hash-1";

/// Two issuers: `plain` says nothing of its own beside its secret, `own` has these settings.
struct Pair(Judge);

impl Pair {
    fn of(top: &str, own: &str) -> Self {
        let secrets = format!(
            "[issuers.plain]\nissuer = \"plain\"\nsecret = \"{SECRET}\"\n\
             [issuers.own]\nissuer = \"own\"\nsecret = \"{OWN_SECRET}\"\n{own}"
        );
        Self(Judge::of(Settings::empty().top(top).table(&secrets)))
    }

    fn token(header: &Value, iss: &str, changes: &Value) -> String {
        let claims = fresh(&json!({"iss": iss, "sub": "alice", "username": "ally", "aud": "app"}));
        let secret = if iss == "own" { OWN_SECRET } else { SECRET };
        tokens::hmac(secret.as_bytes(), header, &but(&claims, changes))
    }

    fn plain(changes: &Value) -> String {
        Self::token(&tokens::header("HS256"), "plain", changes)
    }

    fn own(changes: &Value) -> String {
        Self::token(&tokens::header("HS256"), "own", changes)
    }

    #[track_caller]
    fn passes(&self, token: &str, user: &str) {
        self.0.passes(token, user);
    }

    #[track_caller]
    fn refuses(&self, token: &str, reason: &str) {
        self.0.refuses(token, reason);
    }
}

#[test]
fn audience() {
    let pair = Pair::of("expected_audience = \"app\"", "audience = [\"a\", \"b\"]");
    pair.passes(&Pair::plain(&json!({})), "ally");
    pair.refuses(&Pair::plain(&json!({"aud": "a"})), "token.audience");
    pair.passes(&Pair::own(&json!({"aud": "a"})), "ally");
    pair.passes(&Pair::own(&json!({"aud": ["x", "b"]})), "ally");
    pair.refuses(&Pair::own(&json!({})), "token.audience");
    pair.refuses(&Pair::own(&json!({"aud": null})), "token.audience");
}

#[test]
fn an_empty_audience_switches_the_check_off_for_one_issuer() {
    let pair = Pair::of("expected_audience = \"app\"", "audience = \"\"");
    pair.passes(&Pair::own(&json!({"aud": "x"})), "ally");
    pair.passes(&Pair::own(&json!({"aud": null})), "ally");
    pair.refuses(&Pair::plain(&json!({"aud": "x"})), "token.audience");
}

#[test]
fn audience_claim() {
    let pair = Pair::of(
        "expected_audience = \"app\"",
        "audience_claim = \"client_id\"",
    );
    pair.refuses(&Pair::own(&json!({})), "token.audience");
    pair.passes(
        &Pair::own(&json!({"client_id": "app", "aud": null})),
        "ally",
    );
    pair.passes(&Pair::own(&json!({"client_id": ["app"]})), "ally");
    pair.refuses(&Pair::own(&json!({"client_id": 7})), "token.claim_type");
    pair.refuses(
        &Pair::plain(&json!({"client_id": "app", "aud": null})),
        "token.audience",
    );
}

#[test]
fn algorithms() {
    let signed =
        |algorithm: &str, iss: &str| Pair::token(&tokens::header(algorithm), iss, &json!({}));
    let pair = Pair::of("algorithms = [\"HS512\"]", "algorithms = \"HS256\"");
    pair.passes(&signed("HS512", "plain"), "ally");
    pair.refuses(&signed("HS256", "plain"), "token.algorithm");
    pair.passes(&signed("HS256", "own"), "ally");
    pair.refuses(&signed("HS512", "own"), "token.algorithm");
}

#[test]
fn username_claim_and_extract_username() {
    let pair = Pair::of(
        "username_claim_field = \"email\"\nextract_username = true",
        "username_claim = [\"upn\", \"sub\"]\nextract_username = false",
    );
    let mail = json!({"email": "bob@example.com", "sub": "carol@example.com"});
    pair.passes(&Pair::plain(&mail), "bob");
    pair.passes(&Pair::own(&mail), "carol@example.com");
    pair.passes(&Pair::own(&json!({"upn": "dave@x"})), "dave@x");
    pair.refuses(&Pair::plain(&json!({"upn": "dave@x"})), "identity.username");
    // A first choice that is there and no name is no reason to take the second.
    pair.refuses(&Pair::own(&json!({"upn": 7})), "identity.username");
}

#[test]
fn leeway() {
    let pair = Pair::of("leeway = \"5m\"", "leeway = \"0s\"");
    let late = json!({"exp": tokens::now() - 60});
    pair.passes(&Pair::plain(&late), "ally");
    pair.refuses(&Pair::own(&late), "token.expired");
    let early = json!({"nbf": tokens::now() + 120});
    pair.passes(&Pair::plain(&early), "ally");
    pair.refuses(&Pair::own(&early), "token.not_yet_valid");
}

#[test]
fn require_exp() {
    let pair = Pair::of("", "require_exp = false");
    pair.refuses(&Pair::plain(&json!({"exp": null})), "token.no_expiry");
    pair.passes(&Pair::own(&json!({"exp": null})), "ally");
    let pair = Pair::of("require_exp = false", "require_exp = true");
    pair.passes(&Pair::plain(&json!({"exp": null})), "ally");
    pair.refuses(&Pair::own(&json!({"exp": null})), "token.no_expiry");
}

#[test]
fn max_lifetime() {
    let pair = Pair::of("max_lifetime = \"2h\"", "max_lifetime = \"10m\"");
    let long = json!({"exp": tokens::now() + 3 * 3600});
    pair.passes(&Pair::plain(&json!({})), "ally");
    pair.refuses(&Pair::plain(&long), "token.lifetime");
    pair.refuses(&Pair::own(&json!({})), "token.lifetime");
    let short = json!({"exp": tokens::now() + 300});
    pair.passes(&Pair::own(&short), "ally");
}

#[test]
fn token_type() {
    let typed =
        |typ: &str, iss: &str| Pair::token(&json!({"alg": "HS256", "typ": typ}), iss, &json!({}));
    let pair = Pair::of("token_type = \"at+jwt\"", "token_type = \"JWT\"");
    pair.passes(&typed("application/at+jwt", "plain"), "ally");
    pair.refuses(&typed("JWT", "plain"), "token.type");
    pair.passes(&typed("jwt", "own"), "ally");
    pair.refuses(&typed("at+jwt", "own"), "token.type");
    let off = Pair::of("token_type = \"at+jwt\"", "token_type = \"\"");
    off.passes(&typed("anything", "own"), "ally");
    off.refuses(&typed("logout+jwt", "own"), "token.type");
}

#[test]
fn required_claims_hold_for_their_issuer_only() {
    let pair = Pair::of(
        "",
        "[issuers.own.required_claims]\nhd = \"example.com\"\nroles = [\"admin\", \"ops\"]\n\
         \"realm.level\" = \"3\"\nverified = \"true\"",
    );
    let met = json!({"hd": "example.com", "roles": ["dev", "ops"], "realm": {"level": "3"}, "verified": true});
    pair.passes(&Pair::own(&met), "ally");
    pair.passes(&Pair::own(&but(&met, &json!({"roles": "admin"}))), "ally");
    pair.passes(
        &Pair::own(&but(&met, &json!({"realm.level": "3", "realm": null}))),
        "ally",
    );
    for broken in [
        json!({"hd": "Example.com"}),
        json!({"hd": "example.com.evil.example"}),
        json!({"hd": null}),
        json!({"hd": {"example.com": true}}),
        json!({"roles": []}),
        json!({"roles": ["dev"]}),
        json!({"roles": "admin,ops"}),
        json!({"roles": [["ops"]]}),
        json!({"realm": {"level": 3}}),
        json!({"realm": {"level": "33"}}),
        json!({"verified": false}),
        json!({"verified": "yes"}),
        json!({"verified": 1}),
    ] {
        pair.refuses(&Pair::own(&but(&met, &broken)), "token.claim");
    }
    pair.passes(&Pair::plain(&json!({})), "ally");
}

#[test]
fn the_example_for_required_claims_that_a_hint_gives_is_one() {
    let pair = Pair::of(
        "",
        "[issuers.own.required_claims]\n\"kubernetes.io.namespace\" = \"prod\"",
    );
    let namespace = |name: &str| json!({"kubernetes.io": {"namespace": name}});
    pair.refuses(&Pair::own(&namespace("test")), "token.claim");
    pair.passes(&Pair::own(&namespace("prod")), "ally");
}

#[test]
fn a_signer_is_wanted_where_one_is_named() {
    let pair = Pair::of("", "signer = [\"one\", \"two\"]");
    let by = |signer: Value, iss: &str| {
        let header = but(&tokens::header("HS256"), &json!({"signer": signer}));
        Pair::token(&header, iss, &json!({}))
    };
    pair.passes(&by(json!("one"), "own"), "ally");
    pair.passes(&by(json!("two"), "own"), "ally");
    for signer in [
        json!("three"),
        json!("One"),
        json!(""),
        Value::Null,
        json!(["one"]),
        json!(7),
    ] {
        pair.refuses(&by(signer, "own"), "token.signer");
    }
    pair.passes(&by(json!(7), "plain"), "ally");
}

#[test]
fn an_issuer_s_header_holds_tokens_bare_and_is_read_first() {
    use crate::harness::Request;
    let pair = Pair::of("cookie_name = \"t\"", "header_name = \"X-Own-Assertion\"");
    let gate = pair.0.gate();
    let (own, plain) = (
        Pair::own(&json!({})),
        Pair::plain(&json!({"username": "bob"})),
    );
    let ask = |request: Request| {
        let answer = request.send(gate.main());
        (
            answer.status,
            answer.header("X-Auth-User").map(str::to_owned),
        )
    };
    let get = || Request::get("/verify");
    let ally = (200, Some("ally".to_owned()));
    assert_eq!(ask(get().header("x-own-assertion", &own)), ally);
    assert_eq!(
        ask(get().header("X-Own-Assertion", &own).bearer(&plain)),
        ally
    );
    assert_eq!(
        ask(get().header("X-Own-Assertion", "x").bearer(&own)).0,
        401
    );
    // With a scheme it is no token, so the next place is asked.
    let schemed = get().header("X-Own-Assertion", format!("Bearer {own}"));
    assert_eq!(ask(schemed.clone()).0, 401);
    assert_eq!(ask(schemed.bearer(&plain)), (200, Some("bob".to_owned())));
    assert_eq!(ask(get().cookie(format!("t={own}"))), ally);
    let two = get()
        .header("X-Own-Assertion", &own)
        .header("X-Own-Assertion", &plain);
    assert_eq!(ask(two).0, 401);
}
