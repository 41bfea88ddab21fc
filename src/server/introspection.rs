//! Who may ask whether a token is good (RFC 7662), and what they are told.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::config::{Config, Fault};
use crate::gate::verify::payload_of_verified;
use crate::gate::{Credential, Permit};
use crate::jose::Claims;
use crate::keys::file::read_secret;

use super::live::Live;

/// Compiled from `[introspection]`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Introspection {
    /// Names, and digests of secrets: of equal length, so that comparing tells nothing of it.
    clients: Arc<[(String, [u8; 32])]>,
}

/// The shortest secret that nobody guesses.
const SHORT_SECRET: usize = 16;
const GOOD_SECRET: &str = "`openssl rand -hex 32` makes a good one";

impl Introspection {
    /// Reads the secrets of the clients.
    #[must_use]
    pub fn compile(config: &Config) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut clients = Vec::new();
        for (name, client) in &config.introspection.clients {
            let path = |key: &str| format!("introspection.clients.{name}.{key}");
            let secret = match (&client.secret, &client.secret_file) {
                (Some(secret), None) => Some(Zeroizing::new(secret.expose().to_owned())),
                (None, Some(file)) => read_secret(file, &path("secret_file"), &mut faults),
                (Some(_), Some(_)) | (None, None) => {
                    faults.push(Fault::new(
                        path("secret"),
                        "none or both of `secret` and `secret_file`",
                        "one of them",
                        GOOD_SECRET,
                    ));
                    None
                }
            };
            let Some(secret) = secret else {
                continue;
            };
            if secret.is_empty() {
                let fault = Fault::new(path("secret"), "an empty secret", "a secret", GOOD_SECRET);
                faults.push(fault);
                continue;
            }
            if secret.len() < SHORT_SECRET {
                faults.push(Fault::warning(
                    path("secret"),
                    format!("a secret of {} bytes", secret.len()),
                    format!("{SHORT_SECRET} bytes or more"),
                    format!("whoever guesses it can try out tokens: {GOOD_SECRET}"),
                ));
            }
            clients.push((name.clone(), hashed(secret.as_bytes())));
        }
        let clients = clients.into();
        (Self { clients }, faults)
    }

    /// Whether anybody may ask.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.clients.is_empty()
    }

    /// Whether these are the credentials of a client.
    fn knows(&self, name: &str, secret: &str) -> bool {
        let given = hashed(secret.as_bytes());
        self.clients
            .iter()
            .any(|(own, digest)| own == name && verify_slices_are_equal(digest, &given).is_ok())
    }

    /// Whether the credentials of a request are those of a client: by HTTP Basic, or in the form (RFC 6749 §2.3.1). Both at once are none.
    ///
    /// # Errors
    /// They are not.
    pub fn admit(&self, authorization: Option<&str>, form: &Form) -> Result<(), Stranger<'_>> {
        let (name, secret) = match (authorization, &form.client_id, &form.client_secret) {
            (Some(line), None, None) => basic(line).ok_or(Stranger::default())?,
            (None, Some(name), Some(secret)) => {
                return self.known(name, secret);
            }
            _ => return Err(Stranger::default()),
        };
        // The parts are to be form-encoded first; many clients do not.
        self.known(&name, &secret)
            .or_else(|_| self.known(&decoded(&name), &decoded(&secret)))
    }

    fn known(&self, name: &str, secret: &str) -> Result<(), Stranger<'_>> {
        if self.knows(name, secret) {
            return Ok(());
        }
        let own = self.clients.iter().map(|(own, _)| own.as_str());
        let claims_to_be = own.clone().find(|own| *own == name);
        Err(Stranger { claims_to_be })
    }
}

/// One without the credentials of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stranger<'i> {
    /// The client whose name it gave, with another secret. A name that nobody has is not told: it is a stranger's text.
    pub claims_to_be: Option<&'i str>,
}

fn hashed(secret: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, secret).as_ref());
    bytes
}

fn basic(line: &str) -> Option<(String, String)> {
    let (scheme, credentials) = line.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    Some((name.to_owned(), secret.to_owned()))
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// What the form of a request says.
#[derive(Debug, Default)]
pub struct Form {
    /// The token to judge.
    pub token: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

impl Form {
    /// Reads a form. `None`: it is none, or a parameter stands there twice (RFC 6749 §3.2).
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        std::str::from_utf8(body).ok()?;
        let mut form = Self::default();
        let mut token = None;
        for (name, value) in url::form_urlencoded::parse(body) {
            let place = match &*name {
                "token" => &mut token,
                "client_id" => &mut form.client_id,
                "client_secret" => &mut form.client_secret,
                // `token_type_hint`, which changes nothing here, and what RFC 7662 §2.1 lets servers add.
                _ => continue,
            };
            if place.replace(value.into_owned()).is_some() {
                return None;
            }
        }
        form.token = token?;
        Some(form)
    }
}

/// What a client is told of a good token (RFC 7662 §2.2): its claims, with the name, address and groups as the identity headers have them.
#[must_use]
pub(super) fn active(live: &Live, permit: &Permit, credential: Credential<'_>) -> Option<Value> {
    let verified = permit.known()?.verified();
    let payload = payload_of_verified(credential.token())?;
    let claims = Claims::parse(&payload).ok()?;
    let mut members: Map<String, Value> = claims
        .members()
        .map(|(name, value)| (name.to_owned(), value.to_value()))
        .collect();
    let issuer = live.gate.issuers.all().get(verified.place());
    if let Some(issuer) = issuer {
        let (email, groups) = issuer.identity.email_and_groups(&claims);
        let told = [
            ("email", email.map(Value::from)),
            ("groups", groups.map(Value::from)),
        ];
        for (name, value) in told {
            members.extend(value.map(|value| (name.to_owned(), value)));
        }
    }
    let own = [
        ("active", json!(true)),
        ("token_type", json!("Bearer")),
        ("username", json!(verified.identity().username())),
    ];
    members.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_strictly() {
        let form = Form::parse(b"token=a.b%2Dc&token_type_hint=access_token&x=1").unwrap();
        assert_eq!(form.token, "a.b-c");
        for body in [
            &b""[..],
            b"x=1",
            b"token=a&token=b",
            b"token=a&token=a",
            b"token=a&client_id=1&client_id=1",
            b"\xff",
        ] {
            assert!(Form::parse(body).is_none(), "{body:?}");
        }
    }
}
