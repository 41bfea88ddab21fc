//! What a decision costs, layer by layer: the raw signature check, the verifier on a token it has not seen, the cache's hit, and the
//! refusal of garbage. Run it with `cargo bench --bench verify`; ratios within one run are what to trust, not times across machines.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use jwtgate::app;
use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, IssuerTable, Secret, TokenSource};
use jwtgate::gate::{self, Credential, State, cache, verify};
use jwtgate::jose::signing_key::{PrivateKey, SigningKey};
use jwtgate::jose::{Algorithm, Compact, Family, HmacSecret, base64url, jwk};
use jwtgate::request::{GivenLines, Original, RawToken, RequestView};
use serde_json::{Value, json};

const AUDIENCE: &str = "https://app.example.com/";
const ISSUER: &str = "https://idp.example.com/realms/main";

struct Subject {
    state: State,
    token: String,
    now: Timestamp,
}

/// A gate with one fresh key, and a token of usual size: 20 groups, about 1 KB of claims.
fn subject(algorithm: Algorithm) -> Subject {
    let (signing, set) = if algorithm.family() == Family::Hmac {
        let secret = HmacSecret::new((0_u8..64).collect()).expect("not empty");
        let set = jwk::secret_to_json(&secret, "bench", algorithm);
        (SigningKey::from_secret(&secret, Some(algorithm)), set)
    } else {
        let private = PrivateKey::generate(algorithm.family(), 2048).expect("a key");
        let set = jwk::to_json(private.public(), "bench", algorithm);
        (SigningKey::from_private(&private, Some(algorithm)), set)
    };
    let now = Timestamp::now();
    let groups: Vec<_> = (0..20)
        .map(|index| format!("department-{index:02}-of-the-company"))
        .collect();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "00u1a2b3c4d5e6f7g8h9", "username": "alice",
        "email": "alice@example.com", "iat": now.seconds(), "exp": now.seconds() + 3600, "groups": groups,
    });
    let config = Config {
        jwks: Some(Secret::from(json!({ "keys": [set] }).to_string().as_str())),
        expected_audience: AUDIENCE.into(),
        expected_issuer: ISSUER.into(),
        ..Config::default()
    };
    let (state, _, faults) = app::compile_gate(&config, now);
    let signing = signing.expect("a fitting algorithm");
    Subject {
        state: state.unwrap_or_else(|| unreachable!("{faults:?}")),
        token: signing
            .sign(Some("bench"), "JWT", &claims)
            .expect("a signature"),
        now,
    }
}

fn algorithms(criterion: &mut Criterion) {
    for algorithm in Algorithm::all() {
        let subject = subject(algorithm);
        let token = RawToken::new(subject.token.as_bytes());
        let parts = Compact::split(token.bytes()).expect("a token");
        let signature = base64url::decode(parts.signature).expect("base64url");
        let issuer = subject.state.issuers.all().first().expect("an issuer");
        let key = issuer.keys.keys().first().expect("a key");
        let mut group = criterion.benchmark_group(algorithm.name());
        group.throughput(Throughput::Elements(1));
        group.bench_function("raw signature check", |bencher| {
            bencher.iter(|| key.verifies(algorithm, black_box(parts.signing_input), &signature));
        });
        group.bench_function("miss: the whole verifier", |bencher| {
            bencher.iter(|| verify::verify(&subject.state, black_box(token), subject.now).is_ok());
        });
        group.finish();
    }
}

fn cached(criterion: &mut Criterion) {
    let subject = subject(Algorithm::from_name("RS256").expect("in the table"));
    let credential = Credential::new(RawToken::new(subject.token.as_bytes()), TokenSource::Header);
    let mut group = criterion.benchmark_group("cache");
    group.throughput(Throughput::Elements(1));
    group.bench_function("digest of the token", |bencher| {
        bencher.iter(|| cache::digest(black_box(credential.token())));
    });
    group.bench_function("hit", |bencher| {
        bencher.iter(|| gate::admit(&subject.state, black_box(credential), subject.now).is_ok());
    });
    group.finish();
}

fn garbage(criterion: &mut Criterion) {
    let subject = subject(Algorithm::from_name("RS256").expect("in the table"));
    let good = &subject.token;
    let (message, signature) = good.rsplit_once('.').expect("a token");
    let flipped = format!("{message}.{}", signature.chars().rev().collect::<String>());
    let cases = [
        ("not a token", "x".repeat(1000)),
        ("20,000 dots", ".".repeat(16_000)),
        ("alg none", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
        (
            "deep JSON header",
            format!("{}.e30.AA", base64url::encode("[".repeat(8000).as_bytes())),
        ),
        ("wrong signature", flipped),
    ];
    let mut group = criterion.benchmark_group("refusal");
    for (name, token) in &cases {
        let credential = Credential::new(RawToken::new(token.as_bytes()), TokenSource::Header);
        group.bench_function(*name, |bencher| {
            bencher
                .iter(|| gate::admit(&subject.state, black_box(credential), subject.now).is_err());
        });
    }
    group.finish();
}

/// What a verification costs with many keys in a set, and with many issuers. HS256, since it hides least. Always 100 tokens in turn, so
/// that only the number of keys or issuers differs.
fn growth(criterion: &mut Criterion) {
    let now = Timestamp::now();
    let mut group = criterion.benchmark_group("growth");
    for count in [1, 100, 1000] {
        let kid = |number: usize| format!("key-{number:04}");
        let algorithm = Algorithm::from_name("HS256").expect("in the table");
        let keys: Vec<_> = (0..count)
            .map(|number| jwk::secret_to_json(&secret(number), &kid(number), algorithm))
            .collect();
        let config = Config {
            jwks: Some(Secret::from(json!({ "keys": keys }).to_string().as_str())),
            expected_audience: AUDIENCE.into(),
            ..Config::default()
        };
        let (state, _, _) = app::compile_gate(&config, now);
        let state = state.expect("a sound configuration");
        let tokens = turns(count, |number| {
            signed(number, Some(&kid(number)), ISSUER, now)
        });
        group.bench_function(format!("{count} keys in the set"), |bencher| {
            in_turn(bencher, &state, &tokens, now);
        });
    }
    for count in [1, 100] {
        let iss = |number: usize| format!("https://issuer-{number}.example.com");
        let issuers = (0..count).map(|number| {
            let text = String::from_utf8_lossy(secret(number).expose()).into_owned();
            let table = IssuerTable {
                issuer: Some(iss(number).as_str().into()),
                secret: Some(Secret::from(text.as_str())),
                ..IssuerTable::default()
            };
            (format!("issuer-{number}"), table)
        });
        let config = Config {
            issuers: issuers.collect(),
            expected_audience: AUDIENCE.into(),
            ..Config::default()
        };
        let (state, _, _) = app::compile_gate(&config, now);
        let state = state.expect("a sound configuration");
        let tokens = turns(count, |number| signed(number, None, &iss(number), now));
        group.bench_function(format!("{count} issuers"), |bencher| {
            in_turn(bencher, &state, &tokens, now);
        });
    }
    group.finish();
}

/// What rules cost a request whose token is known: the last rule of all decides, so every one before it is looked at.
fn rules(criterion: &mut Criterion) {
    let now = Timestamp::now();
    let mut group = criterion.benchmark_group("rules");
    for count in [0, 10, 100, 1000] {
        let prefixes = |number: usize| json!({ "path_prefix": format!("/area-{number}/admin") });
        decisions(
            &mut group,
            &format!("{count} rules with prefixes"),
            &numbered(count, prefixes),
            now,
        );
    }
    for count in [10, 100, 1000] {
        let mixed = |number: usize| match number % 4 {
            0 => {
                json!({ "path_prefix": format!("/area-{number}/admin"), "host": "app.example.com" })
            }
            1 => json!({ "path_glob": format!("/area-{number}/*/settings/**") }),
            2 => json!({ "path": format!("/area-{number}/health"), "method": ["GET", "HEAD"] }),
            _ => json!({ "path_regex": format!("/area-{number}/v[0-9]+/.*") }),
        };
        decisions(
            &mut group,
            &format!("{count} rules of all kinds"),
            &numbered(count, mixed),
            now,
        );
    }
    let mut signing = Config::default();
    signing.signed_identity.header = Some("X-Auth-Identity".to_owned());
    signing.signed_identity.issuer = Some("https://gate.example.com".to_owned());
    decision(&mut group, "no rule, a signed identity", signing, now);
    if cfg!(feature = "cel") {
        let rules = json!([
            { "action": "require", "when": "claims.department == 'finance' && request.method == 'POST'" },
            { "action": "require" },
        ]);
        decisions(&mut group, "an expression that does not hold", &rules, now);
    }
    group.finish();
}

/// So many rules that do not fit, and one that does.
fn numbered(count: usize, keys: impl Fn(usize) -> Value) -> Value {
    let rules = (0..count).map(|number| {
        let mut rule = if number + 1 == count {
            json!({})
        } else {
            keys(number)
        };
        let wanted = json!({ "groups": ["staff", format!("team-{}", number % 10)] });
        if let Some(rule) = rule.as_object_mut() {
            rule.insert("action".to_owned(), "require".into());
            rule.insert("require".to_owned(), wanted);
        }
        rule
    });
    rules.collect()
}

fn decisions(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, rules: &Value, now: Timestamp) {
    let config = Config {
        rules: serde_json::from_value(rules.clone()).expect("rules"),
        ..Config::default()
    };
    decision(group, name, config, now);
}

fn decision(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, config: Config, now: Timestamp) {
    let config = Config {
        secret: Some(Secret::from("0123456789abcdef0123456789abcdef")),
        expected_audience: AUDIENCE.into(),
        ..config
    };
    let (state, _, _) = app::compile_gate(&config, now);
    let state = state.expect("a sound configuration");
    let secret = HmacSecret::new(b"0123456789abcdef0123456789abcdef".to_vec()).expect("a secret");
    let key = SigningKey::from_secret(&secret, None).expect("HS256");
    let claims = json!({
        "aud": AUDIENCE, "username": "alice", "email": "alice@example.com", "department": "finance",
        "groups": ["staff", "team-9"], "exp": now.seconds() + 3600,
    });
    let token = key.sign(None, "JWT", &claims).expect("a token");
    let headers = GivenLines(vec![(
        "authorization".to_owned(),
        format!("Bearer {token}"),
    )]);
    let request = RequestView {
        headers: &headers,
        original: Original {
            method: "GET",
            scheme: None,
            host: Some("app.example.com"),
            path: "/projects/alpha/issues/4711",
            query: None,
            states_method: true,
            states_path: true,
        },
        source: None,
    };
    assert!(
        gate::decide(&state, &request, now).outcome.is_ok(),
        "{name}"
    );
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            gate::decide(&state, black_box(&request), now)
                .outcome
                .is_ok()
        });
    });
}

fn secret(number: usize) -> HmacSecret {
    let bytes = format!("{number:04}-secret-of-a-benchmark-that-is-long-enough");
    HmacSecret::new(bytes.into_bytes()).expect("not empty")
}

fn signed(number: usize, kid: Option<&str>, iss: &str, now: Timestamp) -> String {
    let claims = json!({
        "iss": iss, "aud": AUDIENCE, "sub": "00u1a2b3c4d5e6f7g8h9", "username": "alice",
        "exp": now.seconds() + 3600,
    });
    let algorithm = Algorithm::from_name("HS256");
    let key = SigningKey::from_secret(&secret(number), algorithm).expect("HS256");
    key.sign(kid, "JWT", &claims).expect("a signature")
}

/// A hundred tokens, spread over as many numbers as there are.
fn turns(count: usize, token: impl Fn(usize) -> String) -> Vec<String> {
    (0..100).map(|turn| token(turn * 7919 % count)).collect()
}

/// Verifies one token after the other, without the cache.
fn in_turn(bencher: &mut Bencher<'_>, state: &State, tokens: &[String], now: Timestamp) {
    let mut turn = tokens.iter().cycle();
    bencher.iter(|| {
        let token = turn.next().map(|token| RawToken::new(token.as_bytes()));
        let token = black_box(token.expect("a cycle never ends"));
        assert!(verify::verify(state, token, now).is_ok());
    });
}

criterion_group!(benches, algorithms, cached, garbage, growth, rules);
criterion_main!(benches);
