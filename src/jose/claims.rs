//! The claims (RFC 7519 §4): facts read out of the payload of a token whose signature is already known to be good.
//!
//! A registered claim of the wrong type is an error, never "absent" (the class of CVE-2026-25537).

use crate::clock::Timestamp;

use super::claim_path::ClaimPath;
use super::json::{Json, Number, Object};

/// The claims set of a token.
#[derive(Debug)]
pub struct Claims<'a>(Object<'a>);

/// The payload is not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload is not one JSON object with unique members")]
pub struct NotClaims;

/// A registered claim has the wrong type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the claim has the wrong type")]
pub struct WrongType;

impl<'a> Claims<'a> {
    /// Reads the decoded payload.
    ///
    /// # Errors
    /// Anything but one JSON object with unique members.
    pub fn parse(json: &'a [u8]) -> Result<Self, NotClaims> {
        match Json::parse(json) {
            Ok(Json::Object(object)) => Ok(Self(object)),
            _ => Err(NotClaims),
        }
    }

    /// Any claim by its literal name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        self.0.get(name)
    }

    /// Every claim, in the order of the token.
    pub fn members(&self) -> impl Iterator<Item = (&str, &Json<'a>)> {
        self.0.members()
    }

    /// Whether the token says that a claim stands elsewhere: in `_claim_names` (OpenID Connect Core §5.6.2), as Microsoft Entra ID does
    /// with groups that are too many for it, or by its older `hasgroups`. What the token holds of such a claim is not the whole. Forms that
    /// nobody should send count as a yes.
    #[must_use]
    pub fn stands_elsewhere(&self, path: &ClaimPath) -> bool {
        let is_named = |name: &str| match self.get("_claim_names") {
            None | Some(Json::Null) => false,
            Some(Json::Object(names)) => names.get(name).is_some(),
            Some(_) => true,
        };
        let has_groups = || match self.get("hasgroups") {
            None | Some(Json::Null | Json::Bool(false)) => false,
            Some(_) => true,
        };
        path.roots()
            .any(|root| is_named(root) || (root == "groups" && has_groups()))
    }

    /// `exp`, `nbf` or `iat`: a number of seconds, which may have a fraction (RFC 7519 §2).
    ///
    /// # Errors
    /// The claim is there and no number.
    pub fn time(&self, name: &str) -> Result<Option<Timestamp>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Number(number)) => Ok(Some(match *number {
                Number::Unsigned(seconds) => {
                    Timestamp::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
                }
                Number::Negative(seconds) => Timestamp::from_seconds(seconds),
                Number::Float(seconds) => Timestamp::from_fractional_seconds(seconds),
            })),
            Some(_) => Err(WrongType),
        }
    }

    /// A claim that is one string, such as `iss`.
    ///
    /// # Errors
    /// The claim is there and no string.
    pub fn text(&self, name: &str) -> Result<Option<&str>, WrongType> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(WrongType),
        }
    }

    /// Whether a claim such as `aud` (a string or a list of strings) holds one of `expected`; `false` when it is absent or empty.
    ///
    /// # Errors
    /// It is there and neither, or a list with something else in it.
    pub fn holds_one_of(&self, name: &str, expected: &[String]) -> Result<bool, WrongType> {
        let is_expected = |found: &str| expected.iter().any(|audience| audience == found);
        match self.get(name) {
            None => Ok(false),
            Some(Json::String(audience)) => Ok(is_expected(audience)),
            Some(Json::Array(audiences)) => {
                let mut held = false;
                for audience in audiences {
                    held |= is_expected(audience.as_str().ok_or(WrongType)?);
                }
                Ok(held)
            }
            Some(_) => Err(WrongType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(json: &str) -> Result<bool, WrongType> {
        let claims = Claims::parse(json.as_bytes()).unwrap();
        claims.holds_one_of("aud", &["https://app/".to_owned(), "other".to_owned()])
    }

    #[test]
    fn s6_6_the_audience_is_compared_by_equality() {
        assert_eq!(audience(r#"{"aud":"https://app/"}"#), Ok(true));
        assert_eq!(audience(r#"{"aud":["x","other"]}"#), Ok(true));
        for json in [
            "{}",
            r#"{"aud":""}"#,
            r#"{"aud":[]}"#,
            r#"{"aud":"https://app"}"#,
            r#"{"aud":"HTTPS://APP/"}"#,
            r#"{"aud":"https://app/ "}"#,
            r#"{"aud":"other,https://app/"}"#,
        ] {
            assert_eq!(audience(json), Ok(false), "{json}");
        }
    }

    #[test]
    fn s6_2_a_wrong_type_is_an_error_and_not_absent() {
        for json in [
            r#"{"aud":7}"#,
            r#"{"aud":null}"#,
            r#"{"aud":{}}"#,
            r#"{"aud":["other",7]}"#,
            r#"{"aud":[["other"]]}"#,
        ] {
            assert_eq!(audience(json), Err(WrongType), "{json}");
        }
        let claims =
            Claims::parse(br#"{"exp":"4102444800","nbf":null,"iat":[1],"iss":{}}"#).unwrap();
        for name in ["exp", "nbf", "iat"] {
            assert_eq!(claims.time(name), Err(WrongType), "{name}");
        }
        assert_eq!(claims.text("iss"), Err(WrongType));
    }

    #[test]
    fn s6_3_any_finite_number_is_a_time_and_none_wraps() {
        let claims = Claims::parse(
            br#"{"a":18446744073709551615,"b":1e308,"c":-1e308,"d":-5,"e":1.5,"f":100000000000000000000000}"#,
        )
        .unwrap();
        let zero = Timestamp::from_seconds(0);
        for (name, is_future) in [
            ("a", true),
            ("b", true),
            ("c", false),
            ("d", false),
            ("e", true),
            ("f", true),
        ] {
            let time = claims.time(name).unwrap().unwrap();
            assert_eq!(time > zero, is_future, "{name}");
        }
        assert_eq!(claims.time("absent"), Ok(None));
    }
}
