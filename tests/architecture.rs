//! The rooms of `src/` and the one way between them, held against what the source says.
//!
//! A room may name the rooms listed for it and no other; a new room, or a new arrow, is a decision, and this is where it is written down.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Leaves that anyone may name.
const LEAVES: [&str; 3] = ["clock", "reason", "request"];

/// Which rooms a room may name, beside the leaves.
const ARROWS: [(&str, &[&str]); 17] = [
    ("main", &["cli"]),
    ("lib", &[]),
    (
        "cli",
        &[
            "app",
            "doctor",
            "server",
            "gate",
            "policy",
            "keys",
            "jose",
            "config",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "server",
            "login",
            "gate",
            "policy",
            "keys",
            "jose",
            "config",
            "telemetry",
        ],
    ),
    (
        "server",
        &[
            "login",
            "gate",
            "policy",
            "keys",
            "jose",
            "config",
            "telemetry",
        ],
    ),
    // From outside, as a client does: it shares nothing with what it looks at.
    ("doctor", &[]),
    ("login", &["config"]),
    ("gate", &["policy", "keys", "jose", "config"]),
    ("policy", &["jose", "config"]),
    ("keys", &["idp", "jose", "config"]),
    ("idp", &[]),
    ("jose", &[]),
    ("config", &[]),
    ("telemetry", &["config"]),
    ("clock", &[]),
    ("reason", &[]),
    ("request", &[]),
];

/// Frameworks, and the rooms that may know them. `gate` and `jose` must stay plain functions: no async, no I/O.
const FRAMEWORKS: [(&str, &[&str]); 14] = [
    ("actix_web", &["server", "app"]),
    ("tracing_actix_web", &["server", "app"]),
    ("tokio", &["server", "app", "keys", "idp", "doctor"]),
    // The one HTTP client, and what it speaks.
    ("reqwest", &["idp"]),
    ("rustls", &["main", "server", "doctor"]),
    ("tonic", &["server"]),
    ("spop", &["server"]),
    ("hyper", &["server"]),
    ("hyper_util", &["server"]),
    ("envoy_types", &["server"]),
    ("notify", &["app"]),
    ("clap", &["cli"]),
    ("cel", &["policy"]),
    ("prometheus_client", &["telemetry"]),
];

struct Source {
    path: PathBuf,
    room: String,
    /// The code, without comments and without the tests at its foot.
    code: String,
}

fn sources() -> Vec<Source> {
    let source_folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    let mut folders = vec![source_folder.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                // `tests.rs` may have a folder beside it.
                if !path.ends_with("tests") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs")
                // `#[cfg(test)] mod tests;`
                && !path.ends_with("tests.rs")
            {
                let inner = path.strip_prefix(&source_folder).expect("below src/");
                let first = inner.components().next().expect("a name");
                let room = Path::new(first.as_os_str()).with_extension("");
                let text = fs::read_to_string(&path).expect("a readable file");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let is_code = |line: &&str| !line.trim_start().starts_with("//");
                sources.push(Source {
                    room: room.display().to_string(),
                    code: code.lines().filter(is_code).collect::<Vec<_>>().join("\n"),
                    path,
                });
            }
        }
    }
    assert!(
        sources.len() > 50,
        "only {} files were found",
        sources.len()
    );
    sources
}

/// The identifiers that stand behind `prefix` in some code.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    code.split(prefix)
        .skip(1)
        .map(|rest| {
            rest.chars()
                .take_while(|character| character.is_alphanumeric() || *character == '_')
                .collect()
        })
        .collect()
}

/// Whether some code names a crate: as a path, not as a part of a longer name.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code.get(..at).and_then(|text| text.chars().next_back());
        let after = code.get(at + name.len()..).unwrap_or_default();
        let is_whole = !before.is_some_and(|one| one.is_alphanumeric() || one == '_' || one == ':');
        is_whole && after.starts_with("::")
    })
}

#[test]
fn rooms_are_named_one_way_only() {
    let mut breaches = Vec::new();
    for source in sources() {
        let (_, allowed) = ARROWS
            .iter()
            .find(|(room, _)| *room == source.room)
            .unwrap_or_else(|| panic!("the room `{}` is not in the table", source.room));
        let mut named = named_after(&source.code, "crate::");
        if source.room == "main" {
            named = named_after(&source.code, "jwtgate::");
        }
        for other in named {
            let is_room = ARROWS.iter().any(|(room, _)| *room == other);
            let is_allowed = other == source.room
                || LEAVES.contains(&other.as_str())
                || allowed.contains(&other.as_str());
            if is_room && !is_allowed {
                breaches.push(format!("{} names `{other}`", source.path.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn frameworks_stay_in_their_rooms() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (framework, rooms) in FRAMEWORKS {
            if names_crate(&source.code, framework) && !rooms.contains(&source.room.as_str()) {
                breaches.push(format!("{} names `{framework}`", source.path.display()));
            }
        }
        for never in ["ring", "openssl", "native_tls"] {
            if names_crate(&source.code, never) {
                breaches.push(format!("{} names `{never}`", source.path.display()));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn status_codes_stand_in_one_file_of_the_main_listener() {
    // What others answer to our own requests is another matter.
    for source in sources().into_iter().filter(|source| source.room != "idp") {
        let is_allowed = source.path.ends_with("server/respond.rs")
            || source.path.ends_with("server/admin.rs")
            || source.path.ends_with("server/page.rs");
        let builds = [
            "HttpResponse::Ok",
            "HttpResponse::build",
            "HttpResponse::new",
            "StatusCode::OK",
        ];
        let found = builds.iter().find(|build| source.code.contains(*build));
        assert!(
            is_allowed || found.is_none(),
            "{}: {found:?}",
            source.path.display()
        );
    }
}

/// The one file that calls functions for instructions which not every processor has, and how often it does.
const UNSAFE: (&str, usize) = ("jose/rsa_ifma/enter.rs", 2);

#[test]
fn there_is_no_unsafe_code_but_in_one_place_and_no_silenced_lint() {
    for source in sources() {
        let allowed = if source.path.ends_with(UNSAFE.0) {
            UNSAFE.1
        } else {
            0
        };
        for (word, allowed) in [("unsafe ", allowed), ("#[allow(", 0), ("#![allow(", 0)] {
            assert_eq!(
                source.code.matches(word).count(),
                allowed,
                "`{word}` in {}",
                source.path.display()
            );
        }
    }
}

#[test]
fn the_gate_and_jose_cannot_panic_by_name() {
    for source in sources() {
        if source.room != "gate" && source.room != "jose" {
            continue;
        }
        for word in [
            ".unwrap()",
            ".expect(",
            "panic!(",
            "unreachable!(",
            "todo!(",
        ] {
            assert!(
                !source.code.contains(word),
                "{} holds `{word}`",
                source.path.display()
            );
        }
    }
}

#[test]
fn main_is_short_and_no_file_is_long() {
    for source in sources() {
        let lines = source.code.lines().count();
        let limit = if source.room == "main" { 60 } else { 450 };
        assert!(
            lines <= limit,
            "{} has {lines} lines of code: split it by noun",
            source.path.display()
        );
    }
}
