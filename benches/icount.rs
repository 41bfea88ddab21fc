//! Instructions for a decision, counted by callgrind: the same on a busy machine as on a quiet one.
//!
//! ```sh
//! cargo bench --profile release --bench icount                     # against benches/icount.txt
//! JWTGATE_REFRESH=1 cargo bench --profile release --bench icount   # writes it anew
//! ```
//!
//! Each case runs twice under valgrind, the second time with more rounds: the difference, for one round, is the figure. All tokens are
//! HS256, whose cryptography is small, so that what is counted is ours. A figure that grows by more than 3 % fails, on the kind of
//! machine that the file names; elsewhere the figures are shown and not judged.

#![expect(clippy::expect_used, reason = "a benchmark fails by panicking")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};

use jwtgate::app;
use jwtgate::clock::Timestamp;
use jwtgate::config::{Config, Secret, TokenSource};
use jwtgate::gate::{self, Credential, State, verify};
use jwtgate::jose::HmacSecret;
use jwtgate::jose::signing_key::SigningKey;
use jwtgate::request::{GivenLines, Original, RawToken, RequestView, Scheme};
use serde_json::json;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_800_000_000;
const BUDGETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/icount.txt");
/// The line of that file which says for what kind of machine it was written.
const MACHINE: &str = "machine:";
const ROUNDS: [u64; 2] = [200, 1200];
/// How much a figure may grow.
const TOLERANCE: f64 = 1.03;

const CASES: [&str; 5] = ["hit", "hit-rules", "miss", "forged", "garbage"];

struct Subject {
    state: State,
    good: String,
    forged: String,
}

/// A gate, and a token with 20 groups, about 1 KB of claims.
fn subject(rules: usize) -> Subject {
    let rules: Vec<_> = (0..rules)
        .map(|index| json!({"action": "require", "path_prefix": format!("/area-{index}"), "require": {"groups": ["group-19"]}}))
        .chain([json!({"action": "require", "path_prefix": "/"})])
        .collect();
    let config = Config {
        secret: Some(Secret::from(SECRET)),
        expected_audience: "https://app.example.com/".into(),
        rules: serde_json::from_value(json!(rules)).expect("rules"),
        ..Config::default()
    };
    let now = Timestamp::from_seconds(NOW);
    let (state, _, faults) = app::compile_gate(&config, now);
    let secret = HmacSecret::new(SECRET.as_bytes().to_vec()).expect("not empty");
    let key = SigningKey::from_secret(&secret, None).expect("HS256");
    let groups: Vec<_> = (0..20).map(|index| format!("group-{index:02}")).collect();
    let claims = json!({
        "aud": "https://app.example.com/", "sub": "00u1a2b3c4d5e6f7g8h9", "username": "alice", "email": "alice@example.com",
        "iat": NOW, "exp": NOW + 3600, "groups": groups, "name": "Alice Example", "sid": "5f2c7a9e1b3d4f6081a2c3e4f5061728",
    });
    let good = key.sign(None, "JWT", &claims).expect("a signature");
    let other = HmacSecret::new(vec![1; 32]).expect("not empty");
    let other = SigningKey::from_secret(&other, None).expect("HS256");
    Subject {
        state: state.unwrap_or_else(|| unreachable!("{faults:?}")),
        forged: other.sign(None, "JWT", &claims).expect("a signature"),
        good,
    }
}

/// Runs a case, with its setup. Both passes of a case differ in rounds alone.
fn run(case: &str, rounds: u64) {
    let subject = subject(if case == "hit-rules" { 10 } else { 0 });
    let now = Timestamp::from_seconds(NOW);
    let raw = |text: &'static str| RawToken::new(text.as_bytes());
    let good: &'static str = subject.good.leak();
    let forged: &'static str = subject.forged.leak();
    let lines = GivenLines(vec![("authorization".to_owned(), format!("Bearer {good}"))]);
    let request = RequestView {
        headers: &lines,
        original: Original {
            method: "GET",
            scheme: Some(Scheme::Https),
            host: Some("app.example.com"),
            path: "/area-9/page",
            query: Some("id=1"),
            states_method: true,
            states_path: true,
        },
        source: None,
    };
    let state = &subject.state;
    let decide = || {
        gate::decide(state, black_box(&request), now)
            .outcome
            .is_ok()
    };
    let admit = |token| {
        let credential = Credential::new(raw(token), TokenSource::Header);
        gate::admit(state, black_box(credential), now).is_ok()
    };
    let verify = |token| verify::verify(state, black_box(raw(token)), now).is_ok();
    for _ in 0..rounds + 3 {
        let is_as_expected = match case {
            "hit" | "hit-rules" => decide(),
            "miss" => verify(good),
            "forged" => !admit(forged),
            "garbage" => !admit("not a token"),
            other => unreachable!("{other}"),
        };
        assert!(is_as_expected, "{case}");
    }
}

/// What decides how many instructions the same code takes: which of its variants cryptography and libc choose, and what counts.
fn machine() -> String {
    let valgrind = Command::new("valgrind").arg("--version").output();
    let valgrind = valgrind.expect("valgrind is installed: tests/run.sh --install-only");
    let version = String::from_utf8_lossy(&valgrind.stdout).trim().to_owned();
    #[cfg(target_arch = "x86_64")]
    let has_avx2 = std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let has_avx2 = false;
    let vectors = if has_avx2 { "avx2" } else { "no avx2" };
    format!("{version}, {}, {vectors}", std::env::consts::ARCH)
}

/// The instructions of a whole process.
fn counted(case: &str, rounds: u64) -> u64 {
    let own = std::env::current_exe().expect("a program");
    let ran = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(own)
        .args(["--case", case, &rounds.to_string()])
        .output()
        .expect("valgrind is installed: tests/run.sh --install-only");
    let text = String::from_utf8_lossy(&ran.stderr).into_owned();
    let count = text.lines().find_map(|line| {
        let (_, count) = line.split_once("Collected : ")?;
        count.trim().parse().ok()
    });
    count.unwrap_or_else(|| unreachable!("no count: {text}"))
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--case") {
        let case = arguments.get(place + 1).expect("a case");
        let rounds = arguments.get(place + 2).and_then(|text| text.parse().ok());
        run(case, rounds.expect("a number"));
        return ExitCode::SUCCESS;
    }
    let budgets = std::fs::read_to_string(BUDGETS).unwrap_or_default();
    let budget = |case: &str| {
        let mut lines = budgets.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(name, _)| *name == case)
            .and_then(|(_, count)| count.trim().parse::<u64>().ok())
    };
    let mut page = String::from(
        "# Instructions for a decision. Written by: JWTGATE_REFRESH=1 cargo bench --profile release --bench icount\n",
    );
    let own = machine();
    writeln!(page, "{MACHINE} {own}").expect("memory");
    let is_judged = budgets
        .lines()
        .any(|line| line == format!("{MACHINE} {own}"));
    let mut is_over = false;
    let [few, many] = ROUNDS;
    for case in CASES {
        let count = (counted(case, many) - counted(case, few)) / (many - few);
        let (verdict, told) = match budget(case) {
            None => (false, "no budget yet".to_owned()),
            Some(budget) => {
                let ratio = count as f64 / budget as f64;
                let text = format!("{:+.1} % of {budget}", (ratio - 1.0) * 100.0);
                (ratio > TOLERANCE && is_judged, text)
            }
        };
        is_over |= verdict;
        write_line(&format!(
            "{case:<10} {count:>8}  {told}{}",
            if verdict { "  TOO MANY" } else { "" }
        ));
        writeln!(page, "{case} {count}").expect("memory");
    }
    if std::env::var_os("JWTGATE_REFRESH").is_some() {
        std::fs::write(Path::new(BUDGETS), page).expect("the folder is writable");
        return ExitCode::SUCCESS;
    }
    if !is_judged {
        write_line(&format!(
            "NOT JUDGED: the budgets are those of another kind of machine than this ({own})"
        ));
    }
    if is_over {
        write_line(
            "A decision has become dearer by more than 3 %. If that is meant: JWTGATE_REFRESH=1, and say why in the commit.",
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn write_line(line: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes());
}
