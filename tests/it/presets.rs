//! Presets of identity providers that people sign in with: tokens in the form in which each really makes them.
//!
//! Only the source of keys leads to a server of the test; everything else is what the preset fills in.

use serde_json::{Value, json};

use crate::harness::judge::{PACE, but, fresh, metadata_of, publisher_for};
use crate::harness::tokens::{self, rsa, second_rsa};
use crate::harness::{Judge, KeyServer, Settings};

/// A gate with one issuer of these settings, which finds the provider's metadata at the server.
fn judge(table: &str, server: &KeyServer) -> Judge {
    let source = format!("discovery_url = \"{}\"", metadata_of(server));
    Judge::of(
        Settings::empty()
            .table(&format!("[issuers.corp]\n{table}\n{source}"))
            .table(PACE),
    )
}

/// The RSA key as providers publish it, with `alg`.
fn rs256(kid: &str) -> Value {
    but(&rsa().jwk(kid), &json!({"alg": "RS256"}))
}

#[test]
fn okta_access_tokens_of_a_custom_authorization_server_pass() {
    const ISSUER: &str = "https://acme.okta.com/oauth2/default";
    let server = publisher_for(ISSUER, &[rs256("q5Yl")]);
    let judge = judge(
        "preset = \"okta\"\ndomain = \"acme.okta.com\"\nauthorization_server = \"default\"\naudience = \"api://default\"",
        &server,
    );
    let claims = fresh(&json!({
        "ver": 1, "jti": "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE", "iss": ISSUER, "aud": "api://default",
        "cid": "0oa1gjh63g214q0Hq0g4", "uid": "00uk1u7AsAk6dZL3z0g3", "scp": ["openid", "profile"],
        "auth_time": 1_700_000_000, "sub": "alice@example.com", "nbf": null,
    }));
    let header = json!({"kid": "q5Yl", "alg": "RS256"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice@example.com");
    for iss in [
        "https://acme.okta.com",
        "https://acme.okta.com/oauth2/other",
        "https://acme.okta.com/oauth2/default/",
        "https://evil.okta.com/oauth2/default",
    ] {
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
    judge.refuses(&with(json!({"aud": "api://other"})), "token.audience");
    let other_org = second_rsa().sign_as(&header, &claims);
    judge.refuses(&other_org, "token.signature");
    let other_algorithm = rsa().sign_kid("PS256", "q5Yl", &claims);
    judge.refuses(&other_algorithm, "token.algorithm");
}

#[test]
fn okta_id_tokens_of_the_org_pass_and_its_access_tokens_do_not() {
    const ISSUER: &str = "https://acme.okta.com";
    let server = publisher_for(ISSUER, &[rs256("Fx9w")]);
    let judge = judge(
        "preset = \"okta\"\ndomain = \"acme.okta.com\"\naudience = \"0oa1gjh63g214q0Hq0g4\"",
        &server,
    );
    let claims = fresh(&json!({
        "sub": "00uid4BxXw6I6TV4m0g3", "name": "Alice", "email": "alice@example.com", "ver": 1, "iss": ISSUER,
        "aud": "0oa1gjh63g214q0Hq0g4", "jti": "ID.4eAWJOCMB3SX8XewDfVR", "amr": ["pwd"], "idp": "00oid4BxXw6I6TV4m0g3",
        "preferred_username": "alice@example.com", "auth_time": 1_700_000_000, "at_hash": "cpqKfdQA5eH891Ff5oJr_Q",
        "nbf": null,
    }));
    let header = json!({"kid": "Fx9w", "alg": "RS256"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice@example.com");
    // Without the scope `profile`.
    let lean = json!({"preferred_username": null, "name": null});
    judge.passes(&with(lean), "00uid4BxXw6I6TV4m0g3");
    let custom = json!({"iss": "https://acme.okta.com/oauth2/default"});
    judge.refuses(&with(custom), "token.issuer");
    // Access tokens of the org's own server are for Okta.
    let access = json!({"aud": "https://acme.okta.com", "cid": "0oa1gjh63g214q0Hq0g4"});
    judge.refuses(&with(access), "token.audience");
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OTHER_TENANT: &str = "f645ad92-e38d-4d1a-b510-d1b09a74a8ca";

fn entra(version: &str, tenant: &str) -> String {
    match version {
        "1.0" => format!("https://sts.windows.net/{tenant}/"),
        _ => format!("https://login.microsoftonline.com/{tenant}/v2.0"),
    }
}

/// Microsoft's keys have no `alg`, but a thumbprint, a certificate and an issuer.
fn of_microsoft(kid: &str) -> Value {
    let more = json!({"x5t": kid, "x5c": ["MIIC"], "issuer": entra("2.0", TENANT)});
    but(&rsa().jwk(kid), &more)
}

#[test]
fn entra_tokens_of_version_2_pass() {
    let issuer = entra("2.0", TENANT);
    let server = publisher_for(&issuer, &[of_microsoft("i6lGk3FZzxRcUb2C3nEQ7syHJlY")]);
    let judge = judge(
        &format!(
            "preset = \"entra\"\ntenant = \"{TENANT}\"\naudience = \"6e74172b-be56-4843-9ff4-e66a39bb12e3\""
        ),
        &server,
    );
    let claims = fresh(&json!({
        "aud": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "iss": issuer, "aio": "AXQAi/8IAAAA", "azpacr": "0",
        "azp": "6e74172b-be56-4843-9ff4-e66a39bb12e3", "name": "Alice", "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474",
        "preferred_username": "alice@example.com", "rh": "I", "scp": "access_as_user", "tid": TENANT, "ver": "2.0",
        "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ", "uti": "fqiBqXLPj0eQa82S-IYFAA",
    }));
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": "i6lGk3FZzxRcUb2C3nEQ7syHJlY"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice@example.com");
    // An application, on nobody's behalf.
    let app = json!({"preferred_username": null, "name": null, "scp": null, "roles": ["Read"], "idtyp": "app"});
    judge.passes(&with(app), "690222be-ff1a-4d56-abd1-7e4f7d38e474");
    let elsewhere = json!({"iss": entra("2.0", OTHER_TENANT), "tid": OTHER_TENANT});
    judge.refuses(&with(elsewhere), "token.issuer");
    judge.refuses(
        &with(json!({"iss": entra("1.0", TENANT), "ver": "1.0"})),
        "token.issuer",
    );
    let graph = json!({"aud": "00000003-0000-0000-c000-000000000000"});
    judge.refuses(&with(graph), "token.audience");
    let other_algorithm = rsa().sign_kid("RS512", "i6lGk3FZzxRcUb2C3nEQ7syHJlY", &claims);
    judge.refuses(&other_algorithm, "token.algorithm");
}

#[test]
fn entra_tokens_of_version_1_pass() {
    const KID: &str = "i6lGk3FZzxRcUb2C3nEQ7syHJlY";
    let issuer = entra("1.0", TENANT);
    let server = publisher_for(&issuer, &[of_microsoft(KID)]);
    let judge = judge(
        &format!(
            "preset = \"entra-v1\"\ntenant = \"{TENANT}\"\naudience = \"api://ef1da9d4-ff77-4c3e-a005-840c3f830745\""
        ),
        &server,
    );
    let claims = fresh(&json!({
        "aud": "api://ef1da9d4-ff77-4c3e-a005-840c3f830745", "iss": issuer, "acr": "1", "amr": ["pwd"], "appidacr": "0",
        "aio": "AXQAi/8TAAAA", "appid": "75dbe77f-10a3-4e59-85fd-8c127544f17c", "family_name": "Liddell",
        "given_name": "Alice", "ipaddr": "203.0.113.7", "name": "Alice Liddell", "scp": "user_impersonation",
        "oid": "690222be-ff1a-4d56-abd1-7e4f7d38e474", "rh": "0.ARgA", "tid": TENANT, "ver": "1.0",
        "sub": "UVkRnrRVjs2yZBBLoCbvOTYLXcnNsbYVFRbYpCYZrSQ", "unique_name": "alice@example.com",
        "upn": "alice@example.com", "uti": "fqiBqXLPj0eQa82S-IYFAA",
    }));
    let header = json!({"typ": "JWT", "alg": "RS256", "x5t": KID, "kid": KID});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice@example.com");
    let guest = json!({"upn": null, "unique_name": "live.com#bob@example.org"});
    judge.passes(&with(guest), "live.com#bob@example.org");
    let elsewhere = json!({"iss": entra("1.0", OTHER_TENANT), "tid": OTHER_TENANT});
    judge.refuses(&with(elsewhere), "token.issuer");
    for iss in [
        entra("2.0", TENANT),
        format!("https://sts.windows.net/{TENANT}"),
    ] {
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
    let bare = json!({"aud": "ef1da9d4-ff77-4c3e-a005-840c3f830745"});
    judge.refuses(&with(bare), "token.audience");
}

#[test]
fn google_id_tokens_pass_under_both_names_of_google() {
    const CLIENT: &str = "407408718192-abc.apps.googleusercontent.com";
    let server = publisher_for("https://accounts.google.com", &[rs256("89ce359")]);
    let judge = judge(
        &format!(
            "preset = \"google\"\naudience = \"{CLIENT}\"\n\
             required_claims = {{ hd = \"example.com\", email_verified = \"true\" }}"
        ),
        &server,
    );
    let claims = fresh(&json!({
        "iss": "https://accounts.google.com", "azp": CLIENT, "aud": CLIENT, "sub": "110169484474386276334",
        "hd": "example.com", "email": "alice@example.com", "email_verified": true, "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
        "name": "Alice", "picture": "https://lh3.googleusercontent.com/a/x", "given_name": "Alice", "nbf": null,
    }));
    let header = json!({"alg": "RS256", "kid": "89ce359", "typ": "JWT"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice@example.com");
    judge.passes(
        &with(json!({"iss": "accounts.google.com"})),
        "alice@example.com",
    );
    for iss in [
        "http://accounts.google.com",
        "https://accounts.google.com/",
        "https://cloud.google.com/iap",
    ] {
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
    let other_client = json!({"aud": "1-x.apps.googleusercontent.com"});
    judge.refuses(&with(other_client), "token.audience");
    for somebody in [
        json!({"hd": "evil.example"}),
        json!({"hd": null}),
        json!({"email_verified": false}),
    ] {
        judge.refuses(&with(somebody), "token.claim");
    }
}

#[test]
fn keycloak_access_tokens_pass() {
    const ISSUER: &str = "https://sso.example.com/realms/main";
    // Beside the key for signatures stands one for encryption.
    let encryption = but(
        &second_rsa().jwk("enc"),
        &json!({"use": "enc", "alg": "RSA-OAEP"}),
    );
    let server = publisher_for(
        ISSUER,
        &[
            encryption,
            rs256("FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE"),
        ],
    );
    let judge = judge(
        "preset = \"keycloak\"\ndomain = \"sso.example.com\"\nrealm = \"main\"\naudience = \"jwtgate\"",
        &server,
    );
    let claims = fresh(&json!({
        "jti": "onrtac:9e5b6c1e-7b0c-4a1f-8d6b-8fd9b0a3c2f1", "iss": ISSUER, "aud": ["jwtgate", "account"],
        "sub": "b4fc1d8d-8b3e-4b0a-9f65-5a0e7c2f1d11", "typ": "Bearer", "azp": "webapp", "acr": "1",
        "session_state": "3d5f0f3e-6f6e-4a52-9d7b-1a2b3c4d5e6f", "sid": "3d5f0f3e-6f6e-4a52-9d7b-1a2b3c4d5e6f",
        "allowed-origins": ["https://app.example.com"], "realm_access": {"roles": ["offline_access", "dev"]},
        "resource_access": {"account": {"roles": ["view-profile"]}}, "scope": "email profile", "email_verified": false,
        "name": "Alice Liddell", "preferred_username": "alice", "given_name": "Alice", "email": "alice@example.com",
        "nbf": null,
    }));
    let header = json!({
        "alg": "RS256", "typ": "JWT", "kid": "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE",
    });
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "alice");
    let robot = json!({"preferred_username": "service-account-robot", "name": null, "email": null});
    judge.passes(&with(robot), "service-account-robot");
    for iss in [
        "https://sso.example.com/realms/Main",
        "https://sso.example.com/realms/master",
        "https://sso.example.com/auth/realms/main",
        "https://sso.example.com/realms/main/",
    ] {
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
    // What every client's token has before an audience mapper is added.
    judge.refuses(&with(json!({"aud": "account"})), "token.audience");
    let for_encryption = second_rsa().sign_kid("RS256", "enc", &claims);
    judge.refuses(&for_encryption, "key.unknown");
}

#[test]
fn auth0_access_tokens_pass() {
    const ISSUER: &str = "https://acme.eu.auth0.com/";
    let server = publisher_for(ISSUER, &[rs256("RjNDODE4QTM3")]);
    let judge = judge(
        "preset = \"auth0\"\ndomain = \"acme.eu.auth0.com\"\naudience = \"https://api.example.com\"",
        &server,
    );
    let claims = fresh(&json!({
        "iss": ISSUER, "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "azp": "my_client_id", "scope": "openid profile email",
        "aud": ["https://api.example.com", "https://acme.eu.auth0.com/userinfo"], "nbf": null,
    }));
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "RjNDODE4QTM3"});
    let with = |changes: Value| rsa().sign_as(&header, &but(&claims, &changes));
    judge.passes(&with(json!({})), "auth0|5f7c8ec7c33c6c004bbafe82");
    let machine = json!({
        "sub": "my_client_id@clients", "gty": "client-credentials", "aud": "https://api.example.com", "scope": null,
    });
    judge.passes(&with(machine), "my_client_id@clients");
    for iss in ["https://acme.eu.auth0.com", "https://evil.eu.auth0.com/"] {
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
    let only_userinfo = json!({"aud": ["https://acme.eu.auth0.com/userinfo"]});
    judge.refuses(&with(only_userinfo), "token.audience");
    // An application of the provider that shares its secret instead.
    let shared = tokens::hmac(
        rsa().public_pem().as_bytes(),
        &json!({"alg": "HS256", "typ": "JWT", "kid": "RjNDODE4QTM3"}),
        &claims,
    );
    judge.refuses(&shared, "token.algorithm");
}

const POOL: &str = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_aBcDeFgHi";
const CLIENT: &str = "57cbishk4j24pabc1234567890";

fn cognito_access() -> Value {
    fresh(&json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["dev"], "iss": POOL, "version": 2,
        "client_id": CLIENT, "origin_jti": "6f7b", "event_id": "64f513be", "token_use": "access",
        "scope": "aws.cognito.signin.user.admin openid", "auth_time": 1_700_000_000, "jti": "7b3d", "username": "alice",
        "nbf": null,
    }))
}

fn cognito_id() -> Value {
    fresh(&json!({
        "sub": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "cognito:groups": ["dev"], "email_verified": true, "iss": POOL,
        "cognito:username": "alice", "origin_jti": "6f7b", "aud": CLIENT, "event_id": "64f513be", "token_use": "id",
        "auth_time": 1_700_000_000, "jti": "7b3d", "email": "alice@example.com", "nbf": null,
    }))
}

#[test]
fn cognito_access_tokens_pass_by_their_client_and_id_tokens_do_not() {
    let server = publisher_for(POOL, &[rs256("1234example=")]);
    let judge = judge(
        &format!(
            "preset = \"cognito\"\nuser_pool = \"eu-west-1_aBcDeFgHi\"\naudience = \"{CLIENT}\""
        ),
        &server,
    );
    let header = json!({"kid": "1234example=", "alg": "RS256"});
    let signed = |claims: &Value| rsa().sign_as(&header, claims);
    let access = cognito_access();
    let with = |changes: Value| signed(&but(&access, &changes));
    judge.passes(&signed(&access), "alice");
    judge.refuses(&signed(&cognito_id()), "token.audience");
    judge.refuses(&with(json!({"client_id": "another"})), "token.audience");
    judge.refuses(&with(json!({"token_use": "id"})), "token.claim");
    judge.refuses(&with(json!({"token_use": null})), "token.claim");
    for pool in ["eu-west-1_other", "eu-west-1_abcdefghi"] {
        let iss = format!("https://cognito-idp.eu-west-1.amazonaws.com/{pool}");
        judge.refuses(&with(json!({"iss": iss})), "token.issuer");
    }
}

#[test]
fn cognito_id_tokens_pass_where_they_are_asked_for_and_access_tokens_do_not() {
    let server = publisher_for(POOL, &[rs256("1234example=")]);
    let judge = judge(
        &format!(
            "preset = \"cognito\"\nuser_pool = \"eu-west-1_aBcDeFgHi\"\ntoken_use = \"id\"\naudience = \"{CLIENT}\""
        ),
        &server,
    );
    let header = json!({"kid": "1234example=", "alg": "RS256"});
    let signed = |claims: &Value| rsa().sign_as(&header, claims);
    let id = cognito_id();
    judge.passes(&signed(&id), "alice");
    judge.refuses(&signed(&cognito_access()), "token.audience");
    let bound_access = but(&cognito_access(), &json!({"aud": CLIENT}));
    judge.refuses(&signed(&bound_access), "token.claim");
    let other = but(&id, &json!({"aud": "another"}));
    judge.refuses(&signed(&other), "token.audience");
}
