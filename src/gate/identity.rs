//! Step 4: who is it? From claims to the values of identity headers, and to what rules ask of.
//!
//! A value is complete and exactly what the issuer signed, changed only as the configuration says, or the request is refused: nothing is
//! trimmed, folded or cut. Every configured header has a value, empty where the token lacks the claim, so that no client's own header can
//! survive in a proxy.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::config::{Config, Fault, GroupOverage, IssuerSettings};
use crate::jose::{ClaimPath, Claims, Json, NotAPath};
use crate::policy::{AccessRules, Known, Met, Policy, Subject};
use crate::reason::Reason;

use super::field::{Field, NoValue, Value as FieldValue};
use super::headers::{Carries, Headers};
use super::signed_identity::{IdentitySigner, Signed};
use super::username::{USERNAME, Username};

/// How an issuer's claims become an identity.
#[derive(Clone, Debug)]
pub struct IdentityRules {
    /// The issuer's name in the configuration.
    issuer: String,
    username: Username,
    /// Every field, by its name.
    fields: BTreeMap<String, Field>,
    headers: Headers,
    overage: GroupOverage,
    access: AccessRules,
}

/// Who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    username: Box<str>,
    values: Box<[Bytes]>,
}

/// What came of the claims of a verified token.
#[derive(Debug)]
pub struct Identified {
    /// Who it is.
    pub identity: Identity,
    /// Which requirements of rules are met.
    pub met: Met,
    /// What expressions may ask, where there are any.
    pub known: Option<Box<Known>>,
    /// What is kept for signing, where identities are signed.
    pub signed: Option<Box<Signed>>,
}

/// Why a verified token gives no identity, or its person may not come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoIdentity {
    /// The reason.
    pub reason: Reason,
    /// Where: a key of the configuration or a header, and a size. Nothing of the token.
    pub detail: Option<Box<str>>,
}

/// Fields that are lists or addresses, as `/userinfo` and rules want them.
#[derive(Debug)]
struct Facts<'c> {
    email: Option<Cow<'c, str>>,
    groups: Option<Vec<Cow<'c, str>>>,
    scopes: Option<Vec<Cow<'c, str>>>,
    /// Whether the groups stand elsewhere.
    is_overage: bool,
}

/// An e-mail address, and groups where they can be told.
pub type EmailAndGroups = (Option<String>, Option<Vec<String>>);

/// The longest username, in bytes of the header value.
pub const MAX_USERNAME: usize = 256;

impl Identity {
    /// The username, as it is known here (before any encoding for a header).
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The header values, in the order of the headers' names.
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

impl From<Reason> for NoIdentity {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            detail: None,
        }
    }
}

impl IdentityRules {
    /// Compiles the rules of an issuer. `None` when the username's is at fault.
    #[must_use]
    pub fn compile(
        config: &Config,
        settings: &IssuerSettings,
        headers: &Headers,
    ) -> (Option<Self>, Vec<Fault>) {
        let mut faults = Vec::new();
        let own = config
            .issuers
            .get(&settings.name)
            .map(|table| &table.fields);
        let is_own = |name: &str| own.is_some_and(|own| own.contains_key(name));
        let path = |name: &str| {
            if is_own(name) {
                settings.path(&format!("fields.{name}"))
            } else {
                format!("identity.fields.{name}")
            }
        };
        let others = settings
            .identity
            .fields
            .iter()
            .filter(|(name, _)| *name != USERNAME);
        let fields = others
            .filter_map(|(name, table)| {
                let field = Field::compile(&path(name), table, &mut faults)?;
                Some((name.clone(), field))
            })
            .collect();
        let username = Username::compile(settings, &path(USERNAME), &mut faults);
        let issuer_path = settings.path("access");
        let mut access = vec![("access", &config.access)];
        if !settings.is_default {
            access.push((issuer_path.as_str(), &settings.identity.access));
        }
        let access = AccessRules::compile(&access, &mut faults);
        let rules = username.map(|username| Self {
            issuer: settings.name.clone(),
            username,
            headers: headers.clone(),
            fields,
            overage: settings.identity.group_overage,
            access,
        });
        (rules, faults)
    }

    /// Makes the identity of a verified token, and tells which requirements of the policy it meets.
    ///
    /// # Errors
    /// There is no good username, another claim is not fit for its header, the headers are too large, or the person may not come in.
    pub fn identify(
        &self,
        claims: &Claims<'_>,
        policy: &Policy,
        signer: Option<&IdentitySigner>,
    ) -> Result<Identified, NoIdentity> {
        let username = self.username.of(claims)?;
        let shown = self.headers.username(&username)?;
        let mut met = Met::default();
        let mut is_admin = false;
        let mut kept_out = None;
        let mut known = None;
        let mut kept = None;
        if self.access.ask_anything() || policy.asks_of_tokens() || signer.is_some() {
            let facts = self.facts(claims);
            let asks_for_groups =
                self.access.ask_for_groups() || policy.asks_for_groups() || signer.is_some();
            if asks_for_groups && facts.is_overage && self.overage == GroupOverage::Refuse {
                return Err(Reason::IdentityOverage.into());
            }
            let subject = facts.subject(&username, claims);
            kept_out = self.access.keeps_out(&subject);
            is_admin = self.access.is_admin(&subject);
            kept = signer
                .map(|signer| {
                    self.signed_claims(&facts, &username, is_admin, claims)
                        .map(|said| Box::new(signer.prepare(&said)))
                })
                .transpose()?;
            met = policy.requirements.met_by(&subject);
            if policy.has_expressions() {
                known = Known::of(&subject).map(Box::new);
            }
        }
        let mut values = self.headers.collect();
        for (header, carries) in self.headers.iter() {
            let value = match carries {
                Carries::Username => shown.clone().into_owned(),
                Carries::Role if is_admin => "admin".to_owned(),
                Carries::Role => "user".to_owned(),
                Carries::Named(name, claim) => {
                    self.named(name, claim, claims)
                        .map_err(|reason| NoIdentity {
                            reason,
                            detail: Some(format!("the header `{header}`").into()),
                        })?
                }
            };
            values.add(header, value)?;
        }
        if let Some((reason, key)) = kept_out {
            return Err(NoIdentity {
                reason,
                detail: Some(format!("`{key}`").into()),
            });
        }
        let identity = Identity {
            values: values.finish(),
            username: username.into(),
        };
        Ok(Identified {
            identity,
            met,
            known,
            signed: kept,
        })
    }

    /// The value of a header that carries a field or a claim.
    fn named(&self, name: &str, claim: &Field, claims: &Claims<'_>) -> Result<String, Reason> {
        let field = self.fields.get(name).unwrap_or(claim);
        match field.value(claims) {
            Ok(value) => self
                .headers
                .text(value, field)
                .ok_or(Reason::IdentityInvalid),
            Err(NoValue::Elsewhere) if self.overage == GroupOverage::Ignore => Ok(String::new()),
            Err(NoValue::Elsewhere) => Err(Reason::IdentityOverage),
            Err(NoValue::WrongType) => Err(Reason::IdentityInvalid),
        }
    }

    /// What a signed identity says: the same as the headers do, groups filtered as there, and what no header may hold refused.
    fn signed_claims(
        &self,
        facts: &Facts<'_>,
        username: &str,
        is_admin: bool,
        claims: &Claims<'_>,
    ) -> Result<Map<String, Value>, NoIdentity> {
        let unfit = |name: &str| NoIdentity {
            reason: Reason::IdentityInvalid,
            detail: Some(format!("the field `{name}`, for the signed identity").into()),
        };
        let mut said = Map::new();
        said.insert("sub".to_owned(), username.into());
        said.insert("idp".to_owned(), self.issuer.clone().into());
        for name in ["email", "name"] {
            match self.fields.get(name).map(|field| field.value(claims)) {
                Some(Ok(FieldValue::Text(text))) if self.headers.are_fit(&[text.as_ref()]) => {
                    said.insert(name.to_owned(), text.as_ref().into());
                }
                None | Some(Ok(FieldValue::Absent)) => {}
                Some(_) => return Err(unfit(name)),
            }
        }
        // Whether the address was verified is not ours to leave out.
        if let Some(is_verified) = claims.get("email_verified") {
            let is_verified = matches!(is_verified, Json::Bool(true))
                || is_verified
                    .as_str()
                    .is_some_and(|text| text.eq_ignore_ascii_case("true"));
            said.insert("email_verified".to_owned(), is_verified.into());
        }
        match &facts.groups {
            Some(groups) => {
                let filter = self.fields.get("groups").map(|field| &field.filter);
                let is_shown = |group: &&str| filter.is_none_or(|filter| filter.lets_pass(group));
                let groups: Vec<&str> = groups.iter().map(AsRef::as_ref).filter(is_shown).collect();
                if !self.headers.are_fit(&groups) {
                    return Err(unfit("groups"));
                }
                said.insert("groups".to_owned(), groups.into());
            }
            // They stand elsewhere, and that shall be ignored.
            None if facts.is_overage => {}
            None => return Err(unfit("groups")),
        }
        if self.headers.name_admins() {
            let role = if is_admin { "admin" } else { "user" };
            said.insert("role".to_owned(), role.into());
        }
        Ok(said)
    }

    fn facts<'c>(&'c self, claims: &'c Claims<'_>) -> Facts<'c> {
        let value = |name: &str| self.fields.get(name).map(|field| field.value(claims));
        let list = |name: &str| match value(name)? {
            Ok(FieldValue::List(items)) => Some(items),
            Ok(FieldValue::Text(text)) => Some(vec![text]),
            Ok(FieldValue::Absent) => Some(Vec::new()),
            Err(NoValue::WrongType | NoValue::Elsewhere) => None,
        };
        let text = |name: &str| match value(name) {
            Some(Ok(FieldValue::Text(text))) => Some(text),
            _ => None,
        };
        Facts {
            email: text("email"),
            groups: list("groups"),
            scopes: list("scopes"),
            is_overage: value("groups") == Some(Err(NoValue::Elsewhere)),
        }
    }

    /// The e-mail address and the groups of a verified token, for whoever wants more than headers.
    #[must_use]
    pub fn email_and_groups(&self, claims: &Claims<'_>) -> EmailAndGroups {
        let facts = self.facts(claims);
        let groups = facts.groups;
        (
            facts.email.map(Cow::into_owned),
            groups.map(|groups| groups.into_iter().map(Cow::into_owned).collect()),
        )
    }

    /// Asks a question of the subject that a verified token speaks of; `None` where it has no good username.
    pub fn with_subject<T>(
        &self,
        claims: &Claims<'_>,
        ask: impl FnOnce(&Subject<'_>) -> T,
    ) -> Option<T> {
        let username = self.username.of(claims).ok()?;
        let facts = self.facts(claims);
        Some(ask(&facts.subject(&username, claims)))
    }
}

impl Facts<'_> {
    fn subject<'s>(&'s self, username: &'s str, claims: &'s Claims<'s>) -> Subject<'s> {
        Subject {
            username,
            email: self.email.as_deref(),
            groups: self.groups.as_deref(),
            scopes: self.scopes.as_deref(),
            claims,
        }
    }
}

pub(super) fn not_a_path(path: &str, found: &str, why: NotAPath) -> Fault {
    Fault::new(
        path,
        format!("`{found}`: {why}"),
        "a claim, a dotted path or a JSON Pointer",
        "for example `email`, `realm_access.roles` or `/https:~1~1example.com~1groups`",
    )
}

/// A field for a header that names a claim.
pub(super) fn field_of_claim(path: &str, claim: &str, faults: &mut Vec<Fault>) -> Option<Field> {
    match ClaimPath::parse(claim) {
        Ok(claim) => Some(Field::of_claim(claim)),
        Err(why) => {
            faults.push(not_a_path(path, claim, why));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NonAscii, OneOrMany};

    fn identify(config: &Config, claims: &str) -> Result<Vec<String>, Reason> {
        let (headers, faults) = Headers::compile(config);
        assert_eq!(faults, []);
        let (rules, faults) = IdentityRules::compile(config, &config.default_issuer(), &headers);
        assert_eq!(faults, []);
        let claims = Claims::parse(claims.as_bytes()).unwrap();
        let identified = rules
            .unwrap()
            .identify(&claims, &Policy::default(), None)
            .map_err(|why| why.reason)?;
        let identity = identified.identity;
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
        config.identity.headers = Some(
            ["A", "B", "C"]
                .map(|name| (name.to_owned(), "groups".to_owned()))
                .into(),
        );
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
            config.identity.headers = Some(
                names
                    .iter()
                    .map(|name| ((*name).to_owned(), "username".to_owned()))
                    .collect(),
            );
            let (_, faults) = Headers::compile(&config);
            assert_eq!(faults.len(), 1, "{names:?}");
        }
    }
}
