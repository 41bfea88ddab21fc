//! What a preset cannot do without, and values that cannot be its provider's.

use jwtgate::clock::Timestamp;
use jwtgate::config::{Fault, Severity, load};

use crate::harness::Settings;

const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// The faults of a configuration with one issuer of these settings, warnings left out.
fn faulty(table: &str) -> Vec<Fault> {
    let folder = Settings::empty()
        .table(&format!("[issuers.corp]\n{table}"))
        .write();
    let loaded = load(Some(&folder.path().join("jwtgate.toml")), []);
    assert_eq!(loaded.faults, []);
    let (_, _, mut faults) = jwtgate::app::compile(&loaded.config, Timestamp::now());
    faults.retain(|fault| fault.severity == Severity::Fault);
    faults
}

#[test]
fn what_a_preset_needs_and_does_not_have_is_a_fault_that_names_the_key() {
    for (table, keys) in [
        ("preset = \"okta\"", &["domain"][..]),
        ("preset = \"okta\"\ndomain = \"\"", &["domain"]),
        ("preset = \"entra\"", &["tenant", "tenants"]),
        ("preset = \"entra-v1\"", &["tenant", "tenants"]),
        ("preset = \"entra\"\ntenants = []", &["tenant", "tenants"]),
        ("preset = \"keycloak\"", &["domain", "realm"]),
        ("preset = \"keycloak\"\nrealm = \"main\"", &["domain"]),
        ("preset = \"keycloak\"\ndomain = \"a.example\"", &["realm"]),
        ("preset = \"auth0\"", &["domain"]),
        ("preset = \"cognito\"", &["user_pool"]),
        ("preset = \"cloudflare-access\"", &["domain"]),
        ("preset = \"aws-alb\"", &["signer", "issuer"]),
        ("preset = \"aws-alb\"\nissuer = \"https://a\"", &["signer"]),
        (
            "preset = \"aws-alb\"\nissuer = \"https://a\"\nkey_url = \"https://a/{kid}\"",
            &["signer"],
        ),
        (
            "preset = \"aws-alb\"\nsigner = \"arn:aws:elasticloadbalancing:eu-west-1:1:x\"",
            &["issuer"],
        ),
    ] {
        let paths: Vec<_> = keys
            .iter()
            .map(|key| format!("issuers.corp.{key}"))
            .collect();
        let faults = faulty(table);
        assert!(
            faults.iter().any(|fault| fault.path == paths.join(", ")),
            "{table}: {faults:#?}"
        );
    }
}

/// The fault whose path names this key of the issuer.
#[track_caller]
fn fault_of(key: &str, table: &str) -> Fault {
    let faults = faulty(table);
    let path = format!("issuers.corp.{key}");
    let fault = faults.iter().find(|fault| fault.path.starts_with(&path));
    fault
        .unwrap_or_else(|| panic!("{table}: {faults:#?}"))
        .clone()
}

#[test]
fn a_user_pool_without_its_region_is_a_fault() {
    fault_of(
        "user_pool",
        "preset = \"cognito\"\nuser_pool = \"Ab129faBb\"",
    );
}

#[test]
fn a_signer_without_its_region_is_a_fault_where_the_address_of_the_keys_follows_from_it() {
    for signer in ["web", "arn:aws:elasticloadbalancing"] {
        let table = format!(
            "preset = \"aws-alb\"\nsigner = \"{signer}\"\nissuer = \"https://idp.example.com\""
        );
        fault_of("signer", &table);
        // With an address there is nothing to follow.
        assert_eq!(
            faulty(&format!(
                "{table}\nkey_url = \"https://keys.example.com/{{kid}}\""
            )),
            []
        );
    }
}

#[test]
fn values_that_cannot_be_the_provider_s_are_faults() {
    for (table, key) in [
        (
            "preset = \"entra\"\ntenant = \"acme.onmicrosoft.com\"",
            "tenant",
        ),
        ("preset = \"entra-v1\"\ntenant = \"common\"", "tenant"),
        (
            "preset = \"entra\"\ntenants = [\"organizations\"]",
            "tenant",
        ),
        (
            "preset = \"okta\"\ndomain = \"http://acme.okta.com\"",
            "domain",
        ),
        (
            "preset = \"auth0\"\ndomain = \"me@acme.example?x\"",
            "domain",
        ),
        (
            "preset = \"keycloak\"\ndomain = \"a.example\"\nrealm = \"a b\"",
            "realm",
        ),
        (
            "preset = \"cognito\"\nuser_pool = \"us-east-1_x\"\ntoken_use = \"refresh\"",
            "token_use",
        ),
    ] {
        let fault = fault_of(key, table);
        assert!(!fault.hint.is_empty() && !fault.expected.is_empty());
    }
    let domain = faulty("preset = \"entra\"\ntenant = \"acme.onmicrosoft.com\"");
    assert!(domain[0].hint.contains("the id and not the domain"));
}

#[test]
fn where_everybody_can_have_a_token_the_claims_that_make_it_ours_are_needed() {
    for (preset, example) in [
        ("github-actions", "repository_owner"),
        ("gitlab", "namespace_path"),
    ] {
        let faults = faulty(&format!("preset = \"{preset}\"\naudience = \"a\""));
        let path = "issuers.corp.required_claims";
        let fault = faults.iter().find(|fault| fault.path == path);
        let fault = fault.unwrap_or_else(|| panic!("{preset}: {faults:#?}"));
        assert!(fault.hint.contains(example), "{}", fault.hint);
    }
}

#[test]
fn tenant_and_tenants_beside_each_other_are_a_fault() {
    const OTHER: &str = "99999999-2222-3333-4444-555555555555";
    for preset in ["entra", "entra-v1"] {
        let faults = faulty(&format!(
            "preset = \"{preset}\"\ntenant = \"{TENANT}\"\ntenants = [\"{OTHER}\"]"
        ));
        // One of them would go unheard.
        assert!(
            faults.iter().any(|fault| fault.path.contains("tenant")),
            "{preset}: {faults:#?}"
        );
    }
}
