//! What presets fill in where nothing is said, and what the table may say instead.

use std::collections::BTreeSet;

use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, Fault, IssuerSettings, OneOrMany, load, presets};
use jwtgate::keys::remote::Origin;

use crate::harness::{Settings, TlsIdentity};

const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const SIGNER: &str =
    "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188";

/// A configuration with one issuer of these settings.
fn config(table: &str) -> Config {
    let folder = Settings::empty()
        .top("username_claim_field = \"login\"\nalgorithms = [\"ES512\"]")
        .table(&format!("[issuers.corp]\n{table}"))
        .write();
    let loaded = load(Some(&folder.path().join("jwtgate.toml")), []);
    assert_eq!(loaded.faults, []);
    loaded.config
}

fn settings(table: &str) -> (IssuerSettings, Vec<Fault>) {
    let (mut all, faults) = config(table).issuers();
    assert_eq!(all.len(), 1, "the top level describes no issuer");
    (all.remove(0), faults)
}

/// What a preset is to fill in.
#[derive(Clone, Debug, Default, PartialEq)]
struct Filled {
    issuer: Vec<String>,
    discovery_url: Option<String>,
    jwks_url: Option<String>,
    key_url: Option<String>,
    header_name: Option<String>,
    /// Empty: what the top level says.
    algorithms: Vec<String>,
    username_claim: Vec<String>,
    audience_claim: String,
    required_claims: Vec<(String, String)>,
    files: Option<(String, String)>,
    is_padded: bool,
}

impl Filled {
    fn of(settings: &IssuerSettings) -> Self {
        let one = |list: &Option<OneOrMany>| {
            let items = list.as_ref()?.items();
            assert_eq!(items.len(), 1);
            Some(items[0].clone())
        };
        let algorithms = settings.algorithms.as_ref().expect("algorithms").items();
        Self {
            issuer: settings.issuer.clone(),
            discovery_url: settings.keys.discovery_url.clone(),
            jwks_url: one(&settings.keys.jwks_url),
            key_url: settings.keys.key_url.clone(),
            header_name: settings.header_name.clone(),
            algorithms: algorithms
                .iter()
                .filter(|name| *name != "ES512")
                .cloned()
                .collect(),
            username_claim: settings.username_claim.items().to_vec(),
            audience_claim: settings.audience_claim.clone(),
            required_claims: settings
                .required_claims
                .iter()
                .map(|(claim, value)| (claim.clone(), value.items().join(" or ")))
                .collect(),
            files: settings.ca_file.clone().zip(settings.bearer_file.clone()),
            is_padded: settings.is_padded,
        }
    }

    /// Of an issuer with this name, RS256 and these claims of the user.
    fn rs256(issuer: &str, username_claim: &[&str]) -> Self {
        Self {
            issuer: vec![issuer.to_owned()],
            algorithms: vec!["RS256".to_owned()],
            username_claim: username_claim.iter().map(|&name| name.to_owned()).collect(),
            audience_claim: "aud".to_owned(),
            ..Self::default()
        }
    }
}

/// Each preset with no more than it needs, and what the provider documents.
#[expect(
    clippy::too_many_lines,
    reason = "a table, one entry for each form of a preset"
)]
fn documented() -> Vec<(&'static str, String, Filled)> {
    let pool = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Ab129faBb";
    let okta = ["preferred_username", "sub"];
    let entra = ["preferred_username", "upn", "oid"];
    let entra_v1 = ["upn", "unique_name", "oid"];
    let cognito = ["cognito:username", "username", "sub"];
    let table = |text: &str| text.to_owned();
    vec![
        (
            "okta",
            table("domain = \"acme.okta.com\""),
            Filled::rs256("https://acme.okta.com", &okta),
        ),
        (
            "okta",
            table(
                "domain = \"https://acme.okta.com/\"\nauthorization_server = \"aus9o8wvkhockw9TL0h7\"",
            ),
            Filled::rs256("https://acme.okta.com/oauth2/aus9o8wvkhockw9TL0h7", &okta),
        ),
        (
            "entra",
            format!("tenant = \"{TENANT}\""),
            Filled {
                discovery_url: Some(format!(
                    "https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
                )),
                ..Filled::rs256(
                    &format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
                    &entra,
                )
            },
        ),
        (
            "entra",
            format!("tenants = [\"{TENANT}\"]"),
            Filled {
                discovery_url: Some("https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration".to_owned()),
                ..Filled::rs256("https://login.microsoftonline.com/{tenantid}/v2.0", &entra)
            },
        ),
        (
            "entra-v1",
            format!("tenant = \"{TENANT}\""),
            Filled {
                discovery_url: Some(format!(
                    "https://login.microsoftonline.com/{TENANT}/.well-known/openid-configuration"
                )),
                ..Filled::rs256(&format!("https://sts.windows.net/{TENANT}/"), &entra_v1)
            },
        ),
        (
            "entra-v1",
            format!("tenants = \"{TENANT}\""),
            Filled {
                discovery_url: Some("https://login.microsoftonline.com/common/.well-known/openid-configuration".to_owned()),
                ..Filled::rs256("https://sts.windows.net/{tenantid}/", &entra_v1)
            },
        ),
        (
            "google",
            String::new(),
            Filled {
                issuer: ["https://accounts.google.com", "accounts.google.com"]
                    .map(str::to_owned)
                    .to_vec(),
                ..Filled::rs256("", &["email", "sub"])
            },
        ),
        (
            "google-iap",
            String::new(),
            Filled {
                jwks_url: Some("https://www.gstatic.com/iap/verify/public_key-jwk".to_owned()),
                algorithms: vec!["ES256".to_owned()],
                header_name: Some("X-Goog-IAP-JWT-Assertion".to_owned()),
                ..Filled::rs256("https://cloud.google.com/iap", &["email", "sub"])
            },
        ),
        (
            "keycloak",
            table("domain = \"sso.example.com/auth\"\nrealm = \"main\""),
            Filled {
                algorithms: Vec::new(),
                ..Filled::rs256("https://sso.example.com/auth/realms/main", &okta)
            },
        ),
        (
            "auth0",
            table("domain = \"acme.eu.auth0.com\""),
            Filled {
                algorithms: Vec::new(),
                ..Filled::rs256("https://acme.eu.auth0.com/", &["sub"])
            },
        ),
        (
            "cognito",
            table("user_pool = \"us-east-1_Ab129faBb\""),
            Filled {
                audience_claim: "client_id".to_owned(),
                required_claims: vec![("token_use".to_owned(), "access".to_owned())],
                ..Filled::rs256(pool, &cognito)
            },
        ),
        (
            "cognito",
            table("user_pool = \"us-east-1_Ab129faBb\"\ntoken_use = \"id\""),
            Filled {
                required_claims: vec![("token_use".to_owned(), "id".to_owned())],
                ..Filled::rs256(pool, &cognito)
            },
        ),
        (
            "cloudflare-access",
            table("domain = \"acme.cloudflareaccess.com\""),
            Filled {
                jwks_url: Some("https://acme.cloudflareaccess.com/cdn-cgi/access/certs".to_owned()),
                header_name: Some("Cf-Access-Jwt-Assertion".to_owned()),
                ..Filled::rs256(
                    "https://acme.cloudflareaccess.com",
                    &["email", "common_name"],
                )
            },
        ),
        (
            "aws-alb",
            format!("signer = \"{SIGNER}\"\nissuer = \"https://idp.example.com\""),
            Filled {
                key_url: Some("https://public-keys.auth.elb.eu-central-1.amazonaws.com/{kid}".to_owned()),
                algorithms: vec!["ES256".to_owned()],
                header_name: Some("X-Amzn-Oidc-Data".to_owned()),
                is_padded: true,
                ..Filled::rs256(
                    "https://idp.example.com",
                    &["preferred_username", "username", "email", "sub"],
                )
            },
        ),
        (
            "gitlab",
            table("required_claims = { namespace_path = \"acme\" }"),
            Filled {
                required_claims: vec![("namespace_path".to_owned(), "acme".to_owned())],
                ..Filled::rs256("https://gitlab.com", &["user_login", "sub"])
            },
        ),
        (
            "gitlab",
            table("domain = \"git.example.com\"\nrequired_claims = { namespace_path = \"acme\" }"),
            Filled {
                required_claims: vec![("namespace_path".to_owned(), "acme".to_owned())],
                ..Filled::rs256("https://git.example.com", &["user_login", "sub"])
            },
        ),
        (
            "github-actions",
            table("required_claims = { repository_owner = \"acme\" }"),
            Filled {
                required_claims: vec![("repository_owner".to_owned(), "acme".to_owned())],
                ..Filled::rs256("https://token.actions.githubusercontent.com", &["sub"])
            },
        ),
        (
            "kubernetes",
            String::new(),
            Filled {
                issuer: [
                    "https://kubernetes.default.svc.cluster.local",
                    "https://kubernetes.default.svc",
                ]
                .map(str::to_owned)
                .to_vec(),
                jwks_url: Some("https://kubernetes.default.svc/openid/v1/jwks".to_owned()),
                algorithms: Vec::new(),
                files: Some((
                    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt".to_owned(),
                    "/var/run/secrets/kubernetes.io/serviceaccount/token".to_owned(),
                )),
                ..Filled::rs256("", &["sub"])
            },
        ),
    ]
}

#[test]
fn every_preset_fills_in_what_its_provider_documents() {
    let documented = documented();
    for (preset, table, expected) in &documented {
        let (settings, faults) = settings(&format!("preset = \"{preset}\"\n{table}"));
        assert_eq!(faults, [], "{preset}");
        assert_eq!(Filled::of(&settings), *expected, "{preset} with {table}");
    }
    let covered: BTreeSet<_> = documented.iter().map(|(preset, ..)| *preset).collect();
    let known: BTreeSet<_> = presets::PRESETS.iter().map(|known| known.name).collect();
    assert_eq!(covered, known);
}

#[test]
fn a_preset_without_addresses_of_its_own_asks_where_the_standard_has_the_metadata() {
    for (table, first) in [
        (
            "preset = \"okta\"\ndomain = \"acme.okta.com\"\nauthorization_server = \"default\"",
            "https://acme.okta.com/oauth2/default/.well-known/openid-configuration",
        ),
        (
            "preset = \"google\"",
            "https://accounts.google.com/.well-known/openid-configuration",
        ),
        (
            "preset = \"keycloak\"\ndomain = \"sso.example.com\"\nrealm = \"main\"",
            "https://sso.example.com/realms/main/.well-known/openid-configuration",
        ),
        (
            "preset = \"auth0\"\ndomain = \"acme.eu.auth0.com\"",
            "https://acme.eu.auth0.com/.well-known/openid-configuration",
        ),
        (
            "preset = \"cognito\"\nuser_pool = \"us-east-1_Ab129faBb\"",
            "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Ab129faBb/.well-known/openid-configuration",
        ),
        (
            "preset = \"gitlab\"\nrequired_claims = { namespace_path = \"acme\" }",
            "https://gitlab.com/.well-known/openid-configuration",
        ),
        (
            "preset = \"github-actions\"\nrequired_claims = { repository_owner = \"acme\" }",
            "https://token.actions.githubusercontent.com/.well-known/openid-configuration",
        ),
    ] {
        let mut config = config(table);
        config.algorithms = None;
        let (compiled, _, faults) = jwtgate::app::compile(&config, Timestamp::now());
        let compiled = compiled.unwrap_or_else(|| panic!("{table}: {faults:?}"));
        let Origin::Metadata { issuer, places } = &compiled.remotes[0].1.origin else {
            panic!("{table}: no metadata");
        };
        assert_eq!(places[0].as_str(), first);
        assert_eq!(*issuer, config.issuers().0[0].issuer[0]);
    }
}

#[test]
fn the_table_overrides_every_value_of_its_preset() {
    let (settings, faults) = settings(&format!(
        "preset = \"aws-alb\"\nsigner = [\"{SIGNER}\", \"arn:other\"]\nissuer = [\"https://a\", \"https://b\"]\n\
         key_url = \"https://keys.example.com/{{kid}}\"\nheader_name = \"X-Other\"\nalgorithms = \"ES384\"\n\
         username_claim = [\"mail\", \"sub\"]\naudience = \"me\"\naudience_claim = \"client\""
    ));
    assert_eq!(faults, []);
    let filled = Filled::of(&settings);
    assert_eq!(filled.issuer, ["https://a", "https://b"]);
    assert_eq!(
        filled.key_url,
        Some("https://keys.example.com/{kid}".to_owned())
    );
    assert_eq!(filled.header_name, Some("X-Other".to_owned()));
    assert_eq!(filled.algorithms, ["ES384"]);
    assert_eq!(filled.username_claim, ["mail", "sub"]);
    assert_eq!(filled.audience_claim, "client");
    assert_eq!(settings.audience.items(), ["me"]);
    assert_eq!(settings.signer, [SIGNER, "arn:other"]);
}

#[test]
fn another_source_of_keys_takes_the_place_of_that_of_the_preset() {
    let tenant = format!("preset = \"entra\"\ntenant = \"{TENANT}\"");
    let presets = [
        tenant.as_str(),
        "preset = \"kubernetes\"",
        "preset = \"cloudflare-access\"\ndomain = \"acme.cloudflareaccess.com\"",
    ];
    for preset in presets {
        for source in [
            "jwks_url = [\"https://a/1\", \"https://a/2\"]",
            "jwks_file = \"/keys.json\"",
            "jwks = \"{}\"",
            "signing_certificate = \"/idp.pem\"",
            "signing_certificate_pem = \"x\"",
            "secret_file = \"/secret\"",
            "key_url = \"https://a/{kid}\"",
            "discovery_url = \"https://a/metadata\"",
        ] {
            let (settings, faults) = settings(&format!("{preset}\n{source}"));
            assert_eq!(faults, []);
            let keys = &settings.keys;
            let count = [
                keys.jwks_url.is_some(),
                keys.jwks_file.is_some(),
                keys.jwks.is_some(),
                keys.signing_certificate.is_some(),
                keys.signing_certificate_pem.is_some(),
                keys.secret_file.is_some(),
                keys.key_url.is_some(),
                keys.discovery_url.is_some(),
            ];
            let count = count.into_iter().filter(|is_set| *is_set).count();
            assert_eq!(count, 1, "{preset} {source}");
            // Those belong to the preset's own address.
            assert_eq!((&settings.ca_file, &settings.bearer_file), (&None, &None));
        }
    }
}

#[test]
fn a_preset_can_do_without_its_header_or_files() {
    let (settings, _) = settings("preset = \"google-iap\"\nheader_name = \"\"");
    assert_eq!(settings.header_name.as_deref(), Some(""));
    let identity = TlsIdentity::good();
    let folder = Settings::empty()
        .file("ca.pem", identity.ca_pem())
        .table("[issuers.corp]\npreset = \"kubernetes\"\naudience = \"a\"\nca_file = \"{dir}/ca.pem\"\nbearer_file = \"\"")
        .write();
    let loaded = load(Some(&folder.path().join("jwtgate.toml")), []);
    let (compiled, _, faults) = jwtgate::app::compile(&loaded.config, Timestamp::now());
    assert_eq!(faults, []);
    let access = &compiled.expect("no fault").remotes[0].1.access;
    assert_eq!(access.bearer_file, None);
    assert_eq!(
        access.authorities.as_deref(),
        Some(identity.ca_pem().as_bytes())
    );
}
