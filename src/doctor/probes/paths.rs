//! Spellings of paths: the one that is judged is the one that is served.

use super::{Found, Tried, shut};
use crate::doctor::Plan;
use crate::doctor::client::Ask;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, View};
use crate::doctor::stage::contract::split;

pub(super) async fn probe(scene: &Scene, plan: &Plan) -> Found {
    if scene.is_bench() {
        return vec![(Id::PathJudged, judged(scene).await)];
    }
    let verdict = match &plan.denied {
        Some(path) => denied(scene, path).await,
        None => Verdict::Unknown(
            "--denied PATH names a path that the token may not open; its spellings are tried then"
                .to_owned(),
        ),
    };
    vec![(Id::PathDenied, verdict)]
}

/// What stands behind the page's own path.
const BEHIND: [&str; 14] = [
    "/../x",
    "/./x",
    "//x",
    "/%2e%2e/x",
    "/%2E%2e/x",
    "/%2fx",
    "/..%2fx",
    "/..;/x",
    ";a=1/x",
    "\\..\\x",
    "/%5c..%5cx",
    "/%61",
    "/%2561",
    "?x=1&y=%2F",
];

async fn judged(scene: &Scene) -> Verdict {
    if scene.view() != View::Own {
        return Verdict::Unknown("--app has doctor see what the application gets".to_owned());
    }
    let path = scene.target().split('?').next().unwrap_or_default();
    let path = path.trim_end_matches('/');
    let mut targets: Vec<_> = BEHIND.iter().map(|end| format!("{path}{end}")).collect();
    targets.push(format!("{}{path}/x", scene.origin()));
    let mut compared = 0_usize;
    for target in targets {
        let sight = scene.good(Ask::get(&target)).await;
        let Some(served) = sight.target().filter(|_| sight.reach() == Reach::Yes) else {
            continue;
        };
        let Some(asked) = sight.asked.last() else {
            return Verdict::Hole(format!(
                "`{target}` reaches the application, and jwtgate was not asked"
            ));
        };
        let Some(judged) = &asked.judged.target else {
            return Verdict::Hole("jwtgate is not told which path is meant".to_owned());
        };
        if without_origin(judged) != without_origin(served) {
            return Verdict::Hole(format!(
                "`{target}`: jwtgate judges `{judged}`, the application gets `{served}`"
            ));
        }
        compared += 1;
    }
    if compared == 0 {
        return Verdict::Unknown("none of them reaches the application".to_owned());
    }
    Verdict::Closed(format!("{compared} spellings reach both alike"))
}

/// HAProxy passes a whole URL in a request line on as it is.
fn without_origin(target: &str) -> String {
    match split(target) {
        Some((_, _, rest)) if !target.starts_with('/') => rest,
        _ => target.to_owned(),
    }
}

/// The spellings of a path that something on the way may read as that path.
fn spellings(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches('/');
    let mut letters = inner.chars();
    let first = letters.next().unwrap_or('x');
    let rest = letters.as_str();
    let code = u32::from(first);
    let mut all: Vec<String> = [
        "/x/../",
        "/./",
        "//",
        "///",
        "/x/%2e%2e/",
        "/x/%2E%2E/",
        "/x/.%2e/",
        "/x/..%2f",
        "/x/..%2F",
        "/x%2f../",
        "/x/..;/",
        "/;a=1/",
        "/x/..\\",
        "\\",
        "/x/..%5c",
        "/%2e/",
        "/x/..%252f",
        "/%2f",
    ]
    .iter()
    .map(|before| format!("{before}{inner}"))
    .collect();
    all.extend([
        format!("/%{code:02x}{rest}"),
        format!("/%25{code:02x}{rest}"),
        format!("/{inner};a=1"),
        format!("/{inner}?x=/public"),
        format!("/{inner}#x"),
        format!("/{inner}%00"),
        format!("/{inner}/."),
    ]);
    all
}

async fn denied(scene: &Scene, path: &str) -> Verdict {
    let control = scene.good(Ask::get(path)).await;
    match control.reach() {
        Reach::Yes => {
            return Verdict::Unknown(format!(
                "the token opens `{path}` itself: name one that it may not open"
            ));
        }
        Reach::Unclear => {
            return Verdict::Unknown(format!(
                "`{path}` itself gets {}, which does not show whether it is denied",
                control.told()
            ));
        }
        Reach::No => {}
    }
    let mut tries = Vec::new();
    let absolute = format!("{}{path}", scene.origin());
    for target in spellings(path).into_iter().chain([absolute]) {
        let sight = scene.good(Ask::get(&target)).await;
        tries.push(Tried {
            what: format!("`{target}`"),
            sight,
        });
    }
    match shut(&tries) {
        Verdict::Closed(_) => Verdict::Closed(format!("{} spellings are refused", tries.len())),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_a_path_all_lead_there_for_somebody() {
        let all = spellings("/admin");
        for one in [
            "/x/../admin",
            "//admin",
            "/%61dmin",
            "/%2561dmin",
            "/admin;a=1",
            "/x/..;/admin",
            "/x/..\\admin",
        ] {
            assert!(all.contains(&one.to_owned()), "{one}: {all:?}");
        }
        assert!(!all.contains(&"/admin".to_owned()));
        assert_eq!(without_origin("http://h/a?b"), "/a?b");
        assert_eq!(without_origin("/a?u=http://h/x"), "/a?u=http://h/x");
    }
}
