//! Presets of platforms that sign on their own: proxies in front of the application, build jobs, service accounts.

use serde_json::{Value, json};

use crate::harness::judge::{PACE, but, fresh, metadata_of, publisher_for};
use crate::harness::tokens::{p256, rsa, second_p256, second_rsa};
use crate::harness::{Answer, Judge, KeyServer, Request, Settings, TlsIdentity, padded};

fn judge(table: &str) -> Judge {
    Judge::of(
        Settings::empty()
            .table(&format!("[issuers.platform]\n{table}"))
            .table(PACE),
    )
}

#[test]
fn google_iap_assertions_pass_in_their_header() {
    const AUDIENCE: &str = "/projects/1234567890/global/backendServices/9876543210";
    let server = KeyServer::start();
    let published = |kid: &str, jwk: Value| but(&jwk, &json!({"alg": "ES256", "kid": kid}));
    server.publishes(&[
        published("xqvlzw", second_p256().jwk("")),
        published("5PuDqQ", p256().jwk("")),
    ]);
    let judge = judge(&format!(
        "preset = \"google-iap\"\naudience = \"{AUDIENCE}\"\njwks_url = \"{}\"",
        server.url("/jwks")
    ))
    .in_header("X-Goog-IAP-JWT-Assertion");
    let claims = fresh(&json!({
        "aud": AUDIENCE, "azp": AUDIENCE, "email": "alice@example.com", "hd": "example.com", "identity_source": "GOOGLE",
        "google": {"access_levels": ["accessPolicies/1/accessLevels/corp"]}, "iss": "https://cloud.google.com/iap",
        "sub": "accounts.google.com:110169484474386276334", "nbf": null,
    }));
    let header = json!({"alg": "ES256", "typ": "JWT", "kid": "5PuDqQ"});
    let with = |changes: Value| p256().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice@example.com");
    let other_service = json!({"aud": "/projects/1234567890/global/backendServices/1"});
    judge.refuses(&with(other_service), "token.audience");
    for iss in [
        "https://accounts.google.com",
        "https://cloud.google.com/iap/",
    ] {
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
    let other_key = second_p256().sign_as(&header, &claims);
    judge.refuses(&other_key, "token.signature");
    let other_algorithm = rsa().sign_kid("RS256", "5PuDqQ", &claims);
    judge.refuses(&other_algorithm, "token.algorithm");
}

#[test]
fn cloudflare_access_assertions_of_people_and_services_pass() {
    const TAG: &str = "4714c1358e65fe4b408ad6d432a5f878f08194bdb4752441fd56faefa9b2b6f2";
    const ISSUER: &str = "https://acme.cloudflareaccess.com";
    let server = KeyServer::start();
    let key = |kid: &str, jwk: Value| but(&jwk, &json!({"alg": "RS256", "kid": kid}));
    // The new key and the one before it, and the same once more as certificates.
    let keys = json!([key("new", rsa().jwk("")), key("old", second_rsa().jwk(""))]);
    let pem = json!({"kid": "new", "cert": rsa().certificate_pem()});
    let document = json!({"keys": keys, "public_cert": pem, "public_certs": [pem]});
    server.answers("/cdn-cgi/access/certs", Answer::json(&document));
    let judge = judge(&format!(
        "preset = \"cloudflare-access\"\ndomain = \"acme.cloudflareaccess.com\"\naudience = \"{TAG}\"\n\
         jwks_url = \"{}\"",
        server.url("/cdn-cgi/access/certs")
    ))
    .in_header("Cf-Access-Jwt-Assertion");
    let person = fresh(&json!({
        "aud": [TAG], "email": "alice@example.com", "iss": ISSUER, "type": "app", "identity_nonce": "6ei69kawdKzMIAPF",
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94", "country": "US",
    }));
    let service = but(
        &person,
        &json!({
            "email": null, "identity_nonce": null, "country": null, "nbf": null, "sub": "",
            "common_name": "e367826f93b8d71185e03fe518aff3b4.access",
        }),
    );
    let signed = |claims: &Value| rsa().sign_kid("RS256", "new", claims);
    judge.passes(&signed(&person), "alice@example.com");
    judge.passes(
        &second_rsa().sign_kid("RS256", "old", &person),
        "alice@example.com",
    );
    judge.passes(&signed(&service), "e367826f93b8d71185e03fe518aff3b4.access");
    let with = |changes: Value| signed(&but(&person, &changes));
    let other_application = json!({"aud": ["32eafc7626e737616deaf0dc3ce63d71fd0e17f3"]});
    judge.refuses(&with(other_application), "token.audience");
    judge.refuses(
        &with(json!({"type": "org", "aud": [ISSUER]})),
        "token.audience",
    );
    let other_team = json!({"iss": "https://evil.cloudflareaccess.com"});
    judge.refuses(&with(other_team), "token.issuer");
    judge.refuses(&with(json!({"email": null})), "identity.username");
}

#[test]
fn what_an_aws_load_balancer_signs_passes_with_its_padding() {
    const KID: &str = "3a2b1c0d-8f7e-4d6c-9b5a-a4f3e2d1c0b9";
    const POOL: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBcDeFgHi";
    let arn = |name: &str| {
        format!(
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/{name}/50dc6c495c0c9188"
        )
    };
    let server = KeyServer::start();
    // A bare PEM, without a type that would say so.
    let path = format!("/{KID}");
    server.answers(&path, Answer::bytes(p256().public_pem()));
    let judge = judge(&format!(
        "preset = \"aws-alb\"\nsigner = \"{}\"\nissuer = \"{POOL}\"\nkey_url = \"{}\"",
        arn("web"),
        server.url("/{kid}")
    ))
    .in_header("X-Amzn-Oidc-Data");
    let header = fresh(&json!({
        "typ": "JWT", "kid": KID, "alg": "ES256", "iss": POOL, "client": "57cbishk4j24pabc1234567890",
        "signer": arn("web"), "iat": null, "nbf": null,
    }));
    let claims = fresh(&json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "email_verified": "true", "email": "alice@example.com",
        "username": "alice", "iss": POOL, "iat": null, "nbf": null,
    }));
    let nameless = padded::es256(p256(), &but(&header, &json!({"kid": null})), &claims);
    judge.refuses(&nameless, "key.unknown");
    judge.passes(&padded::es256(p256(), &header, &claims), "alice");
    let in_header = |changes: Value| padded::es256(p256(), &but(&header, &changes), &claims);
    judge.refuses(&in_header(json!({"signer": arn("other")})), "token.signer");
    judge.refuses(&in_header(json!({"signer": null})), "token.signer");
    judge.refuses(&in_header(json!({"signer": [arn("web")]})), "token.signer");
    let with = |changes: Value| padded::es256(p256(), &header, &but(&claims, &changes));
    judge.refuses(&with(json!({"iss": format!("{POOL}/")})), "token.issuer");
    judge.refuses(&with(json!({"exp": 1_700_000_000})), "token.expired");
    let other_key = padded::es256(second_p256(), &header, &claims);
    judge.refuses(&other_key, "token.signature");
    assert_eq!(server.count(&path), 1);
    assert_eq!(server.total(), 1);
}

#[test]
fn gitlab_tokens_of_jobs_in_the_own_namespace_pass() {
    let server = publisher_for(
        "https://gitlab.com",
        &[but(&rsa().jwk("4i3s"), &json!({"alg": "RS256"}))],
    );
    let judge = judge(&format!(
        "preset = \"gitlab\"\naudience = \"https://vault.example.com\"\n\
         required_claims = {{ namespace_path = \"acme\", ref_protected = \"true\" }}\ndiscovery_url = \"{}\"",
        metadata_of(&server)
    ));
    let claims = fresh(&json!({
        "namespace_id": "72", "namespace_path": "acme", "project_id": "20", "project_path": "acme/app", "user_id": "1",
        "user_login": "alice", "user_email": "alice@example.com", "user_access_level": "developer",
        "pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch",
        "ref_path": "refs/heads/main", "ref_protected": "true", "groups_direct": ["acme"], "runner_id": 1,
        "runner_environment": "gitlab-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "project_visibility": "private", "ci_config_ref_uri": "gitlab.com/acme/app//.gitlab-ci.yml@refs/heads/main",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "iss": "https://gitlab.com", "aud": "https://vault.example.com",
        "sub": "project_path:acme/app:ref_type:branch:ref:main",
    }));
    let header = json!({"kid": "4i3s", "typ": "JWT", "alg": "RS256"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice");
    for foreign in [
        json!({"namespace_path": "evil", "project_path": "evil/app"}),
        json!({"namespace_path": "acme/fork"}),
        json!({"namespace_path": "ACME"}),
        json!({"ref_protected": "false"}),
        // What people sign in with comes from the same issuer.
        json!({"namespace_path": null, "sub": "1"}),
    ] {
        judge.refuses(&with(foreign), "token.claim");
    }
    let other = json!({"aud": "https://gitlab.com"});
    judge.refuses(&with(other), "token.audience");
    // As the tokens before version 15.7 wrote it.
    judge.refuses(&with(json!({"iss": "gitlab.com"})), "token.issuer");
}

#[test]
fn github_actions_tokens_of_the_own_repositories_pass() {
    const ISSUER: &str = "https://token.actions.githubusercontent.com";
    let server = publisher_for(
        ISSUER,
        &[but(
            &rsa().jwk("cc413527-173f-5a05-976e-9c52b1d7b431"),
            &json!({"alg": "RS256", "x5t": "a"}),
        )],
    );
    let judge = judge(&format!(
        "preset = \"github-actions\"\naudience = \"https://app.example.com\"\n\
         required_claims = {{ repository_owner = \"acme\", ref = [\"refs/heads/main\", \"refs/heads/next\"] }}\n\
         discovery_url = \"{}\"",
        metadata_of(&server)
    ));
    let claims = fresh(&json!({
        "jti": "c7dcb6ba-8a1f-4dc2-b9e0-1c1c7a5a4e6d", "sub": "repo:acme/app:ref:refs/heads/main",
        "aud": "https://app.example.com", "ref": "refs/heads/main", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "repository": "acme/app", "repository_owner": "acme", "repository_owner_id": "65", "run_id": "1",
        "run_number": "10", "run_attempt": "2", "repository_visibility": "private", "repository_id": "74",
        "actor_id": "12", "actor": "alice", "workflow": "deploy", "head_ref": "", "base_ref": "", "event_name": "push",
        "ref_protected": "true", "ref_type": "branch", "workflow_ref": "acme/app/.github/workflows/d.yml@refs/heads/main",
        "job_workflow_ref": "acme/app/.github/workflows/d.yml@refs/heads/main", "runner_environment": "github-hosted",
        "enterprise": "acme", "iss": ISSUER,
    }));
    let header = json!({
        "typ": "JWT", "alg": "RS256", "x5t": "a", "kid": "cc413527-173f-5a05-976e-9c52b1d7b431",
    });
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "repo:acme/app:ref:refs/heads/main");
    let evil = json!({
        "repository_owner": "evil", "repository": "evil/acme", "sub": "repo:evil/acme:ref:refs/heads/main",
    });
    judge.refuses(&with(evil), "token.claim");
    judge.refuses(&with(json!({"ref": "refs/pull/7/merge"})), "token.claim");
    let default_audience = json!({"aud": "https://github.com/acme"});
    judge.refuses(&with(default_audience), "token.audience");
    let of_enterprise = json!({"iss": format!("{ISSUER}/acme")});
    judge.refuses(&with(of_enterprise), "token.issuer");
}

#[test]
fn kubernetes_tokens_of_service_accounts_pass() {
    const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
    let identity = TlsIdentity::good();
    let server = KeyServer::start_tls(&identity);
    let key = but(&rsa().jwk("iGGvw6mX"), &json!({"alg": "RS256"}));
    let set = Answer::text(
        &json!({"keys": [key]}).to_string(),
        "application/jwk-set+json",
    );
    server.answers("/openid/v1/jwks", set);
    let table = format!(
        "[issuers.platform]\npreset = \"kubernetes\"\naudience = \"jwtgate\"\njwks_url = \"{}\"\n\
         ca_file = \"{{dir}}/ca.crt\"\nbearer_file = \"{{dir}}/token\"\n\
         required_claims = {{ \"/kubernetes.io/namespace\" = \"prod\" }}",
        server.url("/openid/v1/jwks")
    );
    let judge = Judge::of(
        Settings::empty()
            .file("ca.crt", identity.ca_pem())
            .file("token", "of-this-pod\n")
            .table(&table)
            .table(PACE),
    );
    let claims = fresh(&json!({
        "aud": ["jwtgate"], "iss": ISSUER, "jti": "0a1b2c3d-0000-4000-8000-000000000000",
        "kubernetes.io": {
            "namespace": "prod", "node": {"name": "node-1", "uid": "1"}, "pod": {"name": "robot-0", "uid": "2"},
            "serviceaccount": {"name": "robot", "uid": "3"},
        },
        "sub": "system:serviceaccount:prod:robot",
    }));
    let header = json!({"alg": "RS256", "kid": "iGGvw6mX"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "system:serviceaccount:prod:robot");
    let short = json!({"iss": "https://kubernetes.default.svc"});
    judge.passes(&with(short), "system:serviceaccount:prod:robot");
    let test = json!({"kubernetes.io": {"namespace": "test"}});
    judge.refuses(&with(test), "token.claim");
    // The audience of what every pod has for the API server itself.
    judge.refuses(&with(json!({"aud": [ISSUER]})), "token.audience");
    // A token of the old kind, which never expires.
    let secret = json!({"iss": "kubernetes/serviceaccount", "aud": null, "exp": null});
    judge.refuses(&with(secret), "token.issuer");
    let seen = server.seen("/openid/v1/jwks");
    assert_eq!(seen[0].header("Authorization"), Some("Bearer of-this-pod"));
}

#[test]
fn a_preset_header_is_read_before_the_common_one_which_is_read_too() {
    let server = KeyServer::start();
    server.publishes(&[p256().jwk("k1")]);
    let judge = judge(&format!(
        "preset = \"google-iap\"\naudience = \"a\"\njwks_url = \"{}\"",
        server.url("/jwks")
    ));
    let token = |email: &str| {
        let claims = json!({"iss": "https://cloud.google.com/iap", "aud": "a", "email": email});
        p256().sign_kid("ES256", "k1", &fresh(&claims))
    };
    judge.passes(&token("alice"), "alice");
    let both = Request::get("/verify")
        .bearer(token("alice"))
        .header("x-goog-iap-jwt-assertion", token("bob"))
        .send(judge.gate().main());
    assert_eq!(both.header("X-Auth-User"), Some("bob"));
    // A bad one is never passed over.
    let bad = Request::get("/verify")
        .bearer(token("alice"))
        .header("x-goog-iap-jwt-assertion", "bad")
        .send(judge.gate().main());
    assert_eq!(bad.status, 401);
}
