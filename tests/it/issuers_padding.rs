//! Padding in base64url: AWS load balancers write it, and nobody else may (RFC 7515 §2).

use serde_json::{Value, json};

use crate::harness::judge::{but, fresh};
use crate::harness::tokens::{self, p256, rsa};
use crate::harness::{Judge, Request, Settings, padded};

const LOAD_BALANCER: &str = "[issuers.alb]\npreset = \"aws-alb\"\nissuer = \"https://alb.example\"\nsigner = \"web\"\n\
    signing_certificate = \"{dir}/alb.pem\"\nusername_claim = \"sub\"\n";
const OTHER: &str = "[issuers.other]\nissuer = \"https://other.example\"\nsigning_certificate = \"{dir}/alb.pem\"\n\
    username_claim = \"sub\"\n";

/// A load balancer and another issuer, who has the very same key, so that only the padding tells.
fn judge(tables: &str) -> Judge {
    Judge::of(
        Settings::empty()
            .file("alb.pem", p256().public_pem())
            .table(tables),
    )
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "3a2b1c0d", "signer": "web", "iss": "https://alb.example", "client": "c", "exp": 1})
}

fn claims(iss: &str) -> Value {
    fresh(&json!({"iss": iss, "sub": "alice"}))
}

fn alb() -> String {
    padded::es256(p256(), &header(), &claims("https://alb.example"))
}

fn parts(token: &str) -> [&str; 3] {
    let parts: Vec<_> = token.split('.').collect();
    parts.try_into().expect("three parts")
}

#[test]
fn padding_is_accepted_from_the_load_balancer_only() {
    let judge = judge(&format!("{LOAD_BALANCER}{OTHER}"));
    judge.passes(&alb(), "alice");
    judge.passes(&alb(), "alice");
    // It may be left out.
    let plain = p256().sign_as(&header(), &claims("https://alb.example"));
    judge.passes(&plain, "alice");
    let other = padded::es256(p256(), &header(), &claims("https://other.example"));
    judge.refuses(&other, "token.malformed");
    let other = p256().sign_as(&header(), &claims("https://other.example"));
    judge.passes(&other, "alice");
    // Where the signature alone has it.
    judge.refuses(&format!("{other}=="), "token.malformed");
}

#[test]
fn without_a_load_balancer_nobody_may_pad() {
    let named = judge(OTHER);
    let other = padded::es256(p256(), &header(), &claims("https://other.example"));
    named.refuses(&other, "token.malformed");
    let sole = Judge::of(
        Settings::empty()
            .top("signing_certificate = \"{dir}/alb.pem\"\nusername_claim_field = \"sub\"")
            .file("alb.pem", p256().public_pem()),
    );
    sole.refuses(&other, "token.malformed");
    sole.passes(
        &p256().sign_as(&header(), &claims("https://other.example")),
        "alice",
    );
}

#[test]
fn wrong_padding_is_none() {
    let judge = judge(&format!("{LOAD_BALANCER}{OTHER}"));
    let token = alb();
    let [header, payload, signature] = parts(&token);
    let bare = |part: &str| part.trim_end_matches('=').to_owned();
    for wrong in [
        format!("{token}="),
        format!("{token}=="),
        format!("{token}===="),
        format!("{header}=.{payload}.{signature}"),
        format!("{header}.{payload}=.{signature}"),
        format!("{header}.{payload}.{}=", bare(signature)),
        format!("{header}.{payload}.={}", bare(signature)),
        format!("={header}.{payload}.{signature}"),
        format!("{header}.{payload}.=="),
        format!("{header}.{payload}.===="),
        format!("====.{payload}.{signature}"),
        format!("{header}.====.{signature}"),
        format!("{header}.{payload}.{}%3D%3D", bare(signature)),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}.{payload}{payload}.{signature}"),
    ] {
        judge.refuses(&wrong, "token.malformed");
    }
    // The signature covers the text as it came: taking its padding away changes what was signed.
    let stripped = format!("{}.{}.{signature}", bare(header), bare(payload));
    judge.refuses(&stripped, "token.signature");
    judge.passes(&token, "alice");
    judge.gate().assert_no_panic();
}

#[test]
fn what_is_wrong_with_a_token_is_told_the_same_beside_a_load_balancer() {
    let judge = judge(&format!("{LOAD_BALANCER}{OTHER}"));
    let claims = claims("https://other.example");
    let unsigned = tokens::compact(&json!({"alg": "none"}), &claims, b"");
    judge.refuses(&unsigned, "token.algorithm");
    let emptied = tokens::compact(&tokens::header("ES256"), &claims, b"");
    judge.refuses(&emptied, "token.signature");
    let critical = but(&tokens::header("ES256"), &json!({"crit": ["x"]}));
    judge.refuses(&p256().sign_as(&critical, &claims), "token.critical");
    judge.refuses(&rsa().sign("RS256", &claims), "token.algorithm");
}

#[test]
fn the_application_learns_who_it_is_from_a_padded_token_too() {
    let judge = judge(LOAD_BALANCER);
    let claims = but(
        &claims("https://alb.example"),
        &json!({"email": "alice@example.com", "groups": ["dev"]}),
    );
    let answer = Request::get("/userinfo")
        .header(
            "X-Amzn-Oidc-Data",
            padded::es256(p256(), &header(), &claims),
        )
        .send(judge.gate().main());
    assert_eq!(answer.status, 200);
    let told = answer.json();
    assert_eq!(told["username"], "alice");
    assert_eq!(told["email"], "alice@example.com");
    assert_eq!(told["groups"], json!(["dev"]));
    assert_eq!(told["issuer"], "https://alb.example");
}
