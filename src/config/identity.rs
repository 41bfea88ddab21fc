//! `[identity]`: the headers that tell the application who it is, and what they are made of.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Access, Config, IssuerTable, OneOrMany};

/// What becomes of characters that are not ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NonAscii {
    /// They are percent-encoded, reversibly: `José` is sent as `Jos%C3%A9`.
    Percent,
    /// They are sent as UTF-8 bytes.
    Utf8,
    /// The request is refused.
    Refuse,
}

/// Names of headers that applications know already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderPreset {
    /// `X-Auth-User`, `X-Auth-Email`, `X-Auth-Groups`.
    XAuth,
    /// As oauth2-proxy sends them: `X-Auth-Request-User`, `-Email`, `-Groups`, `-Preferred-Username`.
    Oauth2Proxy,
    /// As Authelia sends them: `Remote-User`, `Remote-Name`, `Remote-Email`, `Remote-Groups`.
    Authelia,
    /// `X-Forwarded-User`, `X-Forwarded-Email`, `X-Forwarded-Groups`, `X-Forwarded-Preferred-Username`.
    ForwardedUser,
    /// `Remote-User`, for JupyterHub with `c.RemoteUserAuthenticator.header_name = "Remote-User"`.
    Jupyterhub,
}

/// What becomes of a token whose groups stand elsewhere, since there are too many for it (Microsoft Entra ID, `_claim_names`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupOverage {
    /// It is refused.
    Refuse,
    /// It passes with an empty header, and no rule about groups is met, be it that somebody is in one or is not.
    Ignore,
}

/// How a list stands in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListFormat {
    /// `a,b`; an item that holds a comma is refused.
    Comma,
    /// `a b`; an item that holds a blank is refused.
    Space,
    /// `["a","b"]`, with escapes for what is not ASCII.
    Json,
}

/// The headers that tell the application who it is. All of them stand on every 200, empty where the token lacks the claim.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Identity {
    /// Header names that applications know: `x-auth`, `oauth2-proxy`, `authelia`, `forwarded-user` or `jupyterhub`. Left out: `headers`, or `x-auth` without them.
    #[schemars(example = HeaderPreset::Oauth2Proxy)]
    pub preset: Option<HeaderPreset>,
    /// Header names and what they carry, beside those of the preset: a field of `[identity.fields]`, `username`, `role`, a claim, a dotted path or a JSON Pointer.
    #[schemars(example = BTreeMap::from([("X-Auth-User", "username"), ("X-Auth-Email", "email"), ("X-Auth-Groups", "groups")]))]
    pub headers: Option<BTreeMap<String, String>>,
    /// What becomes of characters that are not ASCII: `percent`, `utf8` or `refuse`.
    pub non_ascii: NonAscii,
    /// The most bytes that the value of one header takes. A larger one refuses the request; nothing is ever cut off.
    #[schemars(range(min = 256, max = 65536))]
    pub max_value_bytes: u64,
    /// The most bytes that all values take together.
    #[schemars(range(min = 256, max = 65536))]
    pub max_total_bytes: u64,
    /// A regular expression that must match the whole username.
    #[schemars(example = &"[a-z][a-z0-9-]{0,30}")]
    pub username_pattern: Option<String>,
    /// Usernames that have another name here. Others stay as they are.
    pub username_map: BTreeMap<String, String>,
    /// What becomes of a token whose groups stand elsewhere since there are too many (Microsoft Entra ID, `_claim_names`): `refuse` or `ignore`.
    pub group_overage: GroupOverage,
    /// What a field is made of. `email`, `name`, `groups` and `scopes` are there already: the claims of these names, and `scope` or `scp`.
    pub fields: BTreeMap<String, FieldTable>,
}

/// What a field is made of: one or more claims, changed on the way in the order of these keys. A key counts from the issuer's table, else from `[identity.fields]`, else from the issuer's preset.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FieldTable {
    /// The claim: a name, a dotted path or a JSON Pointer, or a list of those of which the first that is there counts.
    #[schemars(example = ["realm_access.roles", "groups"])]
    pub claim: Option<OneOrMany>,
    /// Join the values of all the claims into one list, each value once.
    #[schemars(example = true)]
    pub merge: Option<bool>,
    /// Text with claims in braces, instead of `claim`. Where one is missing, so is the field. `{{` stands for a brace.
    #[schemars(example = &"{given_name} {family_name}")]
    pub template: Option<String>,
    /// Take a text that holds blanks for a list, as in `scope`.
    #[schemars(example = true)]
    pub split: Option<bool>,
    /// A regular expression that must match the whole value; its first group is kept. What it does not match is left out.
    #[schemars(example = &"CN=([^,]+),.*")]
    pub capture: Option<String>,
    /// Keep only what stands before the first `@`.
    #[schemars(example = true)]
    pub until_at: Option<bool>,
    /// Make ASCII letters small. Others stay, since folding them makes different names alike.
    #[schemars(example = true)]
    pub lowercase: Option<bool>,
    /// Other values for some. Those that are not listed stay as they are.
    pub map: BTreeMap<String, String>,
    /// In headers: only these items of a list. Rules see all of them.
    #[schemars(example = ["admins", "staff"])]
    pub only: Option<OneOrMany>,
    /// In headers: only items that begin like this.
    #[schemars(example = &"app-")]
    pub only_prefix: Option<OneOrMany>,
    /// In headers: only items that this regular expression matches as a whole.
    #[schemars(example = &"(app|team)-[a-z]+")]
    pub only_matching: Option<String>,
    /// How a list stands in a header: `comma`, `space` or `json`.
    #[schemars(example = ListFormat::Json)]
    pub format: Option<ListFormat>,
}

/// What the claims of an issuer become.
#[derive(Clone, Debug)]
pub struct IdentitySettings {
    /// A pattern that the username must match as a whole, and the key that says it.
    pub username_pattern: Option<(String, String)>,
    /// Usernames that have another name here.
    pub username_map: BTreeMap<String, String>,
    /// What becomes of groups that stand elsewhere.
    pub group_overage: GroupOverage,
    /// What fields are made of.
    pub fields: BTreeMap<String, FieldTable>,
    /// Who of its people may come in, beside the lists for everybody.
    pub access: Access,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            preset: None,
            headers: None,
            non_ascii: NonAscii::Percent,
            max_value_bytes: 4 * 1024,
            max_total_bytes: 8 * 1024,
            username_pattern: None,
            username_map: BTreeMap::new(),
            group_overage: GroupOverage::Refuse,
            fields: BTreeMap::new(),
        }
    }
}

impl HeaderPreset {
    /// The headers and what they carry.
    #[must_use]
    pub const fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::XAuth => &[
                ("X-Auth-Email", "email"),
                ("X-Auth-Groups", "groups"),
                ("X-Auth-User", "username"),
            ],
            Self::Oauth2Proxy => &[
                ("X-Auth-Request-Email", "email"),
                ("X-Auth-Request-Groups", "groups"),
                ("X-Auth-Request-Preferred-Username", "preferred_username"),
                ("X-Auth-Request-User", "username"),
            ],
            Self::Authelia => &[
                ("Remote-Email", "email"),
                ("Remote-Groups", "groups"),
                ("Remote-Name", "name"),
                ("Remote-User", "username"),
            ],
            Self::ForwardedUser => &[
                ("X-Forwarded-Email", "email"),
                ("X-Forwarded-Groups", "groups"),
                ("X-Forwarded-Preferred-Username", "preferred_username"),
                ("X-Forwarded-User", "username"),
            ],
            Self::Jupyterhub => &[("Remote-User", "username")],
        }
    }
}

impl Identity {
    /// Every header and what it carries, in the order of their names.
    #[must_use]
    pub fn all_headers(&self) -> BTreeMap<String, String> {
        let preset = match (self.preset, &self.headers) {
            (None, Some(_)) => &[],
            (preset, _) => preset.unwrap_or(HeaderPreset::XAuth).headers(),
        };
        let own = self.headers.iter().flatten();
        preset
            .iter()
            .map(|&(header, carries)| (header.to_owned(), carries.to_owned()))
            .chain(own.map(|(header, carries)| (header.clone(), carries.clone())))
            .collect()
    }
}

/// Fields that are there without being named, with their claims.
const FIELDS: [(&str, &[&str]); 4] = [
    ("email", &["email"]),
    ("groups", &["groups"]),
    ("name", &["name"]),
    ("scopes", &["scope", "scp"]),
];

/// Claims that a preset knows for a field.
type KnownField = (&'static str, &'static [&'static str]);

impl Config {
    /// What the claims of an issuer become: what its own table says, else what holds for all. `preset` are the fields that its preset knows.
    pub(super) fn identity_of(
        &self,
        own: Option<(&str, &IssuerTable)>,
        preset: &[KnownField],
    ) -> IdentitySettings {
        let identity = &self.identity;
        let table = own.map(|(_, table)| table);
        let at = |key: &str| own.map(|(name, _)| format!("issuers.{name}.{key}"));
        let own_pattern = table.and_then(|table| table.username_pattern.clone());
        let pattern = match own_pattern.zip(at("username_pattern")) {
            Some((pattern, path)) => Some((path, pattern)),
            None => identity
                .username_pattern
                .clone()
                .map(|pattern| ("identity.username_pattern".to_owned(), pattern)),
        };
        let own_map = table.map(|table| &table.username_map);
        let map = own_map.filter(|map| !map.is_empty());
        IdentitySettings {
            username_pattern: pattern.filter(|(_, pattern)| !pattern.is_empty()),
            username_map: map.unwrap_or(&identity.username_map).clone(),
            group_overage: table
                .and_then(|table| table.group_overage)
                .unwrap_or(identity.group_overage),
            fields: identity.fields_of(table.map(|table| &table.fields), preset),
            access: table.map(|table| table.access.clone()).unwrap_or_default(),
        }
    }
}

impl Identity {
    fn fields_of(
        &self,
        own: Option<&BTreeMap<String, FieldTable>>,
        preset: &[KnownField],
    ) -> BTreeMap<String, FieldTable> {
        let known = FIELDS.iter().chain(preset).map(|&(name, claims)| {
            let claims = claims.iter().map(|&claim| claim.to_owned()).collect();
            let field = FieldTable {
                claim: Some(OneOrMany::Many(claims)),
                split: (name == "scopes").then_some(true),
                ..FieldTable::default()
            };
            (name.to_owned(), field)
        });
        let mut fields: BTreeMap<_, _> = known.collect();
        for (name, field) in self.fields.iter().chain(own.into_iter().flatten()) {
            let filled = match fields.get(name) {
                Some(known) => field.or(known),
                None => field.clone(),
            };
            fields.insert(name.clone(), filled);
        }
        fields
    }
}

impl FieldTable {
    /// This table, filled up by another one.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        // A template and claims exclude each other: the nearer table says which of them it is.
        let names_source = self.claim.is_some() || self.template.is_some();
        let source = if names_source { self } else { other };
        let map = if self.map.is_empty() { other } else { self };
        Self {
            claim: source.claim.clone(),
            merge: self.merge.or(source.merge),
            template: source.template.clone(),
            split: self.split.or(other.split),
            lowercase: self.lowercase.or(other.lowercase),
            until_at: self.until_at.or(other.until_at),
            capture: self.capture.clone().or_else(|| other.capture.clone()),
            map: map.map.clone(),
            only: self.only.clone().or_else(|| other.only.clone()),
            only_prefix: self
                .only_prefix
                .clone()
                .or_else(|| other.only_prefix.clone()),
            only_matching: self
                .only_matching
                .clone()
                .or_else(|| other.only_matching.clone()),
            format: self.format.or(other.format),
        }
    }
}
