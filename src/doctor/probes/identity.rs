//! Identity headers: the real ones arrive, and no others.

use super::{Found, SHOW, forged, names, some};
use crate::doctor::client::Ask;
use crate::doctor::finding::{Id, Verdict};
use crate::doctor::scene::Scene;
use crate::doctor::sight::{Reach, Sight, View};
use crate::doctor::wire::values;
use crate::doctor::{Plan, USUAL_NAMES};

type Lines = Vec<(String, String)>;

pub(super) async fn probe(scene: &Scene, plan: &Plan) -> Found {
    let own = names::identity(plan);
    let same = tried(scene, names::plain(&own)).await;
    let underscored = tried(scene, names::underscored(&own)).await;
    let separated = tried(scene, names::separated(&own)).await;
    let others = tried(scene, names::others(&own)).await;
    let spelled = tried(scene, names::others_spelled(&own)).await;
    let others = match (others, spelled) {
        (open @ Verdict::Hole(_), _) => open,
        (_, Verdict::Hole(how)) if how.contains('_') => {
            Verdict::Spelled(Id::IdentityUnderscore, how)
        }
        (_, Verdict::Hole(how)) => Verdict::Spelled(Id::IdentitySeparator, how),
        (first, _) => first,
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

async fn tried(scene: &Scene, sent: Lines) -> Verdict {
    let ask = with(scene.get(), &sent);
    let sight = scene.good(ask).await;
    let verdict = forged(&sight, &sent);
    let is_replaced = sight.reach() == Reach::Yes && !sight.has_exactly(scene.real());
    if is_replaced && matches!(verdict, Verdict::Closed(_)) {
        return Verdict::Hole(
            "beside a forged one, the real one does not arrive as it is".to_owned(),
        );
    }
    verdict
}

fn with(ask: Ask, lines: &[(String, String)]) -> Ask {
    let lines = lines.iter();
    lines.fold(ask, |ask, (name, value)| ask.line(name, value))
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
    match (found.is_empty(), plan.knows_identity) {
        (false, _) => Verdict::Closed(format!("arrives: {}", some(&found))),
        (true, true) => {
            Verdict::Hole("none of those that the configuration names arrives".to_owned())
        }
        (true, false) => Verdict::Unknown(format!(
            "none of {USUAL_NAMES} arrives; --config or --identity tells which ones you use"
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
    Verdict::Closed(closed)
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
