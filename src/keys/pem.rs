//! Public keys and certificates in PEM (RFC 7468).

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::clock::Timestamp;
use crate::config::Fault;
use crate::jose::PublicKey;

/// The keys of a PEM text, one for each block. `path` names the text in faults.
///
/// Blocks: `CERTIFICATE`, `PUBLIC KEY` (SPKI), `RSA PUBLIC KEY` (PKCS#1). A certificate is a wrapper here, the key is the trust:
/// dates that have passed and odd key usage are warnings.
#[must_use]
pub fn read(text: &str, path: &str, now: Timestamp) -> (Vec<PublicKey>, Vec<Fault>) {
    let mut faults = Vec::new();
    let blocks = match ::pem::parse_many(text) {
        Ok(blocks) if !blocks.is_empty() => blocks,
        Ok(_) => {
            faults.push(Fault::new(path, "no PEM block", EXPECTED, hint_for(text)));
            return (Vec::new(), faults);
        }
        Err(error) => {
            faults.push(Fault::new(
                path,
                error.to_string(),
                EXPECTED,
                hint_for(text),
            ));
            return (Vec::new(), faults);
        }
    };
    let mut keys: Vec<PublicKey> = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let path = format!("{path} (block {})", index + 1);
        let Some(key) = key_of(block, &path, now, &mut faults) else {
            continue;
        };
        if key.has_small_exponent() {
            faults.push(Fault::warning(
                path,
                "an RSA key with an exponent below 65537",
                "65537 or more",
                "ask the issuer for a new key: such exponents come from old or careless generators",
            ));
        }
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    (keys, faults)
}

/// The key of one block; `None` where there is none, which is told unless it means nothing.
fn key_of(
    block: &::pem::Pem,
    path: &str,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Option<PublicKey> {
    let contents = block.contents();
    let parsed = match block.tag() {
        "CERTIFICATE" | "X509 CERTIFICATE" => certificate(contents, path, now, faults),
        "PUBLIC KEY" => PublicKey::from_spki(contents).map_err(|fault| fault.to_string()),
        "RSA PUBLIC KEY" => PublicKey::from_pkcs1(contents).map_err(|fault| fault.to_string()),
        // OpenSSL writes the name of the curve in front of some keys.
        "EC PARAMETERS" => return None,
        tag => Err(format!("a `{tag}`")),
    };
    let hint = if block.tag().ends_with("PRIVATE KEY") {
        "a private key does not belong here: give its public half (`openssl pkey -in KEY -pubout`) and keep the private one away"
    } else {
        HINT
    };
    parsed
        .map_err(|found| faults.push(Fault::new(path, found, EXPECTED, hint)))
        .ok()
}

const EXPECTED: &str = "PEM blocks `CERTIFICATE`, `PUBLIC KEY` or `RSA PUBLIC KEY`";
const HINT: &str =
    "`openssl x509 -in FILE -noout -text` or `openssl pkey -pubin -in FILE -text` shows what it is";

fn hint_for(text: &str) -> &'static str {
    let start = text.trim_start();
    if start.starts_with("ssh-") || start.starts_with("ecdsa-sha2-") {
        "this is an OpenSSH key: `ssh-keygen -e -m PKCS8 -f FILE` converts it"
    } else if start.starts_with('{') {
        "this looks like a JSON Web Key Set: name it in `jwks_file` or `jwks`"
    } else {
        "if the file is DER, convert it: `openssl x509 -inform der -in FILE -out FILE.pem`"
    }
}

fn certificate(
    der: &[u8],
    path: &str,
    now: Timestamp,
    faults: &mut Vec<Fault>,
) -> Result<PublicKey, String> {
    let (rest, certificate) = X509Certificate::from_der(der)
        .map_err(|_| "DER that is no X.509 certificate".to_owned())?;
    if !rest.is_empty() {
        return Err("a certificate with something behind it".to_owned());
    }
    let subject = certificate.subject().to_string();
    let validity = certificate.validity();
    let now = now.seconds();
    if validity.not_after.timestamp() < now {
        faults.push(Fault::warning(
            path,
            format!("the certificate of `{subject}` expired on {}", validity.not_after),
            "a certificate whose dates have not passed",
            "its key is still used, since the key is the trust; ask the issuer whether it has changed",
        ));
    } else if validity.not_before.timestamp() > now {
        faults.push(Fault::warning(
            path,
            format!(
                "the certificate of `{subject}` is valid from {} on",
                validity.not_before
            ),
            "a certificate whose dates have come",
            "compare this machine's clock with the issuer's",
        ));
    }
    if let Ok(Some(usage)) = certificate.key_usage()
        && !usage.value.digital_signature()
    {
        faults.push(Fault::warning(
            path,
            format!("the certificate of `{subject}` is not made for digital signatures"),
            "a certificate whose key usage holds `digitalSignature`",
            "check that this is the issuer's token-signing certificate, not one for TLS or a CA",
        ));
    }
    PublicKey::from_spki(certificate.public_key().raw).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Severity;
    use crate::jose::Family;
    use crate::jose::signing_key::PrivateKey;

    const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

    fn certificate(not_after: i32) -> String {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let mut parameters =
            rcgen::CertificateParams::new(vec!["idp.example.test".to_owned()]).unwrap();
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(not_after, 1, 1);
        parameters.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_certificate_gives_its_key_and_an_expired_one_a_warning_too() {
        let (keys, faults) = read(&certificate(2099), "x", NOW);
        assert_eq!(keys[0].family(), Family::P384);
        assert_eq!(faults, []);
        let (keys, faults) = read(&certificate(2024), "x", NOW);
        assert_eq!(keys.len(), 1);
        assert_eq!(faults[0].severity, Severity::Warning);
        assert!(faults[0].found.contains("expired"));
    }

    #[test]
    fn several_blocks_are_several_keys_and_the_same_key_twice_is_one() {
        let one = certificate(2099);
        let two = certificate(2099);
        let (keys, faults) = read(&format!("Subject: x\r\n{one}\n\n{two}{one}"), "x", NOW);
        assert_eq!((keys.len(), faults.len()), (2, 0));
    }

    #[test]
    fn s1_5_white_space_and_line_ends_change_nothing() {
        let pem = certificate(2099);
        let (reference, _) = read(&pem, "x", NOW);
        for text in [
            pem.replace('\n', "\r\n"),
            format!("  \n\t{pem}"),
            pem.trim_end().to_owned(),
        ] {
            let (keys, faults) = read(&text, "x", NOW);
            assert_eq!((&keys, faults.len()), (&reference, 0));
        }
    }

    #[test]
    fn what_is_no_public_key_is_a_fault_with_a_hint() {
        let private = PrivateKey::generate(Family::P256, 0).unwrap();
        let private = ::pem::encode(&::pem::Pem::new("PRIVATE KEY", private.pkcs8()));
        for (text, hint) in [
            (private.as_str(), "public half"),
            ("ssh-rsa AAAA", "ssh-keygen"),
            ("{\"keys\":[]}", "jwks_file"),
            ("", "DER"),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                "openssl",
            ),
            (
                "-----BEGIN PUBLIC KEY-----\n!!!\n-----END PUBLIC KEY-----\n",
                "DER",
            ),
        ] {
            let (keys, faults) = read(text, "x", NOW);
            assert!(keys.is_empty());
            assert!(faults[0].hint.contains(hint), "{}", faults[0]);
        }
    }
}
