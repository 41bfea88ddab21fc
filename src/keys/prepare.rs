//! From a text to prepared keys, each form of key by its own rules.

use crate::clock::Timestamp;
use crate::config::{Fault, SecretEncoding};
use crate::jose::{Algorithm, Family, HmacSecret, PublicKey, RsaChecks, VerifyingKey};

use super::jwks::{self, Secrets};
use super::pem;
use super::secret::{self, NotASecret};
use super::source::Text;

/// What holds for every key of a source.
#[derive(Clone, Copy)]
pub(super) struct Rules<'r> {
    /// The algorithms to accept; `None`: what each key can check.
    pub(super) allowed: Option<&'r [Algorithm]>,
    /// The key that lists them, for faults.
    pub(super) algorithms: &'r str,
    /// How a secret is written down.
    pub(super) secret_encoding: SecretEncoding,
    /// Accept secrets that are short or well known.
    pub(super) danger_weak_secret: bool,
    /// What checks RSA signatures.
    pub(super) rsa: RsaChecks,
    /// The moment at which certificates are judged.
    pub(super) now: Timestamp,
}

/// The key of a shared secret; or the public keys of a PEM text that stands where a secret would, as users of the JupyterHub authenticator have it.
pub(super) fn from_secret(
    source: &Text,
    rules: Rules<'_>,
    faults: &mut Vec<Fault>,
) -> Vec<VerifyingKey> {
    let Text { text, path } = source;
    let is_asymmetric = |list: &[Algorithm]| {
        !list.is_empty() && list.iter().all(|one| one.family() != Family::Hmac)
    };
    if secret::is_pem(text) && rules.allowed.is_some_and(is_asymmetric) {
        // `algorithms = ['RS256']` beside a public key in `secret`: the JupyterHub authenticator's only working form for RSA.
        return from_pem(std::slice::from_ref(source), rules, faults);
    }
    let listed = rules.allowed.unwrap_or_default();
    if let Some(other) = listed.iter().find(|one| one.family() != Family::Hmac) {
        faults.push(Fault::new(
            rules.algorithms,
            format!("`{other}` beside `{path}`"),
            "HS256, HS384 or HS512 for a secret",
            "a secret checks HMAC only; for RSA, EC and Ed25519 name the public key in `signing_certificate`",
        ));
        return Vec::new();
    }
    let secret = match secret::read(text, rules.secret_encoding) {
        Ok(secret) => secret,
        Err(fault) => {
            faults.push(not_a_secret(path, fault));
            return Vec::new();
        }
    };
    judge_strength(&secret, path, rules.danger_weak_secret, faults);
    match VerifyingKey::from_secret(&secret, None, rules.allowed, rules.danger_weak_secret) {
        Ok(key) => vec![key],
        Err(fault) => {
            faults.push(Fault::new(
                path,
                fault.to_string(),
                "a secret as long as the hash of every listed algorithm",
                "make one with `jwtgate keygen --algorithm HS256`; `danger_allow_weak_secret = true` accepts a short one",
            ));
            Vec::new()
        }
    }
}

fn not_a_secret(path: &str, fault: NotASecret) -> Fault {
    let hint = match fault {
        NotASecret::Empty => "make one: `jwtgate keygen --algorithm HS256`",
        NotASecret::Encoding => {
            "set `secret_encoding` to what it is: `text`, `hex`, `base64` or `base64url`"
        }
        NotASecret::Pem | NotASecret::PublicKey => {
            "everybody has the public key, so everybody could sign: name it in `signing_certificate` (PEM) or `jwks` (JSON), or list the algorithm, as in `algorithms = [\"RS256\"]`"
        }
    };
    Fault::new(path, fault.to_string(), "a shared secret", hint)
}

fn judge_strength(
    secret: &HmacSecret,
    path: &str,
    danger_weak_secret: bool,
    faults: &mut Vec<Fault>,
) {
    let found = if secret::is_well_known(secret) {
        "a secret that everybody knows".to_owned()
    } else if secret.length() < 32 && danger_weak_secret {
        format!("a secret of {} bytes", secret.length())
    } else {
        return;
    };
    let expected = "a random secret of 32 bytes or more";
    let hint = "make one with `jwtgate keygen --algorithm HS256`";
    faults.push(if danger_weak_secret {
        Fault::warning(path, found, expected, hint)
    } else {
        Fault::new(path, found, expected, hint)
    });
}

/// The keys of PEM texts, one for each block.
pub(super) fn from_pem(
    texts: &[Text],
    rules: Rules<'_>,
    faults: &mut Vec<Fault>,
) -> Vec<VerifyingKey> {
    refuse_hmac(rules, "PEM keys", faults);
    let mut public: Vec<(PublicKey, &str)> = Vec::new();
    for Text { text, path } in texts {
        let (keys, found) = pem::read(text, path, rules.now);
        faults.extend(found);
        public.extend(keys.into_iter().map(|key| (key, path.as_str())));
    }
    for algorithm in rules.allowed.unwrap_or_default() {
        let fits = public
            .iter()
            .any(|(key, _)| key.family() == algorithm.family());
        if !fits && algorithm.family() != Family::Hmac && !public.is_empty() {
            let kinds: Vec<_> = public.iter().map(|(key, _)| key.describe()).collect();
            faults.push(Fault::new(
                rules.algorithms,
                format!("`{algorithm}`, which fits no key: {}", kinds.join(", ")),
                "algorithms that the keys can check",
                "leave `algorithms` out to accept what the keys can check",
            ));
        }
    }
    let mut keys = Vec::new();
    for (key, path) in &public {
        match VerifyingKey::from_public(key, None, rules.allowed, rules.rsa) {
            Ok(key) => keys.push(key),
            Err(fault) => faults.push(Fault::new(
                *path,
                fault.to_string(),
                "a key that can check one of `algorithms`",
                "add its algorithm to `algorithms`, or leave `algorithms` out",
            )),
        }
    }
    keys
}

/// The keys of a JSON Web Key Set.
pub(super) fn from_jwks(
    source: &Text,
    rules: Rules<'_>,
    faults: &mut Vec<Fault>,
) -> Vec<VerifyingKey> {
    let set_rules = jwks::Rules {
        allowed: rules.allowed,
        secrets: if rules.danger_weak_secret {
            Secrets::WeakToo
        } else {
            Secrets::Strong
        },
        max_keys: jwks::MAX_LOCAL_KEYS,
        rsa: rules.rsa,
    };
    let (keys, found) = jwks::read(&source.text, &source.path, set_rules);
    faults.extend(found);
    if keys.iter().any(|key| key.family() != Family::Hmac) {
        refuse_hmac(rules, "public keys", faults);
    }
    keys
}

/// HMAC beside a public key is how tokens get forged (CVE-2015-9235, CVE-2016-10555): refused even though keys are typed.
pub(super) fn refuse_hmac(rules: Rules<'_>, beside: &str, faults: &mut Vec<Fault>) {
    let hmac = rules
        .allowed
        .unwrap_or_default()
        .iter()
        .find(|one| one.family() == Family::Hmac);
    if let Some(hmac) = hmac {
        faults.push(Fault::new(
            rules.algorithms,
            format!("`{hmac}` beside {beside}"),
            "algorithms for public keys only",
            "remove the HS algorithms: a public key is no secret",
        ));
    }
}
