//! Step 3: who is it? From claims to the values of identity headers.
//!
//! A value is complete and exactly what the issuer signed, or the request is refused: nothing is trimmed, folded or cut. Every
//! configured header has a value, empty where the token lacks the claim, so that no client's own header can survive in a proxy.

use std::borrow::Cow;

use bytes::Bytes;

use crate::config::{Config, Fault, IssuerSettings, NonAscii};
use crate::jose::{Claims, Json};
use crate::reason::Reason;

use super::claim_path::{ClaimPath, NotAPath};
use super::{header_name, header_value};

/// How claims become headers.
#[derive(Clone, Debug)]
pub struct IdentityRules {
    non_ascii: NonAscii,
    headers: Vec<(String, Carries)>,
}

/// Which claim of an issuer's tokens holds the username.
#[derive(Clone, Debug)]
pub struct UsernameRules {
    claims: Vec<ClaimPath>,
    cuts_at_sign: bool,
}

#[derive(Clone, Debug)]
enum Carries {
    Username,
    Claim(ClaimPath),
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    username: Box<str>,
    values: Box<[Bytes]>,
}

/// The longest username, in bytes of the header value.
pub const MAX_USERNAME: usize = 256;
/// The longest value of another header, in bytes.
pub const MAX_VALUE: usize = 4 * 1024;
/// The longest sum of all values, in bytes.
pub const MAX_TOTAL: usize = 8 * 1024;

impl Identity {
    /// The username, as the token has it (before any encoding for a header).
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The header values, in the order of [`IdentityRules::header_names`].
    #[must_use]
    pub fn values(&self) -> &[Bytes] {
        &self.values
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let values: usize = self
            .values
            .iter()
            .map(|value| size_of::<Bytes>() + value.len())
            .sum();
        size_of::<Self>() + self.username.len() + values
    }
}

impl UsernameRules {
    /// Compiles the rules. Faults name keys of the issuer.
    #[must_use]
    pub fn compile(settings: &IssuerSettings) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut claims = Vec::new();
        let fields = settings.username_claim.items();
        let path = settings.path("username_claim");
        if fields.is_empty() {
            faults.push(Fault::new(
                &path,
                "nothing",
                "the claim that holds the username",
                "`sub`, `preferred_username` and `email` are usual",
            ));
        }
        for field in fields {
            match ClaimPath::parse(field) {
                Ok(claim) => claims.push(claim),
                Err(fault) => faults.push(not_a_path(&path, field, fault)),
            }
        }
        let rules = Self {
            claims,
            cuts_at_sign: settings.extract_username,
        };
        (rules, faults)
    }

    /// The username: the first claim of the list that the token has. A claim that is there and no good name is a refusal, not a
    /// reason to take the next.
    fn of<'c>(&self, claims: &'c Claims<'_>) -> Result<&'c str, Reason> {
        let claim = self
            .claims
            .iter()
            .find_map(|path| path.resolve(claims))
            .ok_or(Reason::IdentityUsername)?;
        let name = claim.as_str().ok_or(Reason::IdentityUsername)?;
        if self.cuts_at_sign {
            return Ok(name.split('@').next().unwrap_or_default());
        }
        Ok(name)
    }
}

impl IdentityRules {
    /// Compiles the rules. Faults name keys of `[identity]`.
    #[must_use]
    pub fn compile(config: &Config) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut headers: Vec<(String, Carries)> = Vec::new();
        for (name, claim) in &config.identity.headers {
            let path = format!("identity.headers.\"{name}\"");
            if let Some(fault) =
                header_name::unfit(name, &path, headers.iter().map(|(name, _)| name))
            {
                faults.push(fault);
                continue;
            }
            let carries = if claim == "username" {
                Carries::Username
            } else {
                match ClaimPath::parse(claim) {
                    Ok(path) => Carries::Claim(path),
                    Err(fault) => {
                        faults.push(not_a_path(&path, claim, fault));
                        continue;
                    }
                }
            };
            headers.push((name.clone(), carries));
        }
        if headers.is_empty() && faults.is_empty() {
            faults.push(Fault::warning(
                "identity.headers",
                "no header",
                "at least a header for the username",
                "without one, the application behind the proxy learns that a request may pass, but not who it is",
            ));
        }
        let rules = Self {
            non_ascii: config.identity.non_ascii,
            headers,
        };
        (rules, faults)
    }

    /// The names of the headers that every success carries.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    /// Makes the identity of a verified token.
    ///
    /// # Errors
    /// [`Reason::IdentityUsername`], [`Reason::IdentityInvalid`] or [`Reason::IdentityTooLarge`].
    pub fn identify(
        &self,
        username: &UsernameRules,
        claims: &Claims<'_>,
    ) -> Result<Identity, Reason> {
        let username = username.of(claims)?;
        let username_value = header_value::encode(username, self.non_ascii)
            .filter(|value| !value.is_empty() && value.len() <= MAX_USERNAME)
            .ok_or(Reason::IdentityUsername)?;
        let mut total = 0_usize;
        let mut values = Vec::with_capacity(self.headers.len());
        for (_, carries) in &self.headers {
            let value = match carries {
                Carries::Username => username_value.clone().into_owned(),
                Carries::Claim(path) => path
                    .resolve(claims)
                    .map_or(Ok(String::new()), |claim| self.value(claim))?,
            };
            total = total.saturating_add(value.len());
            if value.len() > MAX_VALUE || total > MAX_TOTAL {
                return Err(Reason::IdentityTooLarge);
            }
            // Without spare capacity, so that the cache's account of memory is true.
            values.push(Bytes::from(value.into_boxed_str().into_boxed_bytes()));
        }
        Ok(Identity {
            username: username.into(),
            values: values.into(),
        })
    }

    /// The header value of any other claim: a string, or a list of strings.
    fn value(&self, claim: &Json<'_>) -> Result<String, Reason> {
        let Json::Array(items) = claim else {
            return self.text(claim).map(Cow::into_owned);
        };
        let mut joined = String::new();
        for (index, item) in items.iter().enumerate() {
            let item = self.text(item)?;
            // A comma inside, or an empty item, would read as other items than the issuer signed.
            if item.is_empty() || item.contains(',') {
                return Err(Reason::IdentityInvalid);
            }
            if index > 0 {
                joined.push(',');
            }
            joined.push_str(&item);
        }
        Ok(joined)
    }

    fn text<'c>(&self, claim: &'c Json<'_>) -> Result<Cow<'c, str>, Reason> {
        claim
            .as_str()
            .and_then(|text| header_value::encode(text, self.non_ascii))
            .ok_or(Reason::IdentityInvalid)
    }
}

fn not_a_path(path: &str, found: &str, why: NotAPath) -> Fault {
    Fault::new(
        path,
        format!("`{found}`: {why}"),
        "a claim, a dotted path or a JSON Pointer",
        "for example `email`, `realm_access.roles` or `/https:~1~1example.com~1groups`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OneOrMany;

    fn identify(config: &Config, claims: &str) -> Result<Vec<String>, Reason> {
        let (rules, faults) = IdentityRules::compile(config);
        assert_eq!(faults, []);
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let (username, faults) = UsernameRules::compile(&config.default_issuer());
        assert_eq!(faults, []);
        let identity = rules.identify(&username, &claims)?;
        let text = |value: &Bytes| String::from_utf8(value.to_vec()).unwrap();
        Ok(identity.values().iter().map(text).collect())
    }

    /// The headers come in alphabetical order: e-mail, groups, user.
    fn user(config: &Config, name: &str) -> Result<String, Reason> {
        let claims = serde_json::json!({ "username": name }).to_string();
        identify(config, &claims).map(|values| values[2].clone())
    }

    fn with(non_ascii: NonAscii) -> Config {
        let mut config = Config::default();
        config.identity.non_ascii = non_ascii;
        config
    }

    #[test]
    fn s7_1_a_username_that_is_no_string_is_refused() {
        let config = Config::default();
        for claim in ["null", "true", "7", "[\"a\"]", "{}", "\"\""] {
            let claims = format!(r#"{{"username":{claim},"sub":"x"}}"#);
            assert_eq!(
                identify(&config, &claims),
                Err(Reason::IdentityUsername),
                "{claim}"
            );
        }
        assert_eq!(identify(&config, "{}"), Err(Reason::IdentityUsername));
    }

    #[test]
    fn s7_1_other_claims_are_taken_in_the_configured_order_only() {
        let config = Config {
            username_claim_field: OneOrMany::Many(vec!["upn".to_owned(), "sub".to_owned()]),
            ..Config::default()
        };
        assert_eq!(identify(&config, r#"{"sub":"s"}"#).unwrap()[2], "s");
        assert_eq!(
            identify(&config, r#"{"upn":null,"sub":"s"}"#).unwrap()[2],
            "s"
        );
        assert_eq!(
            identify(&config, r#"{"upn":"u","sub":"s"}"#).unwrap()[2],
            "u"
        );
        assert!(identify(&config, r#"{"upn":"","sub":"s"}"#).is_err());
        assert!(identify(&config, r#"{"upn":7,"sub":"s"}"#).is_err());
    }

    #[test]
    fn s7_2_control_characters_are_refused_and_never_narrowed() {
        for name in [
            "a\nb",
            "a\r\nX: y",
            "a\0",
            "\ta",
            "a\x7f",
            "a\u{85}b",
            "a\x1bb",
        ] {
            for mode in [NonAscii::Percent, NonAscii::Utf8, NonAscii::Refuse] {
                assert_eq!(user(&with(mode), name), Err(Reason::IdentityUsername));
            }
        }
        assert_eq!(user(&Config::default(), "\u{10a}").unwrap(), "%C4%8A");
    }

    #[test]
    fn s7_3_blanks_around_are_refused_and_inside_kept() {
        for name in [" a", "a ", "\u{a0}a", "a\u{2003}"] {
            assert_eq!(
                user(&Config::default(), name),
                Err(Reason::IdentityUsername)
            );
        }
        assert_eq!(user(&Config::default(), "a b").unwrap(), "a b");
    }

    #[test]
    fn s7_4_non_ascii_names_follow_the_setting() {
        assert_eq!(user(&with(NonAscii::Percent), "José").unwrap(), "Jos%C3%A9");
        assert_eq!(user(&with(NonAscii::Utf8), "José").unwrap(), "José");
        assert_eq!(
            user(&with(NonAscii::Refuse), "José"),
            Err(Reason::IdentityUsername)
        );
        for name in [
            "a\u{202e}b",
            "a\u{200d}b",
            "\u{feff}a",
            "a\u{2028}b",
            "a\u{e0041}",
        ] {
            assert_eq!(
                user(&with(NonAscii::Utf8), name),
                Err(Reason::IdentityUsername)
            );
        }
    }

    #[test]
    fn percent_encoding_is_injective() {
        for (name, value) in [
            ("100%", "100%"),
            ("%", "%"),
            ("a%zz", "a%zz"),
            ("Jos%C3%A9", "Jos%25C3%25A9"),
            ("%41%", "%2541%25"),
            ("é%", "%C3%A9%25"),
        ] {
            assert_eq!(user(&Config::default(), name).unwrap(), value);
        }
    }

    #[test]
    fn s7_5_names_of_256_bytes_pass_and_longer_ones_do_not() {
        assert!(user(&Config::default(), &"a".repeat(256)).is_ok());
        assert!(user(&Config::default(), &"a".repeat(257)).is_err());
        assert!(user(&Config::default(), &"é".repeat(43)).is_err());
        assert_eq!(
            user(&Config::default(), r#"a,"\|'<b>"#).unwrap(),
            r#"a,"\|'<b>"#
        );
    }

    #[test]
    fn extract_username_cuts_at_the_first_at_sign() {
        let config = Config {
            extract_username: true,
            ..Config::default()
        };
        assert_eq!(user(&config, "alice@corp").unwrap(), "alice");
        assert_eq!(user(&config, "a@b@c").unwrap(), "a");
        assert_eq!(user(&config, "alice").unwrap(), "alice");
        assert_eq!(user(&config, "@corp"), Err(Reason::IdentityUsername));
    }

    #[test]
    fn s7_7_every_header_has_a_value_and_lists_are_joined() {
        let config = Config::default();
        let claims = r#"{"username":"a","groups":["x","y z","7"]}"#;
        assert_eq!(identify(&config, claims).unwrap(), ["", "x,y z,7", "a"]);
        let claims = r#"{"username":"a","email":null,"groups":[]}"#;
        assert_eq!(identify(&config, claims).unwrap(), ["", "", "a"]);
        for bad in [
            r#""groups":["a,b"]"#,
            r#""groups":[""]"#,
            r#""groups":[["a"]]"#,
            r#""groups":{}"#,
            r#""groups":["a",7]"#,
            r#""email":7"#,
            r#""email":true"#,
            r#""email":"a\nb""#,
            r#""email":" a""#,
        ] {
            let claims = format!(r#"{{"username":"a",{bad}}}"#);
            assert_eq!(
                identify(&config, &claims),
                Err(Reason::IdentityInvalid),
                "{bad}"
            );
        }
    }

    #[test]
    fn headers_that_are_too_large_are_refused_and_never_cut() {
        let groups = |count: usize| {
            let groups: Vec<_> = (0..count)
                .map(|index| format!("group-{index:04}"))
                .collect();
            serde_json::json!({ "username": "a", "groups": groups }).to_string()
        };
        let config = Config::default();
        assert!(identify(&config, &groups(372)).is_ok());
        assert_eq!(
            identify(&config, &groups(373)),
            Err(Reason::IdentityTooLarge)
        );
        let mut config = Config::default();
        config.identity.headers = ["A", "B", "C"]
            .map(|name| (name.to_owned(), "groups".to_owned()))
            .into();
        assert!(identify(&config, &groups(200)).is_ok());
        assert_eq!(
            identify(&config, &groups(300)),
            Err(Reason::IdentityTooLarge)
        );
    }

    #[test]
    fn header_names_that_collide_or_break_http_are_faults() {
        for names in [
            vec!["X-Auth-User", "x_auth_user"],
            vec!["Content-Length"],
            vec!["Set_Cookie"],
            vec!["X Auth"],
            vec!["X-Auth:"],
            vec![""],
        ] {
            let mut config = Config::default();
            config.identity.headers = names
                .iter()
                .map(|name| ((*name).to_owned(), "username".to_owned()))
                .collect();
            let (_, faults) = IdentityRules::compile(&config);
            assert_eq!(faults.len(), 1, "{names:?}");
        }
    }
}
