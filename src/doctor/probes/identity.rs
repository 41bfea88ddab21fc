//! Identity headers: the real ones arrive, and no others.

use super::names::Lines;
use super::{Found, SHOW, claims, forged, names, some};
use crate::doctor::Plan;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, Sight, View};
use crate::doctor::wire::values;

pub(super) async fn probe(scene: &Scene, plan: &Plan) -> Found {
    let own = names::identity(plan);
    let same = tried(scene, &names::plain(&own)).await;
    let underscored = tried(scene, &names::underscored(&own)).await;
    let separated = tried(scene, &names::separated(&own)).await;
    let others = tried(scene, &names::others(&own)).await;
    let others_underscored = tried(scene, &names::others_spelled(&own, '_')).await;
    let others_separated = tried(scene, &names::others_spelled(&own, '.')).await;
    let others = match (others, others_underscored, others_separated) {
        (open @ Verdict::Hole(_), _, _) => open,
        (_, Verdict::Hole(how), _) => Verdict::Spelled(Id::IdentityUnderscore, how),
        (_, _, Verdict::Hole(how)) => Verdict::Spelled(Id::IdentitySeparator, how),
        (first, _, _) => first,
    };
    vec![
        (Id::IdentityArrives, arrives(scene, plan)),
        (Id::IdentityPlain, same),
        (Id::IdentityUnderscore, underscored),
        (Id::IdentitySeparator, separated),
        (Id::IdentityOtherGates, others),
        (Id::IdentityConnection, connection(scene, &own).await),
        (Id::IdentityLeak, leak(scene, &own).await),
    ]
}

/// All of them at once, and group by group where that is refused: one name that is refused must not hide another that passes.
async fn tried(scene: &Scene, groups: &[Lines]) -> Verdict {
    let all = groups.concat();
    let sight = scene.good(scene.get().lines(&all)).await;
    let verdict = arrived(scene, &sight, &all);
    if sight.reach() == Reach::Yes || groups.len() < 2 {
        return verdict;
    }
    for group in groups {
        let sight = scene.good(scene.get().lines(group)).await;
        let verdict = arrived(scene, &sight, group);
        if !matches!(verdict, Verdict::Closed(_)) {
            return verdict;
        }
    }
    Verdict::Closed("none of them reaches the application; all at once are refused".to_owned())
}

fn arrived(scene: &Scene, sight: &Sight, sent: &Lines) -> Verdict {
    let verdict = forged(sight, sent);
    let is_replaced = sight.reach() == Reach::Yes && !sight.has_exactly(scene.real());
    if is_replaced && matches!(verdict, Verdict::Closed(_)) {
        return Verdict::Hole(
            "beside a forged one, the real one does not arrive as it is".to_owned(),
        );
    }
    verdict
}

fn arrives(scene: &Scene, plan: &Plan) -> Verdict {
    if scene.view() == View::Blind {
        return Verdict::Unknown(format!("the page does not show its headers; {SHOW}"));
    }
    if scene.control_lines().is_empty() {
        return Verdict::Unknown(
            "the page shows its headers in a form that is not known here".to_owned(),
        );
    }
    if let Some(secrets) = scene.secrets() {
        let missing: Vec<_> = secrets
            .identity
            .iter()
            .filter(|line| !scene.real().contains(line))
            .map(|(name, _)| name.as_str())
            .collect();
        return if missing.is_empty() {
            Verdict::Closed("they arrive as jwtgate gives them".to_owned())
        } else {
            Verdict::Hole(format!("does not arrive: {}", some(&missing)))
        };
    }
    let found: Vec<_> = scene.real().iter().map(|(name, _)| name.as_str()).collect();
    let must = plan.must_arrive.iter().map(String::as_str);
    let missing: Vec<_> = must.filter(|name| !found.contains(name)).collect();
    match (missing.is_empty(), plan.knows_identity) {
        (true, _) => Verdict::Closed(format!("arrives: {}", some(&found))),
        (false, true) => Verdict::Hole(format!("does not arrive: {}", some(&missing))),
        (false, false) => Verdict::Unknown(format!(
            "{} does not arrive; --config or --identity tells which ones you use",
            some(&missing)
        )),
    }
}

/// A proxy removes what this header names (RFC 9110 §7.6.1), and must do so before it adds its own.
async fn connection(scene: &Scene, own: &[String]) -> Verdict {
    if scene.real().is_empty() {
        return Verdict::Unknown("no identity header is seen that could be taken away".to_owned());
    }
    let all = own.join(", ");
    let mut closed = String::new();
    for named in [all.clone(), format!("close, {}", all.to_ascii_lowercase())] {
        let sight = scene.good(scene.get().line("Connection", named)).await;
        if sight.reach() != Reach::Yes {
            closed = format!("the request is refused ({})", sight.told());
            continue;
        }
        if !sight.has_exactly(scene.real()) {
            return Verdict::Hole("the real one does not arrive".to_owned());
        }
        let lines = sight.lines();
        let is_named = values(&lines, "connection").any(|value| {
            let value = value.to_ascii_lowercase();
            own.iter()
                .any(|name| value.contains(&name.to_ascii_lowercase()))
        });
        if is_named {
            return Verdict::Hole(
                "the proxy hands it on, and the next one removes the real one".to_owned(),
            );
        }
        "the real ones arrive all the same".clone_into(&mut closed);
    }
    match claims::taken_away(scene).await {
        Some(hole) => hole,
        None => Verdict::Closed(closed),
    }
}

async fn leak(scene: &Scene, own: &[String]) -> Verdict {
    let passed = scene.good(scene.get()).await;
    let refused = scene.ask(scene.get()).await;
    let told = |sight: &Sight, name: &str| sight.values(name).any(|value| !value.is_empty());
    let leaked: Vec<_> = own
        .iter()
        .filter(|name| told(&passed, name) || told(&refused, name))
        .map(String::as_str)
        .collect();
    if leaked.is_empty() {
        Verdict::Closed("clients get none of them".to_owned())
    } else {
        Verdict::Hole(format!("clients get {}", some(&leaked)))
    }
}
