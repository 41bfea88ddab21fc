//! What holds for each issuer in the end: its own table, else its preset, else the top level.

use std::collections::BTreeMap;

use super::identity::IdentitySettings;
use super::issuers::IssuerTable;
use super::presets::Known;
use super::{Config, Fault, OneOrMany, Secret, SecretEncoding, Span};

/// The name of the issuer that the top level of the configuration describes.
pub const DEFAULT_ISSUER: &str = "default";

/// What holds for one issuer.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a key of the configuration or a fact of a preset on its own"
)]
pub struct IssuerSettings {
    /// Its name in the configuration.
    pub name: String,
    /// Whether the top level describes it, and no table of its own.
    pub is_default: bool,
    /// Spellings of `iss`; empty: not checked. `{tenantid}` stands for each of `tenants`.
    pub issuer: Vec<String>,
    /// The tenants that `{tenantid}` stands for.
    pub tenants: Vec<String>,
    /// The audiences to accept; empty: not checked.
    pub audience: OneOrMany,
    /// The claim that names the audience.
    pub audience_claim: String,
    /// Whether no audience is no weakness, because `signer` says for whom the tokens are.
    pub has_no_audience: bool,
    /// The algorithms to accept.
    pub algorithms: Option<OneOrMany>,
    /// The claim that holds the username.
    pub username_claim: OneOrMany,
    /// Keep only what stands before the first `@`.
    pub extract_username: bool,
    /// What its claims become.
    pub identity: IdentitySettings,
    /// Claims that must have one of these values.
    pub required_claims: BTreeMap<String, OneOrMany>,
    /// What `required_claims` should restrict and does not.
    pub open_to_all: Option<&'static str>,
    /// How far clocks may differ.
    pub leeway: Span,
    /// Refuse tokens without `exp`.
    pub require_exp: bool,
    /// The longest lifetime.
    pub max_lifetime: Option<Span>,
    /// The `typ` that is wanted.
    pub token_type: Option<String>,
    /// The `signer` that the header must name; empty: not checked.
    pub signer: Vec<String>,
    /// Whether its base64url may carry padding.
    pub is_padded: bool,
    /// A header that holds its tokens bare.
    pub header_name: Option<String>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// How a secret is written down.
    pub secret_encoding: SecretEncoding,
    /// PEM certificates of authorities for the fetches.
    pub ca_file: Option<String>,
    /// A file with a bearer token for the fetches.
    pub bearer_file: Option<String>,
}

/// The keys of the configuration that name a source of keys. How many of them are set is judged by `keys`.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the key of that name")]
pub struct KeySource {
    pub secret: Option<Secret>,
    pub secret_file: Option<String>,
    pub previous_secret: Option<Secret>,
    pub previous_secret_file: Option<String>,
    pub signing_certificate: Option<OneOrMany>,
    pub signing_certificate_pem: Option<String>,
    pub jwks_file: Option<String>,
    pub jwks: Option<Secret>,
    pub jwks_url: Option<OneOrMany>,
    pub key_url: Option<String>,
    pub discovery_url: Option<String>,
}

impl KeySource {
    /// Whether no key names a source.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_set = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
        let has_items =
            |list: &Option<OneOrMany>| list.as_ref().is_some_and(|list| !list.items().is_empty());
        let jwks = self.jwks.as_ref().map(Secret::expose);
        self.secret.is_none()
            && !is_set(&self.secret_file)
            && !has_items(&self.signing_certificate)
            && !is_set(&self.signing_certificate_pem)
            && !is_set(&self.jwks_file)
            && jwks.is_none_or(str::is_empty)
            && !has_items(&self.jwks_url)
            && !is_set(&self.key_url)
            && !is_set(&self.discovery_url)
    }
}

impl IssuerSettings {
    /// The path of one of the issuer's keys, for faults.
    #[must_use]
    pub fn path(&self, key: &str) -> String {
        if !self.is_default {
            return format!("issuers.{}.{key}", self.name);
        }
        match key {
            "issuer" => "expected_issuer".to_owned(),
            "audience" => "expected_audience".to_owned(),
            "username_claim" => "username_claim_field".to_owned(),
            key => key.to_owned(),
        }
    }

    /// Every value of `iss` that its tokens may have, tenants filled in.
    #[must_use]
    pub fn spellings(&self) -> Vec<String> {
        let mut all = Vec::new();
        for issuer in &self.issuer {
            if issuer.contains(TENANT) {
                all.extend(self.tenants.iter().map(|one| issuer.replace(TENANT, one)));
            } else {
                all.push(issuer.clone());
            }
        }
        all
    }
}

/// What stands in an issuer for the id of a tenant, as Microsoft writes it in its metadata.
pub const TENANT: &str = "{tenantid}";

impl Config {
    /// The issuer that the top level describes, whether or not it names a source of keys.
    #[must_use]
    pub fn default_issuer(&self) -> IssuerSettings {
        IssuerSettings {
            name: DEFAULT_ISSUER.to_owned(),
            is_default: true,
            issuer: self.expected_issuer.items().to_vec(),
            tenants: Vec::new(),
            audience: self.expected_audience.clone(),
            audience_claim: "aud".to_owned(),
            has_no_audience: false,
            algorithms: self.algorithms.clone(),
            username_claim: self.username_claim_field.clone(),
            extract_username: self.extract_username,
            identity: self.identity_of(None, &[]),
            required_claims: BTreeMap::new(),
            open_to_all: None,
            leeway: self.leeway,
            require_exp: self.require_exp,
            max_lifetime: self.max_lifetime,
            token_type: self.token_type.clone(),
            signer: Vec::new(),
            is_padded: false,
            header_name: None,
            keys: KeySource {
                secret: self.secret.clone(),
                secret_file: self.secret_file.clone(),
                previous_secret: self.previous_secret.clone(),
                previous_secret_file: self.previous_secret_file.clone(),
                signing_certificate: self.signing_certificate.clone(),
                signing_certificate_pem: self.signing_certificate_pem.clone(),
                jwks_file: self.jwks_file.clone(),
                jwks: self.jwks.clone(),
                jwks_url: self.jwks_url.clone(),
                key_url: None,
                discovery_url: None,
            },
            secret_encoding: self.secret_encoding,
            ca_file: None,
            bearer_file: None,
        }
    }

    /// Every file that is named and read once: when one of them changes, the configuration has changed.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let (issuers, _) = self.issuers();
        let mut files: Vec<String> = self.keys.ca_file.iter().cloned().collect();
        files.extend(items(self.signed_identity.key_files.as_ref()));
        let server = &self.server;
        let tls = [
            &server.tls_certificate,
            &server.tls_key,
            &server.tls_client_authorities,
        ];
        files.extend(tls.into_iter().flatten().cloned());
        let clients = self.introspection.clients.values();
        files.extend(clients.filter_map(|client| client.secret_file.clone()));
        for settings in &issuers {
            let keys = &settings.keys;
            files.extend(items(keys.signing_certificate.as_ref()));
            let single = [
                &keys.secret_file,
                &keys.previous_secret_file,
                &keys.jwks_file,
                &settings.ca_file,
            ];
            files.extend(single.into_iter().flatten().cloned());
        }
        files.retain(|file| !file.is_empty());
        files
    }

    /// Every issuer: the one that the top level describes where it names a source of keys or nobody else is named, then one for
    /// each table. Faults concern tables that cannot be understood; what each value means is judged by the rooms that use it.
    #[must_use]
    pub fn issuers(&self) -> (Vec<IssuerSettings>, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut all = Vec::new();
        let default = self.default_issuer();
        if !default.keys.is_empty() || self.issuers.is_empty() {
            if default.issuer.is_empty() && !self.issuers.is_empty() {
                faults.push(Fault::new(
                    "expected_issuer",
                    "nothing, beside `[issuers]`",
                    "the issuer whose keys stand at the top level",
                    "without it nobody could tell its tokens from those of the named issuers: set it, or give it a table of its own",
                ).absent());
            }
            all.push(default);
        }
        for (name, table) in &self.issuers {
            if let Some(fault) = unfit(name) {
                faults.push(fault);
                continue;
            }
            let settings = self.issuer(name, table, &mut faults);
            // What a preset lacks is told with it.
            if settings.issuer.is_empty() && table.preset.is_none() {
                faults.push(nameless(&settings));
            }
            all.push(settings);
        }
        faults.extend(shared_spellings(&all));
        (all, faults)
    }

    fn issuer(&self, name: &str, table: &IssuerTable, faults: &mut Vec<Fault>) -> IssuerSettings {
        let known = table.preset.map(super::presets::Preset::known);
        let (required_claims, is_access_token) = required_claims(table, known);
        let mut settings = IssuerSettings {
            name: name.to_owned(),
            is_default: false,
            issuer: items(table.issuer.as_ref()),
            tenants: items(table.tenants.as_ref())
                .iter()
                .map(|tenant| tenant.to_ascii_lowercase())
                .collect(),
            // Where tokens name no audience, that of the others says nothing.
            audience: table.audience.clone().unwrap_or_else(|| {
                if known.is_some_and(|known| known.has_no_audience) {
                    "".into()
                } else {
                    self.expected_audience.clone()
                }
            }),
            audience_claim: table
                .audience_claim
                .clone()
                .unwrap_or_else(|| if is_access_token { "client_id" } else { "aud" }.to_owned()),
            has_no_audience: known.is_some_and(|known| known.has_no_audience),
            algorithms: table
                .algorithms
                .clone()
                .or_else(|| list(known?.algorithms))
                .or_else(|| self.algorithms.clone()),
            username_claim: table
                .username_claim
                .clone()
                .or_else(|| list(known?.username_claim))
                .unwrap_or_else(|| self.username_claim_field.clone()),
            extract_username: table.extract_username.unwrap_or(self.extract_username),
            identity: self
                .identity_of(Some((name, table)), known.map_or(&[], |known| known.fields)),
            open_to_all: known
                .and_then(|known| known.open_to_all)
                .filter(|_| table.required_claims.is_empty()),
            required_claims,
            leeway: table.leeway.unwrap_or(self.leeway),
            require_exp: table.require_exp.unwrap_or(self.require_exp),
            max_lifetime: table.max_lifetime.or(self.max_lifetime),
            token_type: table.token_type.clone().or_else(|| self.token_type.clone()),
            signer: items(table.signer.as_ref()),
            is_padded: known.is_some_and(|known| known.is_padded),
            header_name: table
                .header_name
                .clone()
                .or_else(|| known?.header_name.map(str::to_owned)),
            keys: source(table),
            secret_encoding: table.secret_encoding.unwrap_or(self.secret_encoding),
            ca_file: table.ca_file.clone(),
            bearer_file: table.bearer_file.clone(),
        };
        if let Some(known) = known {
            super::filling::fill_in(&mut settings, table, known, faults);
        }
        settings
    }
}

fn list(items: &[&str]) -> Option<OneOrMany> {
    let items: Vec<_> = items.iter().map(|&item| item.to_owned()).collect();
    (!items.is_empty()).then_some(OneOrMany::Many(items))
}

/// The claims that a table requires, and the use of the token where the preset knows that tokens say it. Says, too, whether that is the
/// use as access token.
fn required_claims(
    table: &IssuerTable,
    known: Option<&Known>,
) -> (BTreeMap<String, OneOrMany>, bool) {
    let mut required = table.required_claims.clone();
    let default = known.and_then(|known| known.token_use);
    let Some(token_use) = default.map(|default| table.token_use.as_deref().unwrap_or(default))
    else {
        return (required, false);
    };
    required
        .entry("token_use".to_owned())
        .or_insert_with(|| token_use.into());
    (required, token_use == "access")
}

/// The sources of keys that a table names.
fn source(table: &IssuerTable) -> KeySource {
    KeySource {
        secret: table.secret.clone(),
        secret_file: table.secret_file.clone(),
        previous_secret: table.previous_secret.clone(),
        previous_secret_file: table.previous_secret_file.clone(),
        signing_certificate: table.signing_certificate.clone(),
        signing_certificate_pem: table.signing_certificate_pem.clone(),
        jwks_file: table.jwks_file.clone(),
        jwks: table.jwks.clone(),
        jwks_url: table.jwks_url.clone(),
        key_url: table.key_url.clone(),
        discovery_url: table.discovery_url.clone(),
    }
}

fn items(list: Option<&OneOrMany>) -> Vec<String> {
    list.map(|list| list.items().to_vec()).unwrap_or_default()
}

fn nameless(settings: &IssuerSettings) -> Fault {
    Fault::new(
        settings.path("issuer"),
        "nothing",
        "the issuer's address, as its tokens say it in `iss`",
        "for example `issuer = \"https://idp.example.com\"`; without a source of keys beside it, its metadata and keys are found under that address",
    )
    .absent()
}

/// Why a name cannot be one of an issuer; `None` when it can.
fn unfit(name: &str) -> Option<Fault> {
    let is_name = (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let path = format!("issuers.{name}");
    if name == DEFAULT_ISSUER {
        return Some(Fault::new(
            path,
            "the name `default`",
            "another name",
            "`default` is the issuer that the top level describes",
        ));
    }
    (!is_name).then(|| {
        Fault::new(
            path,
            "a name that is none",
            "1 to 64 letters, digits, `-` and `_`",
            "the name stands in logs, metrics and file names; the issuer's address belongs to its key `issuer`",
        )
    })
}

/// Two issuers with the same `iss` could not be told apart.
fn shared_spellings(all: &[IssuerSettings]) -> Vec<Fault> {
    let mut owners: BTreeMap<String, &IssuerSettings> = BTreeMap::new();
    let mut faults = Vec::new();
    for settings in all {
        for spelling in settings.spellings() {
            if let Some(owner) = owners.get(&spelling) {
                faults.push(Fault::new(
                    settings.path("issuer"),
                    format!("`{spelling}`, which the issuer `{}` has too", owner.name),
                    "an `iss` of its own for each issuer",
                    "put the keys of both into one table: `jwks_url` and `signing_certificate` take lists",
                ));
            } else {
                owners.insert(spelling, settings);
            }
        }
    }
    faults
}
