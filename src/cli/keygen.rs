//! `jwtgate keygen`: make keys.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use aws_lc_rs::rand;
use clap::Args;
use serde_json::{Value, json};

use crate::jose::signing_key::PrivateKey;
use crate::jose::{Algorithm, Family, HmacSecret, jwk, thumbprint};

use super::{Exit, print};

/// Make keys: RSA, EC, Ed25519 or HMAC.
///
/// A key pair comes as PEM (private and public) and as a JSON Web Key Set, a secret as text.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  jwtgate keygen --algorithm ES256 --out keys/\n  jwtgate keygen --bits 3072 --certificate idp.example.com --out keys/\n  jwtgate keygen --algorithm HS256 > secret.txt\n\nExit codes: 0 made, 2 not."
)]
pub(super) struct Arguments {
    /// The algorithm that the key is for.
    #[arg(long, short, value_name = "ALG", default_value = "RS256", value_parser = super::mint::algorithm)]
    algorithm: Algorithm,
    /// The size of an RSA key: 2048 (without it), 3072 or 4096.
    #[arg(long, value_parser = rsa_bits)]
    bits: Option<u32>,
    /// The key's name in a key set. Without it: the RFC 7638 thumbprint.
    #[arg(long)]
    kid: Option<String>,
    /// Also make a self-signed certificate for this name, valid to the end of 2099.
    #[arg(long, value_name = "NAME")]
    certificate: Option<String>,
    /// Write files into this folder (private ones readable by the owner only) instead of stdout.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long, conflicts_with = "out")]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let family = arguments.algorithm.family();
    if arguments.bits.is_some() && family != Family::Rsa {
        bail!("--bits is for RSA keys; {} has one size", family.name());
    }
    if arguments.certificate.is_some() && family == Family::Hmac {
        bail!("a secret has no certificate: leave --certificate out");
    }
    let made = if family == Family::Hmac {
        secret(arguments)?
    } else {
        key_pair(arguments)?
    };
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        for file in &made {
            let path = folder.join(file.name);
            file.write(&path)
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            print::say(format_args!("wrote {}", path.display()));
        }
    } else if arguments.json {
        let members: serde_json::Map<String, Value> = made
            .iter()
            .map(|file| (file.member.to_owned(), file.value()))
            .collect();
        print::data(Value::Object(members));
    } else {
        let shown = |file: &&File| arguments.algorithm.family() != Family::Hmac || !file.is_json;
        for file in made.iter().filter(shown) {
            print::data(file.content.trim_end());
        }
    }
    Ok(Exit::Fine)
}

struct File {
    name: &'static str,
    member: &'static str,
    content: String,
    is_private: bool,
    is_json: bool,
}

impl File {
    fn value(&self) -> Value {
        if self.is_json {
            return serde_json::from_str(&self.content).unwrap_or_default();
        }
        self.content.as_str().into()
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        // Never over a key that is there: it may be the only copy.
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if self.is_private { 0o600 } else { 0o644 })
            .open(path)?;
        file.write_all(self.content.as_bytes())
    }
}

fn secret(arguments: &Arguments) -> anyhow::Result<Vec<File>> {
    let mut bytes = vec![0; arguments.algorithm.hash_bytes()];
    rand::fill(&mut bytes)
        .ok()
        .context("the system has no randomness")?;
    let text = bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    // The text itself is the secret (`secret_encoding = "text"`): twice as long as the hash, and nobody has to say `hex`.
    let secret = HmacSecret::new(text.clone().into_bytes()).context("an empty secret")?;
    let kid = arguments.kid.clone().unwrap_or_else(|| "hmac-1".to_owned());
    let set = json!({ "keys": [jwk::secret_to_json(&secret, &kid, arguments.algorithm)] });
    Ok(vec![
        File {
            name: "secret.txt",
            member: "secret",
            content: format!("{text}\n"),
            is_private: true,
            is_json: false,
        },
        File {
            name: "jwks.json",
            member: "jwks",
            content: format!("{set:#}\n"),
            is_private: true,
            is_json: true,
        },
    ])
}

fn key_pair(arguments: &Arguments) -> anyhow::Result<Vec<File>> {
    let key = PrivateKey::generate(arguments.algorithm.family(), arguments.bits.unwrap_or(2048))?;
    let kid = arguments
        .kid
        .clone()
        .unwrap_or_else(|| thumbprint::of(key.public()));
    let set = json!({ "keys": [jwk::to_json(key.public(), &kid, arguments.algorithm)] });
    let private = pem("PRIVATE KEY", key.pkcs8());
    let mut files = vec![
        File {
            name: "private.pem",
            member: "private_pem",
            content: private.clone(),
            is_private: true,
            is_json: false,
        },
        File {
            name: "public.pem",
            member: "public_pem",
            content: pem("PUBLIC KEY", &spki(&private)?),
            is_private: false,
            is_json: false,
        },
        File {
            name: "jwks.json",
            member: "jwks",
            content: format!("{set:#}\n"),
            is_private: false,
            is_json: true,
        },
    ];
    if let Some(name) = &arguments.certificate {
        files.push(File {
            name: "certificate.pem",
            member: "certificate_pem",
            content: certificate(name, &private)?,
            is_private: false,
            is_json: false,
        });
    }
    Ok(files)
}

fn rsa_bits(text: &str) -> Result<u32, &'static str> {
    match text {
        "2048" => Ok(2048),
        "3072" => Ok(3072),
        "4096" => Ok(4096),
        _ => Err("2048, 3072 or 4096"),
    }
}

fn pem(tag: &str, der: &[u8]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(tag, der), config)
}

fn spki(private: &str) -> anyhow::Result<Vec<u8>> {
    use rcgen::PublicKeyData as _;
    Ok(rcgen::KeyPair::from_pem(private)?.subject_public_key_info())
}

fn certificate(name: &str, private: &str) -> anyhow::Result<String> {
    let key = rcgen::KeyPair::from_pem(private)?;
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()])
        .with_context(|| format!("`{name}` is no name for a certificate"))?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2099, 12, 31);
    let Ok(certificate) = parameters.self_signed(&key) else {
        bail!("this type of key cannot sign a certificate here; RSA, P-256, P-384 and Ed25519 can");
    };
    Ok(certificate.pem())
}
