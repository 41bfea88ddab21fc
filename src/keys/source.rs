//! From the settings of an issuer to its keys: one source, judged.

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::config::fault::any_stops;
use crate::config::schema::nearest;
use crate::config::{Config, Fault, IssuerSettings, OneOrMany, Secret};
use crate::jose::{Algorithm, RsaChecks, VerifyingKey};

use super::demo;
use super::file;
use super::prepare::{self, Rules};
use super::remote::{Origin, Remote};
use super::set::{KeySet, Selection};

/// Where the keys of an issuer come from, judged.
#[derive(Debug)]
pub enum Source {
    /// They are here.
    Local(KeySet),
    /// They are fetched.
    Remote(Box<Remote>),
}

/// The text that keys are read from, and the name it has in faults. It may be a secret.
pub(super) struct Text {
    pub(super) text: Zeroizing<String>,
    pub(super) path: String,
}

/// What was read.
enum Opened {
    Secrets(Vec<Text>),
    Pem(Vec<Text>),
    Jwks(Text),
    Remote(Origin),
}

/// Reads, judges and prepares the keys of an issuer, as far as they are here. `None` when a fault stops the start.
#[must_use]
pub fn load(
    settings: &IssuerSettings,
    config: &Config,
    now: Timestamp,
) -> (Option<Source>, Vec<Fault>) {
    let mut faults = Vec::new();
    let path = settings.path("algorithms");
    let allowed = algorithms(settings.algorithms.as_ref(), &path, &mut faults);
    // Whatever is at fault so far, what can be read is judged: all faults come at once.
    let Some(named) = choose(settings, &mut faults) else {
        return (None, faults);
    };
    let Some(opened) = named.open(settings, config, &mut faults) else {
        return (None, faults);
    };
    let rules = Rules {
        allowed: allowed.as_deref().filter(|list| !list.is_empty()),
        algorithms: &path,
        secret_encoding: settings.secret_encoding,
        danger_weak_secret: config.danger_allow_weak_secret,
        rsa: rsa_checks(config),
        now,
    };
    let (keys, selection) = match opened {
        Opened::Secrets(texts) => {
            let keys = texts
                .iter()
                .flat_map(|text| prepare::from_secret(text, rules, &mut faults))
                .collect();
            (keys, Selection::IgnoringKid)
        }
        Opened::Pem(texts) => {
            let keys = prepare::from_pem(&texts, rules, &mut faults);
            (keys, Selection::IgnoringKid)
        }
        Opened::Jwks(text) => {
            let keys = prepare::from_jwks(&text, rules, &mut faults);
            (keys, Selection::ByKid)
        }
        Opened::Remote(origin) => {
            prepare::refuse_hmac(rules, "keys that are fetched", &mut faults);
            let remote = Remote::compile(
                settings,
                config,
                (origin, settings.path(named.key())),
                allowed,
                &mut faults,
            );
            let source = remote.filter(|_| !any_stops(&faults));
            return (
                source.map(|remote| Source::Remote(Box::new(remote))),
                faults,
            );
        }
    };
    refuse_published(config, &settings.path(named.key()), &keys, &mut faults);
    let set = (!any_stops(&faults)).then(|| KeySet::new(keys, selection));
    (set.map(Source::Local), faults)
}

/// What is to check RSA signatures.
#[must_use]
pub const fn rsa_checks(config: &Config) -> RsaChecks {
    if config.keys.rsa_ifma {
        RsaChecks::Ifma
    } else {
        RsaChecks::Library
    }
}

/// The algorithms of a list, each known; `None` when there is no list.
fn algorithms(
    list: Option<&OneOrMany>,
    path: &str,
    faults: &mut Vec<Fault>,
) -> Option<Vec<Algorithm>> {
    let names = list?.items();
    if names.is_empty() {
        faults.push(Fault::new(
            path,
            "an empty list",
            "at least one algorithm, or no such key at all",
            "leave `algorithms` out to accept what the key can check",
        ));
    }
    let mut algorithms = Vec::new();
    for name in names {
        if let Some(algorithm) = Algorithm::from_name(name) {
            algorithms.push(algorithm);
        } else {
            let known: Vec<_> = Algorithm::all().map(Algorithm::name).collect();
            let hint = match nearest(name, known.iter().copied()) {
                _ if name.eq_ignore_ascii_case("none") => {
                    "unsigned tokens are never accepted".to_owned()
                }
                Some(near) => format!("did you mean `{near}`?"),
                None => "names are compared byte for byte: mind the case".to_owned(),
            };
            let expected = format!("one of {}", known.join(", "));
            faults.push(Fault::new(path, format!("`{name}`"), expected, hint));
        }
    }
    Some(algorithms)
}

/// The one source that counts. Two are a fault, but for a secret beside a certificate: there the secret counts, as in the package
/// that this one replaces. An issuer with a table of its own and no source publishes its keys: its metadata says where.
fn choose<'c>(settings: &'c IssuerSettings, faults: &mut Vec<Fault>) -> Option<Named<'c>> {
    let mut named = Named::all(settings);
    let keys: Vec<_> = named.iter().map(Named::key).collect();
    let paths = || {
        let paths: Vec<_> = keys.iter().map(|key| settings.path(key)).collect();
        paths.join(", ")
    };
    match keys.as_slice() {
        [] if settings.is_default => {
            faults.push(Fault::new(
                "secret, signing_certificate, jwks_url, jwks_file, issuers",
                "none of them",
                "one source of keys",
                "name the issuer (`[issuers.NAME]` with `issuer = \"https://…\"`), its key set (`jwks_url`), its certificate (`signing_certificate = \"certs/idp.crt\"`), or the shared secret (`secret_file`)",
            ).absent());
            return None;
        }
        // Without an issuer there is nothing to ask, which is told where the table is read.
        [] => {
            return settings
                .issuer
                .first()
                .map(|issuer| Named::Metadata(issuer));
        }
        [_] => {}
        [
            "secret" | "secret_file",
            "signing_certificate" | "signing_certificate_pem",
        ] => faults.push(Fault::warning(
            paths(),
            "a secret beside a certificate",
            "one source of keys",
            "the secret counts and the certificate is not read: remove one of them",
        )),
        _ => {
            faults.push(Fault::new(
                paths(),
                format!("{} sources of keys", keys.len()),
                "one source of keys",
                "leave one and remove the others",
            ));
            return None;
        }
    }
    let chosen = (!named.is_empty()).then(|| named.swap_remove(0));
    if !matches!(chosen, Some(Named::Secret(_) | Named::SecretFile(_))) {
        faults.extend(unheard(settings));
    }
    chosen
}

/// A previous secret where there is no present one.
fn unheard(settings: &IssuerSettings) -> Option<Fault> {
    let keys = &settings.keys;
    let file = keys.previous_secret_file.as_deref();
    let key = if keys.previous_secret.is_some() {
        "previous_secret"
    } else if file.is_some_and(|file| !file.is_empty()) {
        "previous_secret_file"
    } else {
        return None;
    };
    Some(Fault::new(
        settings.path(key),
        "a previous secret without a present one",
        "`secret` or `secret_file` beside it",
        "it would go unheard: remove it, or name the present secret",
    ))
}

/// A source of keys that the configuration names.
enum Named<'c> {
    Secret(&'c str),
    SecretFile(&'c str),
    CertificateFiles(&'c [String]),
    CertificatePem(&'c str),
    JwksFile(&'c str),
    Jwks(&'c str),
    JwksUrls(&'c [String]),
    KeyUrl(&'c str),
    Discovery(&'c str),
    Metadata(&'c str),
}

impl<'c> Named<'c> {
    /// Every source that is set, in the order in which one counts before another. An empty string is not set, but for a secret:
    /// there it is a secret that anybody can guess, and a fault.
    fn all(settings: &'c IssuerSettings) -> Vec<Self> {
        let keys = &settings.keys;
        let text = |value: &'c Option<String>| value.as_deref().filter(|text| !text.is_empty());
        let list = |value: &'c Option<OneOrMany>| {
            value
                .as_ref()
                .map(OneOrMany::items)
                .filter(|items| !items.is_empty())
        };
        let jwks = keys.jwks.as_ref().map(Secret::expose);
        [
            keys.secret
                .as_ref()
                .map(|secret| Self::Secret(secret.expose())),
            text(&keys.secret_file).map(Self::SecretFile),
            list(&keys.signing_certificate).map(Self::CertificateFiles),
            text(&keys.signing_certificate_pem).map(Self::CertificatePem),
            text(&keys.jwks_file).map(Self::JwksFile),
            jwks.filter(|text| !text.is_empty()).map(Self::Jwks),
            list(&keys.jwks_url).map(Self::JwksUrls),
            text(&keys.key_url).map(Self::KeyUrl),
            text(&keys.discovery_url).map(Self::Discovery),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    const fn key(&self) -> &'static str {
        match self {
            Self::Secret(_) => "secret",
            Self::SecretFile(_) => "secret_file",
            Self::CertificateFiles(_) => "signing_certificate",
            Self::CertificatePem(_) => "signing_certificate_pem",
            Self::JwksFile(_) => "jwks_file",
            Self::Jwks(_) => "jwks",
            Self::JwksUrls(_) => "jwks_url",
            Self::KeyUrl(_) => "key_url",
            Self::Discovery(_) => "discovery_url",
            Self::Metadata(_) => "issuer",
        }
    }

    /// Reads the files that it names. `None` when none can be read.
    fn open(
        &self,
        settings: &IssuerSettings,
        config: &Config,
        faults: &mut Vec<Fault>,
    ) -> Option<Opened> {
        let path = settings.path(self.key());
        let path = path.as_str();
        match self {
            Self::Secret(text) => {
                let secret = Text::inline(path, text);
                Some(with_previous(secret, settings, faults))
            }
            Self::SecretFile(file) => {
                let secret = Text::secret(path, file, faults)?;
                Some(with_previous(secret, settings, faults))
            }
            Self::CertificateFiles(files) => Some(Opened::Pem(
                files
                    .iter()
                    .filter_map(|file| Text::from_file(path, file, faults))
                    .collect(),
            )),
            Self::CertificatePem(text) => Some(Opened::Pem(vec![Text::inline(path, text)])),
            Self::JwksFile(file) => Text::from_file(path, file, faults).map(Opened::Jwks),
            Self::Jwks(text) => Some(Opened::Jwks(Text::inline(path, text))),
            Self::JwksUrls(urls) => Origin::sets(urls, path, config, faults).map(Opened::Remote),
            Self::KeyUrl(template) => {
                Origin::by_kid(template, path, config, faults).map(Opened::Remote)
            }
            Self::Discovery(url) => {
                Origin::metadata_at(url, settings, path, config, faults).map(Opened::Remote)
            }
            Self::Metadata(issuer) => {
                Origin::metadata(issuer, path, config, faults).map(Opened::Remote)
            }
        }
    }
}

/// The secret, and the one before it while its tokens live.
fn with_previous(secret: Text, settings: &IssuerSettings, faults: &mut Vec<Fault>) -> Opened {
    let keys = &settings.keys;
    let mut texts = vec![secret];
    let path = settings.path("previous_secret");
    if let Some(previous) = &keys.previous_secret {
        texts.push(Text::inline(&path, previous.expose()));
    }
    let path = settings.path("previous_secret_file");
    let file = keys.previous_secret_file.as_deref();
    if let Some(file) = file.filter(|file| !file.is_empty()) {
        if std::fs::exists(file).unwrap_or(true) {
            texts.extend(Text::secret(&path, file, faults));
        } else {
            faults.push(Fault::warning(
                &path,
                format!("`{file}`, which is not there"),
                "the secret before the present one, or an empty file",
                "if no secret is being replaced, leave the key out or make the file empty",
            ));
        }
    }
    let present = texts.len();
    let mut index = 0;
    texts.retain(|text| {
        index += 1;
        index == 1 || !text.text.is_empty()
    });
    if texts.len() == present && present > 2 {
        faults.push(Fault::new(
            format!("{}, {path}", settings.path("previous_secret")),
            "two previous secrets",
            "one",
            "remove one of the two keys",
        ));
    }
    Opened::Secrets(texts)
}

impl Text {
    fn inline(key: &str, text: &str) -> Self {
        Self {
            text: Zeroizing::new(text.to_owned()),
            path: key.to_owned(),
        }
    }

    fn secret(key: &str, file: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let path = key.to_owned();
        file::read_secret(file, key, faults).map(|text| Self { text, path })
    }

    fn from_file(key: &str, file: &str, faults: &mut Vec<Fault>) -> Option<Self> {
        let path = format!("{key} {file}");
        let text = file::read(file, &path, faults)?;
        Some(Self { text, path })
    }
}

fn refuse_published(config: &Config, source: &str, keys: &[VerifyingKey], faults: &mut Vec<Fault>) {
    if !keys.iter().any(|key| demo::is_published(key.thumbprint())) {
        return;
    }
    let found = "a demo key from `certs/`, with which everybody can sign";
    let expected = "a key of your own";
    faults.push(if config.danger_demo_keys {
        Fault::warning(
            source,
            found,
            expected,
            "replace it before anybody relies on it",
        )
    } else {
        Fault::new(
            source,
            found,
            expected,
            "name your issuer's key, or set `danger_demo_keys = true` for a demonstration",
        )
    });
}
