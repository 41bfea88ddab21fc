//! Large requests of people who may well send them.

use super::Found;
use crate::doctor::client::Ask;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, Sight};

const COOKIE: usize = 32 * 1024;
const LINES: usize = 120;

pub(super) async fn probe(scene: &Scene) -> Found {
    let cookie = scene
        .get()
        .line("Cookie", format!("doctor={}", "x".repeat(COOKIE)));
    let cookie = scene.good(cookie).await;
    let lines = (0..LINES).fold(scene.get(), |ask, at| {
        ask.line(format!("X-Doctor-{at}"), "1")
    });
    let lines = scene.good(lines).await;
    let mut found = vec![
        (
            Id::SizeCookie,
            passes(&cookie).map_or_else(|| Verdict::Closed("passes".to_owned()), Verdict::Hole),
        ),
        (
            Id::SizeLines,
            passes(&lines).map_or_else(|| Verdict::Closed("pass".to_owned()), Verdict::Note),
        ),
    ];
    if scene.is_bench() {
        found.push((Id::CheckBody, body(scene).await));
    }
    found
}

/// What is wrong where a request does not pass.
fn passes(sight: &Sight) -> Option<String> {
    match sight.reach() {
        Reach::Yes => None,
        Reach::No | Reach::Unclear => Some(format!("does not pass: {}", sight.told())),
    }
}

async fn body(scene: &Scene) -> Verdict {
    let ask = Ask {
        method: "POST",
        body: "a=1",
        ..scene.get()
    };
    let sight = scene.good(ask).await;
    if sight.asked.is_empty() {
        return Verdict::Unknown("jwtgate was not asked".to_owned());
    }
    if sight.asked.iter().any(|asked| asked.seen.has_body) {
        Verdict::Note("a body is announced to jwtgate".to_owned())
    } else {
        Verdict::Closed("none is announced".to_owned())
    }
}
