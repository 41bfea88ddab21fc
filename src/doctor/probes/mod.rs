//! What is tried. One file for each subject; each gives a verdict for every point of its own.

mod access;
mod claims;
mod failures;
mod identity;
mod names;
mod paths;
mod refusal;
mod sizes;

use super::client::NoAnswer;
use super::finding::{Finding, Id, Verdict, Where};
use super::scene::Scene;
use super::sight::{Reach, Sight};
use super::{Plan, Trouble};

/// Verdicts as they come.
type Found = Vec<(Id, Verdict)>;

/// Tries everything, and gives each point its verdict.
pub(super) async fn all(scene: &mut Scene, plan: &Plan) -> Result<Vec<Finding>, Trouble> {
    let mut found = access::probe(scene, plan).await;
    found.extend(refusal::probe(scene, plan).await);
    let with_token = identity::probe(scene, plan).await;
    found.extend(while_it_opens(scene, with_token).await);
    let with_token = claims::probe(scene, plan).await;
    found.extend(while_it_opens(scene, with_token).await);
    let with_token = paths::probe(scene, plan).await;
    found.extend(while_it_opens(scene, with_token).await);
    found.extend(sizes::probe(scene).await);
    found.extend(failures::probe(scene, plan).await?);
    let is_bench = scene.is_bench();
    Ok(Id::ALL
        .into_iter()
        .filter_map(|id| {
            let own = found.iter().find(|(own, _)| *own == id);
            let verdict = match own {
                Some((_, verdict)) => verdict.clone(),
                None if is_bench && id.row().place == Where::Live => return None,
                None => {
                    Verdict::Unknown("only on the bench: --gate has doctor play jwtgate".to_owned())
                }
            };
            Some(Finding { id, verdict })
        })
        .collect())
}

/// What was refused tells nothing once the token is refused too: it has expired, or the proxy was asked too often.
async fn while_it_opens(scene: &Scene, found: Found) -> Found {
    let sight = scene.good(scene.get()).await;
    if sight.reach() == Reach::Yes {
        return found;
    }
    let why = format!(
        "the token no longer opens the page ({}): give one that lives longer, or ask less often",
        sight.told()
    );
    let unless_closed = |(id, verdict)| match verdict {
        Verdict::Closed(_) => (id, Verdict::Unknown(why.clone())),
        other => (id, other),
    };
    found.into_iter().map(unless_closed).collect()
}

/// A request and what was seen of it, with a word for it.
struct Tried {
    what: String,
    sight: Sight,
}

/// Nobody may come through. Tells which ones do, else what they were told.
fn shut(tries: &[Tried]) -> Verdict {
    let which = |reach| {
        let found: Vec<_> = tries
            .iter()
            .filter(|tried| tried.sight.reach() == reach)
            .map(told)
            .collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    if let Some(open) = which(Reach::Yes) {
        return Verdict::Hole(format!("comes through: {open}"));
    }
    if let Some(unclear) = which(Reach::Unclear) {
        let is_late = |tried: &Tried| matches!(tried.sight.answer, Err(NoAnswer::InTime(_)));
        let hint = if tries.iter().any(is_late) {
            "what comes later is not seen; raise --patience"
        } else {
            SHOW
        };
        return Verdict::Unknown(format!(
            "{unclear}: it is not seen whether the application was reached; {hint}"
        ));
    }
    if tries.len() <= FEW {
        let all: Vec<_> = tries.iter().map(told).collect();
        return Verdict::Closed(all.join(", "));
    }
    let mut statuses: Vec<_> = tries.iter().map(|tried| tried.sight.told()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    Verdict::Closed(format!("{} requests: {}", tries.len(), statuses.join(", ")))
}

/// How many answers are told one by one.
const FEW: usize = 5;

/// What to do about a page that shows nothing.
const SHOW: &str =
    "put a page that shows the headers behind the proxy, or have doctor play it (--app)";

fn told(tried: &Tried) -> String {
    if tried.what.is_empty() {
        tried.sight.told()
    } else {
        format!("{}: {}", tried.what, tried.sight.told())
    }
}

/// The names whose canaries reached the application, or why that cannot be told.
fn forged(sight: &Sight, sent: &[(String, String)]) -> Verdict {
    match sight.reach() {
        Reach::Yes => {}
        Reach::No if sight.status() < 500 => {
            return Verdict::Closed(format!("the request is refused ({})", sight.told()));
        }
        // Errors may be of the moment.
        Reach::No | Reach::Unclear => {
            return Verdict::Unknown(format!(
                "{}: the application may not have been reached",
                sight.told()
            ));
        }
    }
    if sight.view == super::sight::View::Blind {
        return Verdict::Unknown(format!("the page does not show its headers; {SHOW}"));
    }
    let mut names: Vec<&str> = Vec::new();
    for (name, canary) in sent {
        if !canary.is_empty() && sight.shows(canary) && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() {
        Verdict::Closed("none of them reaches the application".to_owned())
    } else {
        Verdict::Hole(format!(
            "the client's own reaches the application: {}",
            some(&names)
        ))
    }
}

/// A list that is not too long to read.
fn some(names: &[&str]) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<_> = names.iter().take(SHOWN).copied().collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = shown.join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}
