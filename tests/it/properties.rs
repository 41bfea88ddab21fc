//! Properties that must hold for every input, not only for the ones that somebody thought of.

use std::sync::OnceLock;

use jsonwebtoken::{DecodingKey, Validation};
use jwtgate::app;
use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, Secret, TokenSource};
use jwtgate::gate::{self, Credential, State};
use jwtgate::jose::signing_key::PrivateKey;
use jwtgate::jose::{Claims, Compact, Family, Header, Json, Jwk, base64url};
use jwtgate::login::{ReturnPolicy, Way};
use jwtgate::reason::Reason;
use jwtgate::request::{Original, RawToken, Scheme};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Map, Value, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const AUDIENCE: &str = "https://app.example.test/";
const ISSUER: &str = "https://idp.example.test/";
/// The oracle reads the machine's clock, so the properties use it too; claims stay far from its edges.
static NOW: OnceLock<i64> = OnceLock::new();

fn now() -> i64 {
    *NOW.get_or_init(|| Timestamp::now().seconds())
}

fn state() -> &'static State {
    static STATE: OnceLock<State> = OnceLock::new();
    STATE.get_or_init(fresh_state)
}

fn fresh_state() -> State {
    compile(Config {
        secret: Some(Secret::from(std::str::from_utf8(SECRET).expect("ASCII"))),
        ..Config::default()
    })
}

fn compile(config: Config) -> State {
    let config = Config {
        expected_audience: AUDIENCE.into(),
        expected_issuer: ISSUER.into(),
        ..config
    };
    let (state, _, faults) = app::compile_gate(&config, Timestamp::now());
    state.unwrap_or_else(|| panic!("{faults:?}"))
}

/// Keys of every type that the oracle knows, each with a gate for it.
struct Pair {
    algorithm: jsonwebtoken::Algorithm,
    signing: jsonwebtoken::EncodingKey,
    oracle: DecodingKey,
    state: State,
}

fn pairs() -> &'static [Pair] {
    static PAIRS: OnceLock<Vec<Pair>> = OnceLock::new();
    PAIRS.get_or_init(|| {
        use jsonwebtoken::Algorithm as Oracle;
        let families = [
            (
                Family::Rsa,
                vec![Oracle::RS256, Oracle::RS512, Oracle::PS256, Oracle::PS384],
            ),
            (Family::P256, vec![Oracle::ES256]),
            (Family::P384, vec![Oracle::ES384]),
            (Family::Ed25519, vec![Oracle::EdDSA]),
        ];
        families
            .into_iter()
            .flat_map(|(family, algorithms)| {
                let private = PrivateKey::generate(family, 2048).expect("a key");
                let pem = pem::encode(&pem::Pem::new("PRIVATE KEY", private.pkcs8()));
                let public = rcgen::KeyPair::from_pem(&pem)
                    .expect("a key")
                    .public_key_pem();
                algorithms
                    .into_iter()
                    .map(move |algorithm| pair(family, algorithm, &pem, &public))
            })
            .collect()
    })
}

fn pair(family: Family, algorithm: jsonwebtoken::Algorithm, pem: &str, public: &str) -> Pair {
    let (signing, oracle) = match family {
        Family::Rsa => (
            jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()),
            DecodingKey::from_rsa_pem(public.as_bytes()),
        ),
        Family::Ed25519 => (
            jsonwebtoken::EncodingKey::from_ed_pem(pem.as_bytes()),
            DecodingKey::from_ed_pem(public.as_bytes()),
        ),
        _ => (
            jsonwebtoken::EncodingKey::from_ec_pem(pem.as_bytes()),
            DecodingKey::from_ec_pem(public.as_bytes()),
        ),
    };
    Pair {
        algorithm,
        signing: signing.expect("a private key"),
        oracle: oracle.expect("a public key"),
        state: compile(Config {
            signing_certificate_pem: Some(public.to_owned()),
            ..Config::default()
        }),
    }
}

fn judge(token: &[u8]) -> Result<String, Reason> {
    judge_by(state(), token, now())
}

fn judge_by(state: &State, token: &[u8], now: i64) -> Result<String, Reason> {
    let credential = Credential::new(RawToken::new(token), TokenSource::Header);
    gate::admit(state, credential, Timestamp::from_seconds(now))
        .map(|known| known.verified().identity().username().to_owned())
        .map_err(|refusal| refusal.reason())
}

/// What `jsonwebtoken` says of the same token, asked as its manual shows it.
fn oracle(token: &str) -> bool {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.algorithms = vec![
        jsonwebtoken::Algorithm::HS256,
        jsonwebtoken::Algorithm::HS384,
        jsonwebtoken::Algorithm::HS512,
    ];
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    validation.leeway = 30;
    validation.validate_nbf = true;
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(SECRET), &validation).is_ok()
}

/// Why we may refuse what the oracle accepts: it ignores `crit`, `b64`, `zip` and `enc`, lets pass an `aud` or `iss` of the wrong type or
/// in a list, reads neither `iat` nor `cnf` nor `events`, and knows nothing of usernames.
const STRICTER: [Reason; 11] = [
    Reason::TokenCritical,
    Reason::TokenEncrypted,
    Reason::TokenType,
    Reason::TokenPayload,
    Reason::TokenClaimType,
    Reason::TokenIssuer,
    Reason::TokenAudience,
    Reason::TokenIssuedInFuture,
    Reason::TokenBound,
    Reason::IdentityUsername,
    Reason::IdentityInvalid,
];

fn sign(header: &Value, payload: &str) -> String {
    let message = format!(
        "{}.{}",
        base64url::encode(header.to_string().as_bytes()),
        base64url::encode(payload.as_bytes())
    );
    let algorithm = match header["alg"].as_str() {
        Some("HS384") => jsonwebtoken::Algorithm::HS384,
        Some("HS512") => jsonwebtoken::Algorithm::HS512,
        _ => jsonwebtoken::Algorithm::HS256,
    };
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET);
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(AUDIENCE)),
        Just(json!(ISSUER)),
        Just(json!("alice")),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,3}", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A claim that is usually right, sometimes absent and sometimes anything.
fn claim(right: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        6 => right.prop_map(Some),
        1 => Just(None),
        1 => any_json().prop_map(Some),
    ]
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    let ahead = || (300_i64..100_000).prop_map(|seconds| json!(now() + seconds));
    let behind = || (300_i64..100_000).prop_map(|seconds| json!(now() - seconds));
    (
        claim(ahead()),
        prop_oneof![2 => Just(None), 1 => claim(behind())],
        prop_oneof![2 => Just(None), 1 => claim(behind())],
        claim(prop_oneof![
            Just(json!(AUDIENCE)),
            Just(json!(["x", AUDIENCE])),
        ]),
        claim(Just(json!(ISSUER))),
        claim("[a-z]{1,8}".prop_map(Value::from)),
        prop_oneof![3 => Just(None), 1 => any_json().prop_map(Some)],
    )
        .prop_map(|(exp, nbf, iat, aud, iss, username, extra)| {
            let named = [
                ("exp", exp),
                ("nbf", nbf),
                ("iat", iat),
                ("aud", aud),
                ("iss", iss),
                ("username", username),
                ("extra", extra),
            ];
            named
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect()
        })
}

fn header() -> impl Strategy<Value = Value> {
    let algorithm = prop_oneof![
        8 => prop::sample::select(vec!["HS256", "HS384", "HS512"]).prop_map(Value::from),
        1 => prop::sample::select(vec!["none", "hs256", "RS256", "HS256 "]).prop_map(Value::from),
        1 => any_json(),
    ];
    let extra = prop_oneof![
        6 => Just(None),
        1 => prop::sample::select(vec!["crit", "b64", "zip", "enc", "cty", "kid", "typ", "x5c", "jwk"])
            .prop_map(|name| Some(name.to_owned())),
    ];
    (algorithm, extra, any_json()).prop_map(|(algorithm, extra, value)| {
        let mut members = json!({ "alg": algorithm });
        if let Some(name) = extra {
            members[name] = value;
        }
        members
    })
}

fn policy() -> &'static ReturnPolicy {
    static POLICY: OnceLock<ReturnPolicy> = OnceLock::new();
    POLICY.get_or_init(|| {
        let config = Config {
            auth_url: Some("https://auth.example.com/login?x=1#top".to_owned()),
            public_url: Some("https://app.example.com".to_owned()),
            return_hosts: ["app.example.com", "*.example.org", "http://localhost:8080"]
                .map(str::to_owned)
                .to_vec(),
            ..Config::default()
        };
        let (policy, faults) = ReturnPolicy::compile(&config, Some("auth_token"));
        assert_eq!(faults, []);
        policy
    })
}

/// Whether a URL, read by the parser that browsers use, lies within the allow list above.
fn is_within(text: &str) -> bool {
    let url = url::Url::parse(text).expect("what we send is a URL");
    let host = url.host_str().unwrap_or_default();
    let is_https = url.scheme() == "https"
        && url.port().is_none()
        && (host == "app.example.com" || host.ends_with(".example.org"));
    let is_local = url.scheme() == "http" && host == "localhost" && url.port() == Some(8080);
    (is_https || is_local) && url.username().is_empty() && url.password().is_none()
}

/// 3,000 cases from a fixed seed, so that a run can be repeated. `PROPTEST_CASES` and `PROPTEST_RNG_SEED` look further.
fn effort() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        cases: if asked.cases == 256 {
            3000
        } else {
            asked.cases
        },
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(7_519),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        failure_persistence: None,
        ..asked
    }
}

proptest! {
    #![proptest_config(effort())]

    #[test]
    fn the_verdict_is_that_of_jsonwebtoken_or_stricter_for_a_listed_reason(
        header in header(),
        claims in claims(),
    ) {
        let token = sign(&header, &Value::Object(claims.clone()).to_string());
        match (judge(token.as_bytes()), oracle(&token)) {
            (Ok(_), accepts) => {
                // The oracle parses members that nobody here reads, and refuses a token for their type.
                let is_unread = ["x5c", "jwk"].iter().any(|name| header.get(name).is_some());
                // It also keeps times in a `u64`, where RFC 7519 §2 has any number.
                let is_beyond = ["exp", "nbf"].iter().any(|name| {
                    let seconds = claims.get(*name).and_then(Value::as_f64);
                    seconds.is_some_and(|seconds| !(0.0..1.8e19).contains(&seconds))
                });
                prop_assert!(accepts || is_unread || is_beyond, "we accept, the oracle does not: {header} {token}");
            }
            (Err(reason), true) => {
                // The oracle takes `null` for absent.
                let is_null = reason == Reason::TokenMalformed
                    && ["kid", "typ", "cty"].iter().any(|name| header.get(name) == Some(&Value::Null));
                prop_assert!(is_null || STRICTER.contains(&reason), "{reason:?}: {header} {token}");
            }
            (Err(_), false) => {}
        }
    }

    #[test]
    fn public_keys_are_judged_as_jsonwebtoken_judges_them(
        index in 0_usize..7,
        claims in claims(),
        change in prop_oneof![Just(None), any::<(usize, u8)>().prop_map(Some)],
    ) {
        let pair = &pairs()[index];
        let header = jsonwebtoken::Header::new(pair.algorithm);
        let mut token = jsonwebtoken::encode(&header, &claims, &pair.signing).expect("a token");
        if let Some((position, bit)) = change {
            let mut bytes = token.into_bytes();
            let position = position % bytes.len();
            bytes[position] ^= 1 << (bit % 7);
            token = String::from_utf8(bytes).expect("ASCII");
        }
        let mut validation = Validation::new(pair.algorithm);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.leeway = 30;
        validation.validate_nbf = true;
        let accepts = jsonwebtoken::decode::<Value>(&token, &pair.oracle, &validation).is_ok();
        match judge_by(&pair.state, token.as_bytes(), now()) {
            Ok(_) => {
                let is_beyond = ["exp", "nbf"].iter().any(|name| {
                    let seconds = claims.get(*name).and_then(Value::as_f64);
                    seconds.is_some_and(|seconds| !(0.0..1.8e19).contains(&seconds))
                });
                prop_assert!(accepts || is_beyond, "{token}");
            }
            Err(reason) => prop_assert!(!accepts || STRICTER.contains(&reason), "{reason:?} {token}"),
        }
    }

    #[test]
    fn a_cache_hit_is_judged_at_its_own_moment(claims in claims(), first in -200_000_i64..200_000, second in -200_000_i64..200_000) {
        let token = sign(&json!({"alg": "HS256"}), &Value::Object(claims).to_string());
        let (first, second) = (now() + first, now() + second);
        let warm = fresh_state();
        let _ = judge_by(&warm, token.as_bytes(), first);
        let found = judge_by(&warm, token.as_bytes(), second);
        prop_assert_eq!(found, judge_by(&fresh_state(), token.as_bytes(), second));
    }

    #[test]
    fn a_change_anywhere_in_a_token_is_refused(position in 0_usize..10_000, change in 1_u8..=255) {
        let token = sign(
            &json!({"alg": "HS256"}),
            &json!({"exp": now() + 1000, "aud": AUDIENCE, "iss": ISSUER, "username": "alice"}).to_string(),
        );
        prop_assert_eq!(judge(token.as_bytes()), Ok("alice".to_owned()));
        let mut bytes = token.into_bytes();
        let position = position % bytes.len();
        bytes[position] ^= change;
        prop_assert!(judge(&bytes).is_err(), "{}", String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_cache_hit_never_changes_a_verdict(claims in claims()) {
        let token = sign(&json!({"alg": "HS256"}), &Value::Object(claims).to_string());
        let first = judge(token.as_bytes());
        prop_assert_eq!(judge(token.as_bytes()), first.clone());
        prop_assert_eq!(judge(token.as_bytes()), first);
    }

    #[test]
    fn no_parser_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Json::parse(&bytes);
        let _ = Header::parse(&bytes);
        let _ = Claims::parse(&bytes);
        let _ = Jwk::parse(&bytes);
        let _ = base64url::decode(&bytes);
        let _ = Compact::split(&bytes);
        let _ = judge(&bytes);
        let _ = jwtgate::jose::PublicKey::from_spki(&bytes);
        let _ = jwtgate::jose::PublicKey::from_pkcs1(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let _ = jwtgate::keys::pem::read(text, "x", Timestamp::now());
        }
    }

    #[test]
    fn no_parser_panics_on_json_of_any_shape(value in any_json(), name in "(alg|kid|typ|exp|aud|iss|kty|n|e|x|y|crv|k|use|key_ops)") {
        let text = json!({"alg": "HS256", "kty": "RSA", name: value}).to_string();
        let _ = Header::parse(text.as_bytes());
        let _ = Jwk::parse(text.as_bytes());
        let _ = judge(sign(&json!({"alg": "HS256"}), &text).as_bytes());
    }

    #[test]
    fn no_redirect_leaves_the_allow_list(
        value in prop_oneof![
            ".{0,40}",
            "(https?:)?[/\\\\]{0,3}[a-z.@:%0-9\\[\\]]{0,20}(app\\.example\\.com|\\.example\\.org|evil\\.example)[/?#@:.\\\\a-z%0-9]{0,20}",
        ],
        host in prop_oneof![
            Just("app.example.com".to_owned()),
            "[a-z.:@0-9%-]{0,20}(example\\.org|app\\.example\\.com|evil\\.example)[a-z.:0-9]{0,8}",
        ],
        is_https in any::<bool>(),
    ) {
        let original = Original {
            states_method: true,
            states_path: true,
            method: "GET",
            scheme: Some(if is_https { Scheme::Https } else { Scheme::Http }),
            host: Some(&host),
            path: "/",
            query: Some(&value),
        };
        let by_parameter = policy().of_parameter(&original, &value);
        let by_path = policy().of_request(&Original { path: &value, ..original });
        let by_query = policy().of_request(&original);
        for address in [by_parameter, by_path, by_query].into_iter().flatten() {
            prop_assert!(is_within(address.as_str()), "{value:?} at {host:?} leads to {address}");
            let location = policy().sign_in(&original, Some(&address), Way::default());
            if let Some(location) = location {
                let location = url::Url::parse(&location).expect("a URL");
                prop_assert_eq!(location.host_str(), Some("auth.example.com"));
                let returned: Vec<_> = location
                    .query_pairs()
                    .filter(|(name, _)| name == "retpath")
                    .map(|(_, value)| value.into_owned())
                    .collect();
                prop_assert_eq!(returned, vec![address.to_string()]);
            }
        }
    }
}
