//! Providers whose addresses, claims and headers are known: ONE table.
//!
//! A preset only fills in what the table of the issuer leaves out. In the templates `{name}` stands for the key of that name;
//! `{kid}` and `{tenantid}` stay for those who know them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Okta.
    Okta,
    /// Microsoft Entra ID, tokens of version 2.
    Entra,
    /// Microsoft Entra ID, tokens of version 1.
    EntraV1,
    /// Google sign-in.
    Google,
    /// Google Identity-Aware Proxy.
    GoogleIap,
    /// Keycloak.
    Keycloak,
    /// Auth0.
    Auth0,
    /// Amazon Cognito.
    Cognito,
    /// Cloudflare Access.
    CloudflareAccess,
    /// The AWS Application Load Balancer.
    AwsAlb,
    /// GitLab CI.
    Gitlab,
    /// GitHub Actions.
    GithubActions,
    /// Kubernetes service accounts.
    Kubernetes,
}

/// What a preset fills in.
#[derive(Debug)]
pub struct Known {
    /// The preset.
    pub preset: Preset,
    /// Its name in a configuration.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Keys that it needs, or one of which it needs.
    pub needs: &'static str,
    /// What it needs, as an example.
    pub example: &'static str,
    /// `domain`, where it may be left out.
    pub domain: Option<&'static str>,
    /// `token_use`, where its tokens say whether they are access or ID tokens.
    pub token_use: Option<&'static str>,
    /// Spellings of `iss`: the first list whose names are all given.
    pub issuer: &'static [&'static [&'static str]],
    /// `discovery_url`, where it does not follow from the issuer: the first whose names are all given.
    pub discovery_url: &'static [&'static str],
    /// `jwks_url`.
    pub jwks_url: Option<&'static str>,
    /// `key_url`: the first whose names are all given.
    pub key_url: &'static [&'static str],
    /// Whether its tokens name no audience at all, so that something else must say for whom they are.
    pub has_no_audience: bool,
    /// `algorithms`.
    pub algorithms: &'static [&'static str],
    /// `username_claim`.
    pub username_claim: &'static [&'static str],
    /// Fields whose claims have other names.
    pub fields: &'static [(&'static str, &'static [&'static str])],
    /// `header_name`.
    pub header_name: Option<&'static str>,
    /// `ca_file` and `bearer_file`.
    pub files: Option<(&'static str, &'static str)>,
    /// Whether its base64url carries padding (RFC 7515 §2 has none).
    pub is_padded: bool,
    /// What to restrict by `required_claims`, where anybody in the world can get a token.
    pub open_to_all: Option<&'static str>,
}

const NOTHING: Known = Known {
    preset: Preset::Okta,
    name: "",
    about: "",
    needs: "",
    example: "",
    domain: None,
    token_use: None,
    issuer: &[],
    discovery_url: &[],
    jwks_url: None,
    key_url: &[],
    has_no_audience: false,
    algorithms: &[],
    username_claim: &["sub"],
    fields: &[],
    header_name: None,
    files: None,
    is_padded: false,
    open_to_all: None,
};

/// The table.
pub const PRESETS: [Known; 13] = [
    Known {
        preset: Preset::Okta,
        name: "okta",
        about: "Okta. With `authorization_server` a custom one (access tokens); without, the org's own, whose access tokens nobody but Okta can check: send ID tokens",
        needs: "domain",
        example: "domain = \"acme.okta.com\"",
        issuer: &[
            &["https://{domain}/oauth2/{authorization_server}"],
            &["https://{domain}"],
        ],
        algorithms: &["RS256"],
        username_claim: &["preferred_username", "sub"],
        ..NOTHING
    },
    Known {
        preset: Preset::Entra,
        name: "entra",
        about: "Microsoft Entra ID, tokens of version 2 (`requestedAccessTokenVersion: 2`), for one `tenant` or for listed `tenants`. An app with claims mapping has keys of its own: give `discovery_url` with `?appid=CLIENT_ID`",
        needs: "tenant or tenants",
        example: "tenant = \"11111111-2222-3333-4444-555555555555\"",
        issuer: &[
            &["https://login.microsoftonline.com/{tenant}/v2.0"],
            &["https://login.microsoftonline.com/{tenantid}/v2.0"],
        ],
        discovery_url: &[
            "https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration",
            "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration",
        ],
        algorithms: &["RS256"],
        username_claim: &["preferred_username", "upn", "oid"],
        ..NOTHING
    },
    Known {
        preset: Preset::EntraV1,
        name: "entra-v1",
        about: "Microsoft Entra ID, tokens of version 1 (what an API gets that asks for nothing else), for one `tenant` or for listed `tenants`",
        needs: "tenant or tenants",
        example: "tenant = \"11111111-2222-3333-4444-555555555555\"",
        issuer: &[
            &["https://sts.windows.net/{tenant}/"],
            &["https://sts.windows.net/{tenantid}/"],
        ],
        discovery_url: &[
            "https://login.microsoftonline.com/{tenant}/.well-known/openid-configuration",
            "https://login.microsoftonline.com/common/.well-known/openid-configuration",
        ],
        algorithms: &["RS256"],
        username_claim: &["upn", "unique_name", "oid"],
        ..NOTHING
    },
    Known {
        preset: Preset::Google,
        name: "google",
        about: "Google sign-in: ID tokens of your client. Every Google account has one: restrict `hd` by `required_claims`",
        issuer: &[&["https://accounts.google.com", "accounts.google.com"]],
        algorithms: &["RS256"],
        username_claim: &["email", "sub"],
        ..NOTHING
    },
    Known {
        preset: Preset::GoogleIap,
        name: "google-iap",
        about: "Google Identity-Aware Proxy; the audience is a path such as `/projects/1/global/backendServices/2`",
        issuer: &[&["https://cloud.google.com/iap"]],
        jwks_url: Some("https://www.gstatic.com/iap/verify/public_key-jwk"),
        algorithms: &["ES256"],
        username_claim: &["email", "sub"],
        header_name: Some("X-Goog-IAP-JWT-Assertion"),
        ..NOTHING
    },
    Known {
        preset: Preset::Keycloak,
        name: "keycloak",
        about: "Keycloak; before version 17 `domain` ends in `/auth`. Its access tokens name your client as audience only with an audience mapper",
        needs: "domain, realm",
        example: "domain = \"sso.example.com\"` and `realm = \"main\"",
        issuer: &[&["https://{domain}/realms/{realm}"]],
        username_claim: &["preferred_username", "sub"],
        fields: &[("roles", &["realm_access.roles"])],
        ..NOTHING
    },
    Known {
        preset: Preset::Auth0,
        name: "auth0",
        about: "Auth0; the issuer ends in a slash. Ask for an `audience`, or the access token is opaque",
        needs: "domain",
        example: "domain = \"acme.eu.auth0.com\"",
        issuer: &[&["https://{domain}/"]],
        username_claim: &["sub"],
        ..NOTHING
    },
    Known {
        preset: Preset::Cognito,
        name: "cognito",
        about: "Amazon Cognito; `token_use` is `access` or `id`. An access token has no `aud`: its `client_id` is compared with `audience`",
        needs: "user_pool",
        example: "user_pool = \"eu-west-1_aBcDeFgHi\"",
        token_use: Some("access"),
        issuer: &[&["https://cognito-idp.{region}.amazonaws.com/{user_pool}"]],
        algorithms: &["RS256"],
        username_claim: &["cognito:username", "username", "sub"],
        fields: &[("groups", &["cognito:groups"])],
        ..NOTHING
    },
    Known {
        preset: Preset::CloudflareAccess,
        name: "cloudflare-access",
        about: "Cloudflare Access; `domain` is `TEAM.cloudflareaccess.com`, the audience is the application's AUD tag",
        needs: "domain",
        example: "domain = \"acme.cloudflareaccess.com\"",
        issuer: &[&["https://{domain}"]],
        jwks_url: Some("https://{domain}/cdn-cgi/access/certs"),
        algorithms: &["RS256"],
        username_claim: &["email", "common_name"],
        header_name: Some("Cf-Access-Jwt-Assertion"),
        ..NOTHING
    },
    Known {
        preset: Preset::AwsAlb,
        name: "aws-alb",
        about: "The claims that an AWS Application Load Balancer signs; `signer` is its ARN, `issuer` your provider's. Its tokens name no audience: the signer says whose they are",
        needs: "signer, issuer",
        example: "signer = \"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/web/50dc6c495c0c9188\"` and `issuer = \"https://idp.example.com\"",
        key_url: &[
            "https://s3-{gov_region}.amazonaws.com/aws-elb-public-keys-prod-{gov_region}/{kid}",
            "https://public-keys.auth.elb.{region}.amazonaws.com/{kid}",
        ],
        has_no_audience: true,
        algorithms: &["ES256"],
        username_claim: &["preferred_username", "username", "email", "sub"],
        header_name: Some("X-Amzn-Oidc-Data"),
        is_padded: true,
        ..NOTHING
    },
    Known {
        preset: Preset::Gitlab,
        name: "gitlab",
        about: "ID tokens of GitLab CI jobs (`id_tokens`). Restrict the projects by `required_claims`",
        domain: Some("gitlab.com"),
        issuer: &[&["https://{domain}"]],
        algorithms: &["RS256"],
        username_claim: &["user_login", "sub"],
        fields: &[("email", &["user_email"])],
        open_to_all: Some("namespace_path = \"acme\""),
        ..NOTHING
    },
    Known {
        preset: Preset::GithubActions,
        name: "github-actions",
        about: "ID tokens of GitHub Actions. Everybody's workflow can get one for your audience: restrict the owner or the repository by `required_claims`",
        issuer: &[&["https://token.actions.githubusercontent.com"]],
        algorithms: &["RS256"],
        username_claim: &["sub"],
        open_to_all: Some("repository_owner = \"acme\""),
        ..NOTHING
    },
    Known {
        preset: Preset::Kubernetes,
        name: "kubernetes",
        about: "Service accounts of the cluster that jwtgate runs in; the username is `system:serviceaccount:NAMESPACE:NAME`. Managed clusters have another `issuer`",
        issuer: &[&[
            "https://kubernetes.default.svc.cluster.local",
            "https://kubernetes.default.svc",
        ]],
        jwks_url: Some("https://kubernetes.default.svc/openid/v1/jwks"),
        files: Some((
            "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
            "/var/run/secrets/kubernetes.io/serviceaccount/token",
        )),
        ..NOTHING
    },
];

impl Preset {
    /// What it fills in.
    #[must_use]
    pub fn known(self) -> &'static Known {
        PRESETS
            .iter()
            .find(|known| known.preset == self)
            .unwrap_or(&NOTHING)
    }
}

/// Fills the names of a template in; `None` when one has no value. `{kid}` and `{tenantid}` stay.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        filled.push_str(before);
        match name {
            "kid" | "tenantid" => {
                filled.push('{');
                filled.push_str(name);
                filled.push('}');
            }
            name => filled.push_str(&value(name)?),
        }
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_stands_in_the_table_under_the_name_that_a_configuration_uses() {
        for known in &PRESETS {
            let name = serde_json::to_value(known.preset).unwrap();
            assert_eq!(name, known.name);
            assert_eq!(known.preset.known().name, known.name);
            assert!(!known.about.is_empty());
        }
    }

    #[test]
    fn a_template_is_filled_or_not_used() {
        let value = |name: &str| (name == "a").then(|| "x".to_owned());
        assert_eq!(fill("-{a}-{kid}-", value).as_deref(), Some("-x-{kid}-"));
        assert_eq!(fill("{a}{b}", value), None);
        assert_eq!(fill("plain", value).as_deref(), Some("plain"));
        assert_eq!(fill("{a", value), None);
    }
}
