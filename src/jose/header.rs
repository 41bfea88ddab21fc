//! The JOSE header (RFC 7515 §4): what a token says of itself before anybody believes it.
//!
//! Only `alg`, `kid`, `typ` and, where one is configured, `signer` are ever used, and only to choose among what is configured. `jwk`, `jku`, `x5u`, `x5c` and `x5t`
//! are not read at all (RFC 8725 §3.10): no key comes from a token.

use std::borrow::Cow;

use super::algorithm::Algorithm;
use super::json::{Json, Object};

/// A header that asks for nothing that jwtgate does not do.
#[derive(Clone, Debug, PartialEq)]
pub struct Header<'a> {
    /// The algorithm that the token names. It chooses nothing: it must be one of the key's.
    pub algorithm: Algorithm,
    /// The name of the key, an opaque string.
    pub kid: Option<Cow<'a, str>>,
    /// The kind of token.
    pub typ: Option<Cow<'a, str>>,
    /// Who says to have signed it: a member that AWS load balancers write.
    pub signer: Option<Cow<'a, str>>,
}

/// Why a header was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderFault {
    /// Not a JSON object, or a member has the wrong type.
    #[error("the header is not a JSON object with members of the right type")]
    Malformed,
    /// `crit` or `b64` (RFC 7515 §4.1.11, RFC 7797).
    #[error("the header demands an extension that is not supported")]
    Critical,
    /// `enc`, `zip`, or `cty` of a nested token (RFC 7516, RFC 7519 §5.2).
    #[error("the token is encrypted, compressed or nested")]
    Encrypted,
    /// `alg` is absent or not in the table.
    #[error("the algorithm is not known")]
    Algorithm,
}

impl<'a> Header<'a> {
    /// Reads the decoded header.
    ///
    /// # Errors
    /// See [`HeaderFault`]. The order matters to nobody outside: every fault is a refusal.
    pub fn parse(json: &'a [u8]) -> Result<Self, HeaderFault> {
        let Ok(Json::Object(members)) = Json::parse(json) else {
            return Err(HeaderFault::Malformed);
        };
        if ["crit", "b64"]
            .iter()
            .any(|name| members.get(name).is_some())
        {
            return Err(HeaderFault::Critical);
        }
        // A JWS that carries `enc` must get no other treatment than refusal: a JWE path that skips the signature is a known
        // hole of others (lua-resty-jwt, CVE-2024-33531).
        if ["enc", "zip"]
            .iter()
            .any(|name| members.get(name).is_some())
        {
            return Err(HeaderFault::Encrypted);
        }
        if let Some(content) = text(&members, "cty")?
            && is_media_type(&content, "JWT")
        {
            return Err(HeaderFault::Encrypted);
        }
        let algorithm = match members.get("alg") {
            Some(Json::String(name)) => Algorithm::from_name(name).ok_or(HeaderFault::Algorithm)?,
            _ => return Err(HeaderFault::Algorithm),
        };
        Ok(Self {
            algorithm,
            kid: text(&members, "kid")?,
            typ: text(&members, "typ")?,
            // A member that no standard knows may be anything where nobody asks for it.
            signer: match members.get("signer") {
                Some(Json::String(signer)) => Some(signer.clone()),
                _ => None,
            },
        })
    }
}

/// Whether `found` names the media type `wanted`: without case, the prefix `application/` may be left out (RFC 7515 §4.1.9).
#[must_use]
pub fn is_media_type(found: &str, wanted: &str) -> bool {
    fn short(name: &str) -> &str {
        const PREFIX: &str = "application/";
        match name.split_at_checked(PREFIX.len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case(PREFIX) => rest,
            _ => name,
        }
    }
    short(found).eq_ignore_ascii_case(short(wanted))
}

fn text<'a>(members: &Object<'a>, name: &str) -> Result<Option<Cow<'a, str>>, HeaderFault> {
    match members.get(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(HeaderFault::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> HeaderFault {
        Header::parse(json.as_bytes()).unwrap_err()
    }

    #[test]
    fn s1_2_alg_absent_null_or_of_another_type_is_refused() {
        for json in [
            "{}",
            r#"{"alg":null}"#,
            r#"{"alg":["RS256"]}"#,
            r#"{"alg":""}"#,
            r#"{"alg":"none"}"#,
            r#"{"alg":"nOnE"}"#,
        ] {
            assert_eq!(fault(json), HeaderFault::Algorithm, "{json}");
        }
    }

    #[test]
    fn s5_4_crit_and_b64_are_refused_in_every_form() {
        for json in [
            r#"{"alg":"RS256","crit":["exp"]}"#,
            r#"{"alg":"RS256","crit":[]}"#,
            r#"{"alg":"RS256","crit":null}"#,
            r#"{"alg":"RS256","b64":false}"#,
            r#"{"alg":"RS256","b64":true}"#,
        ] {
            assert_eq!(fault(json), HeaderFault::Critical, "{json}");
        }
    }

    #[test]
    fn s5_5_encrypted_compressed_and_nested_tokens_are_refused() {
        for json in [
            r#"{"alg":"RS256","enc":"A128GCM"}"#,
            r#"{"alg":"HS256","zip":"DEF"}"#,
            r#"{"alg":"RS256","cty":"JWT"}"#,
            r#"{"alg":"RS256","cty":"application/jwt"}"#,
        ] {
            assert_eq!(fault(json), HeaderFault::Encrypted, "{json}");
        }
    }

    #[test]
    fn s2_3_a_kid_that_is_no_string_is_refused() {
        assert_eq!(fault(r#"{"alg":"RS256","kid":7}"#), HeaderFault::Malformed);
        assert_eq!(
            fault(r#"{"alg":"RS256","kid":null}"#),
            HeaderFault::Malformed
        );
    }

    #[test]
    fn s2_1_other_members_are_not_looked_at() {
        let header = Header::parse(
            br#"{"alg":"ES256","kid":"a","jwk":7,"jku":"https://evil.example","x5c":[],"x":{"y":[]}}"#,
        )
        .unwrap();
        assert_eq!(header.algorithm.name(), "ES256");
        assert_eq!(header.kid.as_deref(), Some("a"));
    }

    #[test]
    fn s5_7_media_types_are_compared_without_case_and_prefix() {
        assert!(is_media_type("at+jwt", "at+jwt"));
        assert!(is_media_type("application/AT+JWT", "at+jwt"));
        assert!(is_media_type("AT+jwt", "application/at+jwt"));
        assert!(!is_media_type("jwt", "at+jwt"));
    }
}
