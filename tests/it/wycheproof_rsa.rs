//! Wycheproof's signatures of RSA PKCS #1 v1.5: `tests/vectors/README.md` says where they come from. Whoever checks, the processor's own
//! instructions alone or eight at once, or the crypto library, the verdict is that of the vectors.

use jwtgate::jose::verifying_key::{self, Question};
use jwtgate::jose::{Algorithm, PublicKey, RsaChecks, VerifyingKey};
use serde_json::Value;

use super::rsa_ifma::{has_instructions, needs_instructions};

macro_rules! vectors {
    ($($name:literal $algorithm:literal,)*) => {
        [$(($algorithm, include_str!(concat!("../vectors/wycheproof/rsa_signature_", $name, "_test.json")))),*]
    };
}

/// Each file with the algorithm that its signatures would stand for in a token.
const FILES: [(&str, &str); 9] = vectors!(
    "2048_sha256" "RS256",
    "2048_sha384" "RS384",
    "2048_sha512" "RS512",
    "3072_sha256" "RS256",
    "3072_sha384" "RS384",
    "3072_sha512" "RS512",
    "4096_sha256" "RS256",
    "4096_sha384" "RS384",
    "4096_sha512" "RS512",
);

struct Vector {
    message: Vec<u8>,
    signature: Vec<u8>,
    is_good: bool,
    told: String,
}

struct Group {
    algorithm: Algorithm,
    key: PublicKey,
    exponent: String,
    vectors: Vec<Vector>,
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hexadecimal digits").as_bytes();
    hex.chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        })
        .collect()
}

fn groups() -> Vec<Group> {
    let mut groups = Vec::new();
    for (algorithm, text) in FILES {
        let document: Value = serde_json::from_str(text).expect("JSON");
        for group in document["testGroups"].as_array().expect("a list") {
            let vectors = group["tests"].as_array().expect("a list").iter();
            groups.push(Group {
                algorithm: Algorithm::from_name(algorithm).expect("one of ours"),
                key: PublicKey::from_spki(&bytes(&group["publicKeyDer"])).expect("a public key"),
                exponent: group["publicKey"]["publicExponent"].to_string(),
                vectors: vectors
                    .map(|test| Vector {
                        message: bytes(&test["msg"]),
                        signature: bytes(&test["sig"]),
                        // "Acceptable" are those without NULL in their DigestInfo, which RFC 8017 §9.2 wants there.
                        is_good: test["result"] == "valid",
                        told: format!("{algorithm} {}: {}", test["tcId"], test["comment"]),
                    })
                    .collect(),
            });
        }
    }
    groups
}

fn key(group: &Group, checks: RsaChecks) -> VerifyingKey {
    VerifyingKey::from_public(&group.key, None, Some(&[group.algorithm]), checks)
        .expect("a key that is fit")
}

#[test]
fn every_signature_of_wycheproof_gets_its_verdict_from_whoever_checks() {
    let mut good = 0;
    let mut all = 0;
    for group in groups() {
        let keys = [RsaChecks::Ifma, RsaChecks::Library].map(|checks| key(&group, checks));
        let is_usual = group.exponent == "\"010001\"";
        assert_eq!(keys[0].has_ifma(), is_usual && has_instructions());
        for vector in &group.vectors {
            for key in &keys {
                let found = key.verifies(group.algorithm, &vector.message, &vector.signature);
                assert_eq!(found, vector.is_good, "{}", vector.told);
            }
            good += usize::from(vector.is_good);
            all += 1;
        }
    }
    assert_eq!((good, all), (68, 2330));
}

#[test]
#[cfg(feature = "rsa-ifma")]
fn every_signature_of_wycheproof_gets_its_verdict_in_whatever_company() {
    if !needs_instructions() {
        return;
    }
    for group in groups() {
        let key = key(&group, RsaChecks::Ifma);
        if !key.has_ifma() {
            continue;
        }
        let ask =
            |vector: &Vector| key.question(group.algorithm, &vector.message, &vector.signature);
        for count in [8, 5, 17] {
            for company in group.vectors.chunks(count) {
                let questions: Vec<Option<Question>> = company.iter().map(ask).collect();
                let asked: Vec<_> = questions.iter().flatten().collect();
                let mut answers = verifying_key::answers(&asked).into_iter();
                for (vector, question) in company.iter().zip(&questions) {
                    let found = question.is_some() && answers.next() == Some(true);
                    assert_eq!(found, vector.is_good, "{}", vector.told);
                }
            }
        }
    }
}
