//! One set of keys for many tenants, as Microsoft has it: only listed tenants pass, and each by keys that may speak for it.

use serde_json::{Value, json};

use crate::harness::judge::{PACE, but, fresh, metadata_of, publisher_for};
use crate::harness::tokens::{Key, ed25519, p256, rsa, second_p256, second_rsa};
use crate::harness::{Judge, KeyServer, Settings};

const ACME: &str = "11111111-1111-1111-1111-111111111111";
const GLOBEX: &str = "22222222-2222-2222-2222-222222222222";
const EVIL: &str = "66666666-6666-6666-6666-666666666666";
/// Of everybody's personal accounts.
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn v2(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

fn v1(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// A key that may speak for this issuer.
fn key_for(issuer: &str, kid: &str, key: &Key) -> Value {
    but(&key.jwk(kid), &json!({"issuer": issuer}))
}

fn published() -> KeyServer {
    let keys = [
        key_for(&v2("{tenantid}"), "all", rsa()),
        key_for(&v2(ACME), "acme", second_rsa()),
        key_for(&v2(PERSONAL), "personal", p256()),
        second_p256().jwk("unsaid"),
    ];
    publisher_for(&v2("{tenantid}"), &keys)
}

fn judge(server: &KeyServer) -> Judge {
    Judge::of(
        Settings::empty()
            .table(&format!(
                "[issuers.work]\npreset = \"entra\"\ntenants = [\"{ACME}\", \"{GLOBEX}\"]\naudience = \"app\"\n\
                 algorithms = [\"RS256\", \"ES256\"]\ndiscovery_url = \"{}\"",
                metadata_of(server)
            ))
            .table(PACE),
    )
}

fn claims(tenant: &str) -> Value {
    fresh(&json!({
        "iss": v2(tenant), "tid": tenant, "aud": "app", "preferred_username": "alice", "ver": "2.0", "oid": "7",
    }))
}

#[test]
fn listed_tenants_pass_and_others_do_not() {
    let server = published();
    let judge = judge(&server);
    let signed = |tenant: &str| rsa().sign_kid("RS256", "all", &claims(tenant));
    judge.passes(&signed(ACME), "alice");
    judge.passes(&signed(GLOBEX), "alice");
    let asked = server.total();
    for tenant in [
        EVIL,
        PERSONAL,
        "{tenantid}",
        "common",
        "organizations",
        "",
        "11111111-1111-1111-1111-111111111111/../22222222-2222-2222-2222-222222222222",
    ] {
        // With keys that are new, too: the tenant is judged before anybody is asked.
        judge.refuses(&signed(tenant), "token.issuer");
        let new = rsa().sign_kid("RS256", "new", &claims(tenant));
        judge.refuses(&new, "token.issuer");
    }
    assert_eq!(server.total(), asked);
}

#[test]
fn the_tenant_of_a_token_is_the_one_that_its_issuer_names() {
    let server = published();
    let judge = judge(&server);
    let signed = |tid: Value| {
        let claims = but(&claims(ACME), &json!({"tid": tid}));
        rsa().sign_kid("RS256", "all", &claims)
    };
    judge.passes(&signed(json!(ACME)), "alice");
    for tid in [
        json!(GLOBEX),
        json!(EVIL),
        json!(""),
        json!(format!("{ACME} ")),
        Value::Null,
    ] {
        judge.refuses(&signed(tid), "token.issuer");
    }
    for tid in [json!([ACME]), json!(1), json!({"id": ACME})] {
        judge.refuses(&signed(tid), "token.claim_type");
    }
}

#[test]
fn a_key_speaks_only_for_the_issuer_that_its_set_names() {
    let server = published();
    let judge = judge(&server);
    // Twice, for what the gate remembers of headers.
    for _ in 0..2 {
        for (key, algorithm, kid, mine) in [
            (rsa(), "RS256", "all", &[ACME, GLOBEX][..]),
            (second_rsa(), "RS256", "acme", &[ACME]),
            (p256(), "ES256", "personal", &[]),
            (second_p256(), "ES256", "unsaid", &[ACME, GLOBEX]),
        ] {
            for tenant in [ACME, GLOBEX] {
                let token = key.sign_kid(algorithm, kid, &claims(tenant));
                if mine.contains(&tenant) {
                    judge.passes(&token, "alice");
                } else {
                    judge.refuses(&token, "token.issuer");
                }
            }
        }
    }
    // Without its name, too.
    let nameless = second_rsa().sign("RS256", &claims(GLOBEX));
    judge.refuses(&nameless, "token.issuer");
}

#[test]
fn tokens_of_version_1_have_tenants_too() {
    let server = publisher_for(
        &v1("{tenantid}"),
        &[key_for(&v2("{tenantid}"), "all", rsa())],
    );
    let judge = Judge::of(Settings::empty().table(PACE).table(&format!(
        "[issuers.work]\npreset = \"entra-v1\"\ntenants = \"{ACME}\"\naudience = \"app\"\ndiscovery_url = \"{}\"",
        metadata_of(&server)
    )));
    let signed = |tenant: &str| {
        let claims =
            json!({"iss": v1(tenant), "tid": tenant, "aud": "app", "upn": "alice", "ver": "1.0"});
        rsa().sign_kid("RS256", "all", &fresh(&claims))
    };
    judge.passes(&signed(ACME), "alice");
    judge.refuses(&signed(GLOBEX), "token.issuer");
    let v2_of_acme = rsa().sign_kid("RS256", "all", &claims(ACME));
    judge.refuses(&v2_of_acme, "token.issuer");
}

#[test]
fn tenants_work_without_a_preset_and_beside_other_issuers() {
    let set = json!({"keys": [key_for("https://idp.example/acme", "acme", rsa()), second_rsa().jwk("all")]});
    let judge = Judge::of(
        Settings::empty()
            .top("username_claim_field = \"sub\"\nexpected_audience = \"app\"")
            .file("keys.json", set.to_string())
            .file("other.pem", ed25519().public_pem())
            .table(
                "[issuers.work]\nissuer = \"https://idp.example/{tenantid}\"\ntenants = [\"acme\", \"globex\"]\n\
                 jwks_file = \"{dir}/keys.json\"\n\
                 [issuers.other]\nissuer = \"https://idp.example/other\"\nsigning_certificate = \"{dir}/other.pem\"",
            ),
    );
    let claims = |tenant: &str, tid: Value| {
        let iss = format!("https://idp.example/{tenant}");
        fresh(&json!({"iss": iss, "tid": tid, "aud": "app", "sub": "alice"}))
    };
    let acme = claims("acme", json!("acme"));
    let globex = claims("globex", json!("globex"));
    judge.passes(&rsa().sign_kid("RS256", "acme", &acme), "alice");
    judge.passes(&second_rsa().sign_kid("RS256", "all", &globex), "alice");
    judge.refuses(&rsa().sign_kid("RS256", "acme", &globex), "token.issuer");
    // Of the other issuer nobody wants a tenant.
    let other = claims("other", json!(7));
    judge.passes(&ed25519().sign("EdDSA", &other), "alice");
    judge.refuses(
        &second_rsa().sign_kid("RS256", "all", &other),
        "token.algorithm",
    );
}

#[test]
fn keys_of_an_issuer_in_a_set_are_looked_at_where_tenants_are_listed_only() {
    // A member that no standard knows: elsewhere it may mean anything.
    let set = json!({"keys": [key_for("Acme Corporation", "k1", rsa())]});
    let judge = Judge::of(
        Settings::empty()
            .top("username_claim_field = \"sub\"\nexpected_audience = \"app\"")
            .file("keys.json", set.to_string())
            .table(
                "[issuers.corp]\nissuer = \"https://idp.example\"\njwks_file = \"{dir}/keys.json\"",
            ),
    );
    let claims = fresh(&json!({"iss": "https://idp.example", "aud": "app", "sub": "alice"}));
    judge.passes(&rsa().sign_kid("RS256", "k1", &claims), "alice");
}
