//! Ways to write a path, with a rule that denies `/admin`.

use crate::harness::proxies::Kind;
use crate::harness::tokens;

use super::behind_every_proxy;
use super::chain::{Chain, get};
use super::table::{self, Cell, Outcome};

behind_every_proxy!(s10_3_spellings_of_a_path_are_judged_as_the_application_sees_them);

fn s10_3_spellings_of_a_path_are_judged_as_the_application_sees_them(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let mut differing = Vec::new();
    for target in table::targets() {
        let expected = table::expected(Cell::Target(target), kind);
        let asked = chain.ask(&get(target).bearer(tokens::good()));
        let arrives_as = asked.target().unwrap_or_default();
        let is_denied = arrives_as.starts_with("/admin");
        assert!(!is_denied, "{target} arrives as {arrives_as}");
        // A path that passes unchanged says so by a plain `Passes`.
        let expected = match expected {
            Outcome::Passes => Outcome::PassesAs(target),
            other => other,
        };
        let found = asked.outcome(expected);
        if found != format!("{expected:?}") {
            differing.push(format!(
                "{target}: {found}, not {expected:?}, as {arrives_as}"
            ));
        }
        // Without a token nothing passes in any spelling.
        assert_eq!(chain.ask(&get(target)).target(), None);
    }
    assert!(differing.is_empty(), "behind {kind:?}: {differing:#?}");
    chain.gate.assert_no_panic();
}
