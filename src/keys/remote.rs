//! Keys that an issuer publishes: where they are, and how what comes from there is judged.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::clock::Timestamp;
use crate::config::{Config, Fault, IssuerSettings};
use crate::idp::address::{self, Unfit};
use crate::idp::client::ProxySetting;
use crate::idp::discovery;
use crate::jose::{Algorithm, RsaChecks, VerifyingKey};

use super::jwks::{self, MAX_FETCHED_KEYS, Secrets};
use super::source::rsa_checks;
use super::{demo, file, pem, store};

/// Where the keys of an issuer are published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its metadata says where.
    Metadata {
        /// The `issuer` that the metadata must name.
        issuer: String,
        /// Where the metadata may be, in the order in which it is asked for.
        places: Vec<Url>,
    },
    /// In these key sets.
    Sets(Vec<Url>),
    /// Each key in PEM under an address of its own; the template holds `{kid}`.
    ByKid(String),
}

/// An issuer whose keys are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Where its keys are.
    pub origin: Origin,
    /// How they are fetched.
    pub access: Access,
    /// The key of the configuration that names the source, for faults.
    pub path: String,
    /// How often, and how long they hold.
    pub pace: Pace,
    /// The file that keeps what was fetched.
    pub store: Option<PathBuf>,
    allowed: Option<Vec<Algorithm>>,
    rsa: RsaChecks,
    danger_demo_keys: bool,
}

/// How an issuer is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// PEM certificates of the authorities to trust, instead of those of the system.
    pub authorities: Option<Vec<u8>>,
    /// The proxy.
    pub proxy: ProxySetting,
    /// A file with a bearer token.
    pub bearer_file: Option<String>,
    /// Whether plain HTTP is taken from other machines.
    pub danger_allow_http: bool,
}

/// How often an issuer is asked, and how long its answers hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The least time between two fetches.
    pub cooldown: Duration,
    /// How long a fetch may take.
    pub timeout: Duration,
    /// The longest time between two fetches.
    pub max_refresh: Duration,
    /// How long the last good keys hold.
    pub max_stale: Duration,
}

/// What a document holds.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// Its usable keys.
    pub keys: Vec<Arc<VerifyingKey>>,
    /// What was left out, or is odd, and why.
    pub notes: Vec<String>,
}

const EXPECTED: &str = "an https address";
const PLAIN: &str = "plain HTTP is taken from this machine only: whoever sits in between could replace the keys. `keys.danger_allow_http = true` takes it from anywhere";

fn parse(text: &str, path: &str, config: &Config, faults: &mut Vec<Fault>) -> Option<Url> {
    let Ok(url) = Url::parse(text) else {
        // What stands before an `@` may be a password.
        let found = if text.contains('@') {
            "what is no address".to_owned()
        } else {
            let (before, _) = text.split_once('?').unwrap_or((text, ""));
            format!("`{before}`, which is no address")
        };
        faults.push(Fault::new(
            path,
            found,
            EXPECTED,
            "write it in full: `https://idp.example.com/…`",
        ));
        return None;
    };
    match address::judge(&url, config.keys.danger_allow_http) {
        Ok(()) => {
            if url.scheme() == "http" && !address::is_loopback(&url) {
                let hint = "`keys.danger_allow_http` allows it: whoever sits in between can replace the keys, and let anybody in";
                let found = format!("`{}`", super::refresh::shown(&url));
                faults.push(Fault::warning(path, found, EXPECTED, hint));
            }
            Some(url)
        }
        Err(unfit) => {
            let hint = match unfit {
                Unfit::Scheme => PLAIN,
                _ => {
                    "remove the user, the password or the fragment; `bearer_file` names a token for the fetch"
                }
            };
            // What stands there may hold a password.
            let found = format!("an address that is not asked: {unfit}");
            faults.push(Fault::new(path, found, EXPECTED, hint));
            None
        }
    }
}

impl Origin {
    /// Key sets at configured addresses.
    pub(super) fn sets(
        urls: &[String],
        path: &str,
        config: &Config,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let parsed: Vec<_> = urls
            .iter()
            .filter_map(|url| parse(url, path, config, faults))
            .collect();
        (!parsed.is_empty()).then_some(Self::Sets(parsed))
    }

    /// A key of its own address for each `kid`.
    pub(super) fn by_kid(
        template: &str,
        path: &str,
        config: &Config,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let sample = parse(&template.replace(KID, "kid"), path, config, faults)?;
        // In the path and nowhere else: a token must not choose whom jwtgate asks.
        let is_in_path = sample.path().contains("kid")
            && template.matches(KID).count() == 1
            && template
                .split_once("://")
                .and_then(|(_, rest)| rest.split_once('/'))
                .is_some_and(|(_, path)| path.contains(KID));
        if !is_in_path {
            faults.push(Fault::new(
                path,
                format!("`{template}`"),
                "an address with `{kid}` once in its path",
                "for example `https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}`",
            ));
            return None;
        }
        Some(Self::ByKid(template.to_owned()))
    }

    /// Metadata at a configured address.
    pub(super) fn metadata_at(
        url: &str,
        settings: &IssuerSettings,
        path: &str,
        config: &Config,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let place = parse(url, path, config, faults)?;
        // Metadata of somebody else would bring somebody else's keys. That none is named is told where the table is read.
        let issuer = settings.issuer.first()?;
        Some(Self::Metadata {
            issuer: issuer.clone(),
            places: vec![place],
        })
    }

    /// Metadata where the standards say that an issuer has it.
    pub(super) fn metadata(
        issuer: &str,
        path: &str,
        config: &Config,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let url = parse(issuer, path, config, faults)?;
        if issuer.contains(crate::config::effective::TENANT) || url.query().is_some() {
            faults.push(Fault::new(
                path,
                format!("`{issuer}`, from which no address follows"),
                "`discovery_url` or another source of keys beside it",
                "for Microsoft's tenants the presets `entra` and `entra-v1` know it",
            ));
            return None;
        }
        Some(Self::Metadata {
            issuer: issuer.to_owned(),
            places: discovery::well_known(&url).to_vec(),
        })
    }
}

/// What stands for the key's name in [`Origin::ByKid`].
pub const KID: &str = "{kid}";

impl Remote {
    /// Compiles what holds for the fetches of an issuer.
    pub(super) fn compile(
        settings: &IssuerSettings,
        config: &Config,
        (origin, path): (Origin, String),
        allowed: Option<Vec<Algorithm>>,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let keys = &config.keys;
        let (ca_path, ca_file) = match &settings.ca_file {
            Some(file) => (settings.path("ca_file"), Some(file)),
            None => ("keys.ca_file".to_owned(), keys.ca_file.as_ref()),
        };
        let authorities = match ca_file.filter(|file| !file.is_empty()) {
            None => None,
            Some(file) => Some(authorities(file, &ca_path, faults)?),
        };
        let bearer_file = settings.bearer_file.clone().filter(|file| !file.is_empty());
        let is_absent = |file: &&str| std::fs::metadata(file).is_err();
        if let Some(file) = bearer_file.as_deref().filter(is_absent) {
            // It is read anew for each fetch, so it may still come.
            faults.push(Fault::warning(
                settings.path("bearer_file"),
                format!("`{file}`, which cannot be looked at"),
                "a file with the token to show to the issuer",
                "without it every fetch of the issuer's keys fails",
            ));
        }
        let store = keys
            .state_dir
            .as_deref()
            .filter(|folder| !folder.is_empty());
        Some(Self {
            name: settings.name.as_str().into(),
            store: store.map(|folder| store::file(folder.as_ref(), &settings.name)),
            origin,
            path,
            access: Access {
                authorities,
                proxy: proxy(config).unwrap_or(ProxySetting::None),
                bearer_file,
                danger_allow_http: keys.danger_allow_http,
            },
            pace: Pace {
                cooldown: keys.cooldown.0,
                timeout: keys.fetch_timeout.0,
                max_refresh: keys.max_refresh.0,
                max_stale: keys.max_stale.0,
            },
            allowed,
            rsa: rsa_checks(config),
            danger_demo_keys: config.danger_demo_keys,
        })
    }

    /// Judges a document of this issuer: a key set, or, with a `kid`, one key in PEM.
    ///
    /// # Errors
    /// It holds no usable key, and why.
    pub fn judge(&self, text: &str, kid: Option<&str>) -> Result<Judged, String> {
        let (keys, faults) = match kid {
            None => {
                let rules = jwks::Rules {
                    allowed: self.allowed.as_deref(),
                    secrets: Secrets::LeftOut,
                    max_keys: MAX_FETCHED_KEYS,
                    rsa: self.rsa,
                };
                jwks::read(text, "", rules)
            }
            Some(kid) => {
                let (keys, faults) = pem::read(text, "", Timestamp::now());
                let prepared = keys
                    .iter()
                    .filter_map(|key| {
                        let allowed = self.allowed.as_deref();
                        VerifyingKey::from_public(key, Some(kid), allowed, self.rsa).ok()
                    })
                    .collect();
                (prepared, faults)
            }
        };
        let mut notes: Vec<_> = faults
            .iter()
            .map(|fault| format!("{} {}", fault.path, fault.found).trim().to_owned())
            .collect();
        let count = keys.len();
        let keys: Vec<_> = keys
            .into_iter()
            .filter(|key| self.danger_demo_keys || !demo::is_published(key.thumbprint()))
            .map(Arc::new)
            .collect();
        if keys.len() < count {
            notes.push("a published demo key, with which everybody can sign, left out".to_owned());
        }
        if keys.is_empty() {
            let why = notes.pop().unwrap_or_else(|| "nothing".to_owned());
            return Err(format!("it holds no usable key: {why}"));
        }
        Ok(Judged { keys, notes })
    }

    /// The address of a key by its name; `None` when the name has bytes that do not belong there.
    #[must_use]
    pub fn url_of_kid(&self, kid: &str) -> Option<Url> {
        let Origin::ByKid(template) = &self.origin else {
            return None;
        };
        let is_name = (1..=128).contains(&kid.len())
            && kid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !is_name {
            return None;
        }
        Url::parse(&template.replace(KID, kid)).ok()
    }
}

fn authorities(file: &str, path: &str, faults: &mut Vec<Fault>) -> Option<Vec<u8>> {
    let text = file::read(file, path, faults)?;
    let blocks = ::pem::parse_many(text.as_bytes()).unwrap_or_default();
    if !blocks.iter().any(|block| block.tag() == "CERTIFICATE") {
        faults.push(Fault::new(
            path,
            format!("`{file}`, which holds no certificate"),
            "PEM blocks `CERTIFICATE`",
            "ask whoever runs the issuer's server for the certificate of its authority",
        ));
        return None;
    }
    Some(text.as_bytes().to_vec())
}

/// The proxy that the configuration names; `None` when it names none that can be used.
fn proxy(config: &Config) -> Option<ProxySetting> {
    match config.keys.proxy.as_deref() {
        None | Some("") => Some(ProxySetting::None),
        Some("environment") => Some(ProxySetting::Environment),
        Some(text) => Url::parse(text)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
            .map(ProxySetting::Url),
    }
}

/// Judges `[keys]`.
#[must_use]
pub fn judge_settings(config: &Config) -> Vec<Fault> {
    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: Duration = Duration::from_hours(24);
    let keys = &config.keys;
    let mut faults = Vec::new();
    let spans = [
        ("cooldown", keys.cooldown, SECOND, Duration::from_hours(1)),
        ("fetch_timeout", keys.fetch_timeout, SECOND / 10, MINUTE / 2),
        ("max_refresh", keys.max_refresh, MINUTE, DAY),
        ("max_stale", keys.max_stale, SECOND, 30 * DAY),
        ("overlap", keys.overlap, Duration::ZERO, 30 * DAY),
    ];
    for (key, span, least, most) in spans {
        if !(least..=most).contains(&span.0) {
            let (least, most) = (crate::config::Span(least), crate::config::Span(most));
            faults.push(Fault::new(
                format!("keys.{key}"),
                format!("`{span}`"),
                format!("from {least} to {most}"),
                "the defaults suit most: leave it out",
            ));
        }
    }
    if proxy(config).is_none() {
        // It may hold a password.
        faults.push(Fault::new(
            "keys.proxy",
            "an address that is no proxy's",
            "`http://HOST:PORT`, or `environment`",
            "leave it out to ask issuers directly",
        ));
    }
    if let Some(folder) = keys
        .state_dir
        .as_deref()
        .filter(|folder| !folder.is_empty())
    {
        faults.extend(store::judge_folder(folder));
    }
    faults
}
