//! The JOSE vectors of Wycheproof: `tests/vectors/README.md` says where they come from.
//!
//! They speak of signatures and keys, and their payloads are no claims. So they go through `jose` alone, in the order of the real
//! verification. What is decided elsewhere is not asked here: whether everybody knows a secret, and whether a set of keys is fit as a
//! whole.

use jwtgate::jose::{Compact, Header, Jwk, RsaChecks, VerifyingKey, base64url};
use serde_json::Value;

const CRYPTO: &str = "json_web_crypto_test.json";
const KEY: &str = "json_web_key_test.json";
const SIGNATURE: &str = "json_web_signature_test.json";

/// Each file with how many vectors of it are valid, and how many invalid.
const FILES: [(&str, &str, usize, usize); 3] = [
    (
        CRYPTO,
        include_str!("../vectors/wycheproof/json_web_crypto_test.json"),
        6,
        77,
    ),
    (
        KEY,
        include_str!("../vectors/wycheproof/json_web_key_test.json"),
        5,
        21,
    ),
    (
        SIGNATURE,
        include_str!("../vectors/wycheproof/json_web_signature_test.json"),
        46,
        355,
    ),
];

/// The step at which a vector was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Not three parts in base64url.
    Form,
    /// The header asks for what is not done here, or names no known algorithm.
    Header,
    /// No key is left that is fit, has the name and allows the algorithm.
    Key,
    /// The signature is not that key's signature over these bytes.
    Signature,
}

/// Every vector that is valid and refused all the same: file, `tcId`, the step, the reason.
const STRICTER: [(&str, u64, Refusal, &str); 8] = [
    (CRYPTO, 50, Refusal::Header, "encrypted"),
    (CRYPTO, 67, Refusal::Header, "encrypted"),
    (SIGNATURE, 346, Refusal::Key, "PS384 under a key for PS256"),
    (SIGNATURE, 347, Refusal::Key, "ES521 is no algorithm"),
    (SIGNATURE, 350, Refusal::Key, "as 346"),
    (SIGNATURE, 351, Refusal::Key, "as 347"),
    (SIGNATURE, 372, Refusal::Form, "`?` in the header"),
    (SIGNATURE, 373, Refusal::Signature, "`?` in the payload"),
];

/// Vectors that are called invalid, and that are byte for byte another one, which is called valid: file, `tcId`, the other's `tcId`.
/// The padding that their comments speak of got lost (<https://github.com/C2SP/wycheproof/issues/236>).
const CONTRADICTED: [(&str, u64, u64); 2] = [(SIGNATURE, 367, 357), (SIGNATURE, 370, 357)];

/// Vectors that are invalid for the company in which their key stands; alone it verifies them, and rightly. Sets are judged by
/// `keys`, not here: file, `tcId`, what is held against the set.
const INVALID_AS_A_SET: [(&str, u64, &str); 3] = [
    (CRYPTO, 47, "a secret beside a public key"),
    (KEY, 1, "a secret beside a public key"),
    (KEY, 4, "one `kid` twice"),
];

struct Vector {
    file: &'static str,
    id: u64,
    is_valid: bool,
    key: Value,
    token: String,
    outcome: Result<(), Refusal>,
}

/// Judges every vector of every file.
fn judge_all() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for (file, text, ..) in FILES {
        let document: Value = serde_json::from_str(text).expect("JSON");
        for group in list(&document["testGroups"]) {
            for test in list(&group["tests"]) {
                let is_valid = match test["result"].as_str() {
                    Some("valid") => true,
                    Some("invalid") => false,
                    // No vector of these files leaves the answer open; one that does has to be thought about.
                    other => panic!("{file} {}: {other:?}", test["tcId"]),
                };
                // Where there is no public half, the key is a secret.
                let key = group.get("public").unwrap_or(&group["private"]);
                let token = token(test);
                vectors.push(Vector {
                    file,
                    id: test["tcId"].as_u64().expect("a number"),
                    is_valid,
                    outcome: judge(key, &token),
                    key: key.clone(),
                    token,
                });
            }
        }
    }
    vectors
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// The signed or encrypted token. The JSON serialisation stands there as an object or as text.
fn token(test: &Value) -> String {
    let token = test.get("jws").or_else(|| test.get("jwe"));
    match token.expect("a token") {
        Value::String(compact) => compact.clone(),
        object => object.to_string(),
    }
}

/// The steps of the real verification, up to the payload. In a set `kid` chooses; a key that stands alone is tried whatever the `kid`
/// (requirement 2.3), so that no vector is refused for a name where the signature is in question.
fn judge(key: &Value, token: &str) -> Result<(), Refusal> {
    let decode = |text| base64url::decode(text).map_err(|_| Refusal::Form);
    let parts = Compact::split(token.as_bytes()).ok_or(Refusal::Form)?;
    let header = decode(parts.header)?;
    let header = Header::parse(&header).map_err(|_| Refusal::Header)?;
    let signature = decode(parts.signature)?;

    let (jwks, kid) = match key.get("keys") {
        Some(set) => (list(set), header.kid.as_deref()),
        None => (std::slice::from_ref(key), None),
    };
    let keys: Vec<_> = jwks
        .iter()
        .filter_map(prepare)
        .filter(|key| kid.is_none() || key.kid() == kid)
        .filter(|key| key.allows(header.algorithm))
        .collect();
    if keys.is_empty() {
        return Err(Refusal::Key);
    }
    keys.iter()
        .any(|key| key.verifies(header.algorithm, parts.signing_input, &signature))
        .then_some(())
        .ok_or(Refusal::Signature)?;
    decode(parts.payload).map(drop)
}

/// The key, if it is fit for the one algorithm that it names, or for those of its type.
fn prepare(jwk: &Value) -> Option<VerifyingKey> {
    let jwk = Jwk::parse(jwk.to_string().as_bytes()).ok()?;
    let own = jwk.algorithm().map(|algorithm| [algorithm]);
    let allowed = own.as_ref().map(<[_; 1]>::as_slice);
    match (jwk.public_key(), jwk.secret()) {
        (Some(key), _) => {
            VerifyingKey::from_public(key, jwk.kid(), allowed, RsaChecks::default()).ok()
        }
        (None, Some(secret)) => VerifyingKey::from_secret(secret, jwk.kid(), allowed, false).ok(),
        (None, None) => None,
    }
}

#[test]
fn every_vector_of_wycheproof_is_run() {
    let vectors = judge_all();
    for (file, text, valid, invalid) in FILES {
        let count = |is_valid| {
            let of_file = vectors.iter().filter(|vector| vector.file == file);
            of_file.filter(|vector| vector.is_valid == is_valid).count()
        };
        assert_eq!((count(true), count(false)), (valid, invalid), "{file}");
        let document: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(document["numberOfTests"], valid + invalid, "{file}");
    }
}

#[test]
fn valid_vectors_of_wycheproof_verify_but_for_those_listed() {
    let refused: Vec<_> = judge_all()
        .into_iter()
        .filter(|vector| vector.is_valid)
        .filter_map(|vector| Some((vector.file, vector.id, vector.outcome.err()?)))
        .collect();
    assert_eq!(
        refused,
        STRICTER.map(|(file, id, step, _)| (file, id, step))
    );
}

#[test]
fn invalid_vectors_of_wycheproof_are_refused() {
    let accepted: Vec<_> = judge_all()
        .into_iter()
        .filter(|vector| !vector.is_valid && vector.outcome.is_ok())
        .map(|vector| (vector.file, vector.id))
        .collect();
    let sets = INVALID_AS_A_SET.map(|(file, id, _)| (file, id));
    let contradicted = CONTRADICTED.map(|(file, id, _)| (file, id));
    assert_eq!(accepted, [&sets[..], &contradicted].concat());
}

#[test]
fn exceptions_for_vectors_of_wycheproof_are_what_they_say() {
    let vectors = judge_all();
    let find = |file, id| {
        let mut all = vectors.iter();
        let found = all.find(|vector| (vector.file, vector.id) == (file, id));
        found.expect("a vector")
    };
    for (file, invalid, valid) in CONTRADICTED {
        let (invalid, valid) = (find(file, invalid), find(file, valid));
        assert!(valid.is_valid && !invalid.is_valid, "{}", invalid.id);
        let what = |vector: &Vector| (vector.key.clone(), vector.token.clone());
        assert_eq!(what(invalid), what(valid), "{}", invalid.id);
    }
    for (file, id, _) in INVALID_AS_A_SET {
        let keys = &find(file, id).key["keys"];
        assert!(list(keys).len() > 1, "{file} {id}");
    }
}
