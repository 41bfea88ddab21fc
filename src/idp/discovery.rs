//! A provider's metadata: OpenID Connect Discovery 1.0 and OAuth 2.0 Authorization Server Metadata (RFC 8414).

use serde::Deserialize;
use url::Url;

use super::address::{self, Unfit};

/// What is used of a provider's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Where its key set is.
    pub jwks_uri: Url,
    /// Whether that lies on another host than the metadata. Then it must not lead into a private network.
    pub is_elsewhere: bool,
}

/// Why metadata is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryFault {
    /// Not a JSON object with `issuer` and `jwks_uri`.
    #[error("it is not a JSON object with one `issuer` and one `jwks_uri`, each a string")]
    NotMetadata,
    /// It describes another issuer (OpenID Connect Discovery §4.3, RFC 8414 §3.3).
    #[error("its `issuer` is {0:?}, and not the configured one")]
    OtherIssuer(String),
    /// `jwks_uri` is no address that may be asked.
    #[error("its `jwks_uri` is not used: {0}")]
    JwksUri(#[from] Unfit),
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// Where the metadata of an issuer may be: `ISSUER/.well-known/openid-configuration` (OpenID Connect Discovery §4), then
/// `HOST/.well-known/oauth-authorization-server/PATH` (RFC 8414 §3.1).
#[must_use]
pub fn well_known(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url
    };
    [
        at(format!("{path}/.well-known/openid-configuration")),
        at(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

/// Reads the metadata that was fetched from `at`. Its `issuer` must be `issuer`, byte for byte.
///
/// # Errors
/// See [`DiscoveryFault`].
pub fn read(
    text: &str,
    at: &Url,
    issuer: &str,
    danger_allow_http: bool,
) -> Result<Metadata, DiscoveryFault> {
    let document: Document = serde_json::from_str(text).map_err(|_| DiscoveryFault::NotMetadata)?;
    if document.issuer != issuer {
        let found = document.issuer.chars().take(200).collect();
        return Err(DiscoveryFault::OtherIssuer(found));
    }
    let jwks_uri = Url::parse(&document.jwks_uri).map_err(|_| DiscoveryFault::NotMetadata)?;
    // Plain HTTP in a document counts only where the document itself came by it from this machine.
    let may_be_plain = danger_allow_http || (at.scheme() == "http" && address::is_loopback(at));
    match jwks_uri.scheme() {
        "http" if !may_be_plain => return Err(Unfit::Scheme.into()),
        _ => address::judge(&jwks_uri, danger_allow_http)?,
    }
    let is_elsewhere = jwks_uri.host() != at.host();
    if is_elsewhere && !address::is_public_or_named(&jwks_uri) {
        return Err(Unfit::Private.into());
    }
    Ok(Metadata {
        jwks_uri,
        is_elsewhere,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at(at: &str, text: &str) -> Result<Metadata, DiscoveryFault> {
        read(text, &Url::parse(at).unwrap(), "https://idp.example", false)
    }

    #[test]
    fn the_two_places_of_metadata() {
        let at = |issuer: &str| well_known(&Url::parse(issuer).unwrap()).map(String::from);
        for issuer in ["https://a.example", "https://a.example/"] {
            assert_eq!(
                at(issuer),
                [
                    "https://a.example/.well-known/openid-configuration",
                    "https://a.example/.well-known/oauth-authorization-server"
                ]
            );
        }
        assert_eq!(
            at("https://a.example/oauth2/default"),
            [
                "https://a.example/oauth2/default/.well-known/openid-configuration",
                "https://a.example/.well-known/oauth-authorization-server/oauth2/default"
            ]
        );
    }

    #[test]
    fn s14_2_metadata_of_another_issuer_or_with_an_unfit_key_address_is_refused() {
        let at = "https://idp.example/.well-known/openid-configuration";
        let with = |jwks_uri: &str| {
            format!(r#"{{"issuer":"https://idp.example","jwks_uri":"{jwks_uri}","x":1}}"#)
        };
        assert!(read_at(at, &with("https://idp.example/keys")).is_ok());
        assert!(
            read_at(at, &with("https://keys.example/keys"))
                .unwrap()
                .is_elsewhere
        );
        for jwks_uri in [
            "http://idp.example/keys",
            "http://127.0.0.1/keys",
            "file:///x",
        ] {
            assert_eq!(
                read_at(at, &with(jwks_uri)),
                Err(DiscoveryFault::JwksUri(Unfit::Scheme)),
                "{jwks_uri}"
            );
        }
        for jwks_uri in ["https://169.254.169.254/keys", "https://localhost/keys"] {
            let refused = Err(DiscoveryFault::JwksUri(Unfit::Private));
            assert_eq!(read_at(at, &with(jwks_uri)), refused, "{jwks_uri}");
        }
        for text in [
            r#"{"issuer":"https://idp.example/","jwks_uri":"https://idp.example/keys"}"#,
            r#"{"issuer":"https://IDP.example","jwks_uri":"https://idp.example/keys"}"#,
        ] {
            assert!(matches!(
                read_at(at, text),
                Err(DiscoveryFault::OtherIssuer(_))
            ));
        }
        for text in [
            "",
            "[]",
            "<html>",
            r#"{"issuer":"https://idp.example"}"#,
            r#"{"issuer":["https://idp.example"],"jwks_uri":"https://idp.example/keys"}"#,
            r#"{"issuer":"https://idp.example","jwks_uri":"/keys"}"#,
            r#"{"issuer":"https://evil.example","issuer":"https://idp.example","jwks_uri":"https://idp.example/keys"}"#,
        ] {
            assert_eq!(
                read_at(at, text),
                Err(DiscoveryFault::NotMetadata),
                "{text}"
            );
        }
    }
}
