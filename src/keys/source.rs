//! From the configuration to a set of keys: one source, judged.

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::config::fault::any_stops;
use crate::config::schema::nearest;
use crate::config::{Config, Fault, OneOrMany, Secret};
use crate::jose::{Algorithm, VerifyingKey};

use super::demo;
use super::file;
use super::prepare::{self, Rules};
use super::secret;
use super::set::{KeySet, Selection};

/// The text that keys are read from, and the name it has in faults. It may be a secret.
pub(super) struct Text {
    pub(super) text: Zeroizing<String>,
    pub(super) path: String,
}

enum Source {
    Secret(Text),
    Pem(Vec<Text>),
    Jwks(Text),
}

/// Reads, judges and prepares the keys that the top level of the configuration names. `None` when a fault stops the start.
#[must_use]
pub fn load(config: &Config, now: Timestamp) -> (Option<KeySet>, Vec<Fault>) {
    let mut faults = Vec::new();
    let allowed = algorithms(config.algorithms.as_ref(), &mut faults);
    // Whatever is at fault so far, what can be read is judged: all faults come at once.
    let Some(named) = choose(config, &mut faults) else {
        return (None, faults);
    };
    let Some(source) = named.open(&mut faults) else {
        return (None, faults);
    };
    let rules = Rules {
        allowed: allowed.as_deref().filter(|list| !list.is_empty()),
        secret_encoding: config.secret_encoding,
        danger_weak_secret: config.danger_allow_weak_secret,
        now,
    };
    let (keys, selection) = match source {
        Source::Secret(text) => {
            let keys = prepare::from_secret(&text, rules, &mut faults);
            (keys, Selection::IgnoringKid)
        }
        Source::Pem(texts) => {
            let keys = prepare::from_pem(&texts, rules, &mut faults);
            (keys, Selection::IgnoringKid)
        }
        Source::Jwks(text) => {
            let keys = prepare::from_jwks(&text, rules, &mut faults);
            (keys, Selection::ByKid)
        }
    };
    refuse_published(config, named.key(), &keys, &mut faults);
    let set = (!any_stops(&faults)).then(|| KeySet::new(keys, selection));
    (set, faults)
}

/// The algorithms of a list, each known; `None` when there is no list.
fn algorithms(list: Option<&OneOrMany>, faults: &mut Vec<Fault>) -> Option<Vec<Algorithm>> {
    let names = list?.items();
    if names.is_empty() {
        faults.push(Fault::new(
            "algorithms",
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
            faults.push(Fault::new(
                "algorithms",
                format!("`{name}`"),
                expected,
                hint,
            ));
        }
    }
    Some(algorithms)
}

/// The one source that counts. Two are a fault, but for a secret beside a certificate: there the secret counts, as in the package
/// that this one replaces.
fn choose<'c>(config: &'c Config, faults: &mut Vec<Fault>) -> Option<Named<'c>> {
    let mut named = Named::all(config);
    let keys: Vec<_> = named.iter().map(Named::key).collect();
    match keys.as_slice() {
        [] => {
            faults.push(Fault::new(
                "secret, signing_certificate, jwks_file",
                "none of them",
                "one source of keys",
                "name the issuer's certificate (`signing_certificate = \"certs/idp.crt\"`), its key set (`jwks_file`), or the shared secret (`secret_file`)",
            ).absent());
            return None;
        }
        [_] => {}
        [
            "secret" | "secret_file",
            "signing_certificate" | "signing_certificate_pem",
        ] => faults.push(Fault::warning(
            keys.join(", "),
            "a secret beside a certificate",
            "one source of keys",
            "the secret counts and the certificate is not read: remove one of them",
        )),
        _ => {
            faults.push(Fault::new(
                keys.join(", "),
                format!("{} sources of keys", keys.len()),
                "one source of keys",
                "leave one and remove the others",
            ));
            return None;
        }
    }
    (!named.is_empty()).then(|| named.swap_remove(0))
}

/// A source of keys that the configuration names.
enum Named<'c> {
    Secret(&'c str),
    SecretFile(&'c str),
    CertificateFiles(&'c [String]),
    CertificatePem(&'c str),
    JwksFile(&'c str),
    Jwks(&'c str),
}

impl<'c> Named<'c> {
    /// Every source that is set, in the order in which one counts before another. An empty string is not set, but for a secret:
    /// there it is a secret that anybody can guess, and a fault.
    fn all(config: &'c Config) -> Vec<Self> {
        let text = |value: &'c Option<String>| value.as_deref().filter(|text| !text.is_empty());
        let files = config.signing_certificate.as_ref().map(OneOrMany::items);
        let jwks = config.jwks.as_ref().map(Secret::expose);
        [
            config
                .secret
                .as_ref()
                .map(|secret| Self::Secret(secret.expose())),
            text(&config.secret_file).map(Self::SecretFile),
            files
                .filter(|files| !files.is_empty())
                .map(Self::CertificateFiles),
            text(&config.signing_certificate_pem).map(Self::CertificatePem),
            text(&config.jwks_file).map(Self::JwksFile),
            jwks.filter(|text| !text.is_empty()).map(Self::Jwks),
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
        }
    }

    /// Reads the files that it names. `None` when none can be read.
    fn open(&self, faults: &mut Vec<Fault>) -> Option<Source> {
        let key = self.key();
        match self {
            Self::Secret(text) => Some(Source::Secret(Text::inline(key, text))),
            Self::SecretFile(file) => {
                file::warn_when_world_readable(file, key, faults);
                let text = file::read(file, key, faults)?;
                let text = secret::without_final_line_break(&text);
                Some(Source::Secret(Text::inline(key, text)))
            }
            Self::CertificateFiles(files) => Some(Source::Pem(
                files
                    .iter()
                    .filter_map(|file| Text::from_file(key, file, faults))
                    .collect(),
            )),
            Self::CertificatePem(text) => Some(Source::Pem(vec![Text::inline(key, text)])),
            Self::JwksFile(file) => Text::from_file(key, file, faults).map(Source::Jwks),
            Self::Jwks(text) => Some(Source::Jwks(Text::inline(key, text))),
        }
    }
}

impl Text {
    fn inline(key: &str, text: &str) -> Self {
        Self {
            text: Zeroizing::new(text.to_owned()),
            path: key.to_owned(),
        }
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
