//! No spelling of a denied path is allowed: hundreds of them, through real proxies and without one, held against what backends read.
//!
//! `list` has the spellings, `reader` says what backends make of them without asking jwtgate, and `known` has those that pass all the same.

mod behind;
mod chain;
mod known;
mod list;
mod reader;
mod tricks;

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use crate::harness::Gate;
use crate::harness::fetched::metric;

use chain::{
    Chain, DENIED, Edits, REST, SHIPPED, WITH_HOST_OF_CLIENT, WITH_URI, asked, exchange, gate, get,
};
use known::{REFUSED, known};
use list::{GOOD, GOOD_ELSEWHERE, spellings};
use reader::{lies_under, readings};

/// A request target and every path that can be read in it.
struct Spelling {
    target: Vec<u8>,
    read: HashSet<Vec<u8>>,
}

impl Spelling {
    fn can_mean(&self, is_denied: fn(&[u8]) -> bool) -> bool {
        self.read.iter().any(|path| is_denied(path))
    }
}

static ALL: LazyLock<Vec<Spelling>> = LazyLock::new(|| {
    let read = |target: Vec<u8>| Spelling {
        read: readings(&target),
        target,
    };
    spellings().into_iter().map(read).collect()
});

/// The spellings that pass although one of their readings is denied.
fn found(is_denied: fn(&[u8]) -> bool, lets_pass: impl Fn(&[u8]) -> bool) -> BTreeSet<String> {
    let denied = ALL.iter().filter(|spelling| spelling.can_mean(is_denied));
    let passing = denied.filter(|spelling| lets_pass(&spelling.target));
    passing
        .map(|spelling| spelling.target.escape_ascii().to_string())
        .collect()
}

/// The same for the gate alone, asked in every way.
fn found_at(gate: &Gate, is_denied: fn(&[u8]) -> bool, has_token: bool) -> BTreeSet<String> {
    found(is_denied, |target| {
        let requests = asked(target, has_token);
        // A header that is none gets no answer from some servers, which is a refusal.
        let mut answers = requests.iter().map(|request| request.try_send(gate.main()));
        answers.any(|answer| answer.is_ok_and(|answer| answer.status == 200))
    })
}

/// Both ways, with a good token: none but the known ones pass.
#[track_caller]
fn only_known_pass(rules: &str, is_denied: fn(&[u8]) -> bool) {
    holds(rules, is_denied, true);
}

#[track_caller]
fn holds(rules: &str, is_denied: fn(&[u8]) -> bool, has_token: bool) {
    let known = known();
    let chain = Chain::start(rules, SHIPPED);
    if let Some(chain) = &chain {
        let found = found(is_denied, |target| chain.lets_pass(&get(target, has_token)));
        let new: Vec<_> = found.difference(&known).collect();
        assert!(new.is_empty(), "they pass nginx and the gate: {new:#?}");
    }
    let gate = chain.map_or_else(|| gate(rules), |chain| chain.gate);
    let found = found_at(&gate, is_denied, has_token);
    let new: Vec<_> = found.difference(&known).collect();
    assert!(new.is_empty(), "they pass the gate: {new:#?}");
    gate.assert_no_panic();
}

fn is_admin(path: &[u8]) -> bool {
    lies_under(path, "/admin")
}

#[test]
fn the_list_is_long_and_most_of_it_can_be_read_as_the_denied_path() {
    let denied = ALL.iter().filter(|spelling| spelling.can_mean(is_admin));
    let (all, denied) = (ALL.len(), denied.count());
    assert!(all >= 500 && denied >= 400, "{denied} of {all}");
}

#[test]
fn without_rules_hundreds_of_the_spellings_reach_the_application_as_they_were_written() {
    let Some(chain) = Chain::start("", SHIPPED) else {
        return;
    };
    let found = found(is_admin, |target| {
        let answer = exchange(chain.proxy.address(), &get(target, true));
        let Some(answer) = answer.filter(|answer| answer.status == 200) else {
            return false;
        };
        let arrived = answer.json()["target"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let is_absolute = !target.starts_with(b"/");
        assert!(
            is_absolute || arrived == String::from_utf8_lossy(target),
            "{arrived} for {}",
            target.escape_ascii()
        );
        true
    });
    assert!(found.len() >= 300, "{}", found.len());
}

/// The rule that denies, in front of one that allows everything else: here every known finding passes.
#[track_caller]
fn exactly_the_known_pass(edits: Edits) {
    let Some(chain) = Chain::start(&[DENIED, REST].concat(), edits) else {
        return;
    };
    let found = found(is_admin, |target| chain.lets_pass(&get(target, true)));
    let (new, gone) = (&found - &known(), &known() - &found);
    assert!(new.is_empty(), "they pass nginx and the gate: {new:#?}");
    assert!(gone.is_empty(), "they are known, and refused: {gone:#?}");
    // nginx refuses some of itself; it must not be all that is tested here.
    let decisions = metric(&chain.gate, "jwtgate_decisions_total", &[]);
    assert!(decisions >= 300, "{decisions} spellings reached the gate");
    chain.gate.assert_no_panic();
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_behind_the_shipped_nginx() {
    exactly_the_known_pass(SHIPPED);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_where_nginx_names_path_and_host_apart() {
    exactly_the_known_pass(WITH_URI);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_where_nginx_takes_the_host_from_the_client() {
    exactly_the_known_pass(WITH_HOST_OF_CLIENT);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_the_gate_alone() {
    let gate = gate(&[DENIED, REST].concat());
    let found = found_at(&gate, is_admin, true);
    let (new, gone) = (&found - &known(), &known() - &found);
    assert!(new.is_empty(), "they pass the gate: {new:#?}");
    assert!(gone.is_empty(), "they are known, and refused: {gone:#?}");
    gate.assert_no_panic();
}

#[test]
fn s10_3_no_spelling_passes_without_the_group_that_the_path_wants() {
    let rule = "[[rules]]\naction = \"require\"\npath_prefix = \"/admin\"\nrequire = { groups = \"admins\" }\n";
    only_known_pass(&[rule, REST].concat(), is_admin);
}

#[test]
fn s10_3_no_spelling_of_anything_else_passes_a_list_of_allowed_prefixes() {
    only_known_pass(
        "[[rules]]\naction = \"require\"\npath_prefix = \"/public\"",
        is_admin,
    );
}

#[test]
fn s10_3_no_spelling_of_anything_else_passes_an_allowed_glob() {
    only_known_pass(
        "[[rules]]\naction = \"require\"\npath_glob = \"/public/**\"",
        is_admin,
    );
}

#[test]
fn s10_3_no_spelling_of_anything_else_passes_an_allowed_expression() {
    only_known_pass(
        "[[rules]]\naction = \"require\"\npath_regex = \"/public/.*\"",
        is_admin,
    );
}

#[test]
fn s10_3_no_spelling_of_anything_else_passes_a_public_rule_without_a_token() {
    let public = "[[rules]]\naction = \"public\"\npath_regex = [\"/public\", \"/public/.*\"]\n";
    holds(&[public, REST].concat(), is_admin, false);
}

#[test]
fn s10_3_no_spelling_of_one_denied_path_passes() {
    let rule = "[[rules]]\naction = \"deny\"\npath = \"/admin\"\n";
    only_known_pass(&[rule, REST].concat(), |path| {
        [&b"/admin"[..], b"/admin/"].contains(&path)
    });
}

#[test]
fn s10_3_no_spelling_of_a_denied_glob_or_expression_passes() {
    let glob = "[[rules]]\naction = \"deny\"\npath_glob = [\"/admin\", \"/admin/**\"]\n";
    only_known_pass(&[glob, REST].concat(), is_admin);
    let expression = "[[rules]]\naction = \"deny\"\npath_regex = \"/admin(/.*)?\"\n";
    only_known_pass(&[expression, REST].concat(), is_admin);
}

#[test]
fn s10_3_no_spelling_of_a_denied_prefix_passes_a_rule_that_takes_ambiguous_paths() {
    let rest = "[[rules]]\naction = \"require\"\nambiguous_paths = true\n";
    only_known_pass(&[DENIED, rest].concat(), is_admin);
}

#[test]
fn capital_letters_are_another_path_unless_case_is_ignored() {
    let is_admin_in_any_case = |path: &[u8]| is_admin(&path.to_ascii_lowercase());
    let sensitive = gate(&[DENIED, REST].concat());
    let insensitive = gate(&[DENIED, "ignore_case = true\n", REST].concat());
    for path in ["/ADMIN", "/aDMIN/x", "/%41dmin"] {
        for request in asked(path.as_bytes(), true) {
            assert_eq!(request.send(sensitive.main()).status, 200, "{path}");
            assert_eq!(request.send(insensitive.main()).status, 403, "{path}");
        }
    }
    let found = found_at(&insensitive, is_admin_in_any_case, true);
    let (new, gone) = (&found - &known(), &known() - &found);
    assert!(
        new.is_empty() && gone.is_empty(),
        "new {new:#?}, gone {gone:#?}"
    );
    let Some(chain) = Chain::start(&[DENIED, "ignore_case = true\n", REST].concat(), SHIPPED)
    else {
        return;
    };
    let found = self::found(is_admin_in_any_case, |target| {
        chain.lets_pass(&get(target, true))
    });
    let new = &found - &known();
    assert!(new.is_empty(), "they pass nginx and the gate: {new:#?}");
}

#[test]
fn plain_paths_pass_every_kind_of_rule_with_and_without_nginx() {
    let below = GOOD.split_ascii_whitespace().map(str::as_bytes);
    let elsewhere = GOOD_ELSEWHERE.split_ascii_whitespace().map(str::as_bytes);
    let everywhere: Vec<&[u8]> = below.clone().chain(elsewhere).collect();
    let below: Vec<&[u8]> = below.collect();
    for (rules, good) in [
        ([DENIED, REST].concat(), &everywhere),
        ([DENIED, "ignore_case = true\n", REST].concat(), &everywhere),
        (
            "[[rules]]\naction = \"require\"\npath_prefix = \"/public\"".to_owned(),
            &below,
        ),
        (
            "[[rules]]\naction = \"require\"\npath_glob = [\"/public\", \"/public/**\"]".to_owned(),
            &below,
        ),
        (
            "[[rules]]\naction = \"require\"\npath_regex = \"/public(/.*)?\"".to_owned(),
            &below,
        ),
    ] {
        let chain = Chain::start(&rules, SHIPPED);
        for target in good {
            let shown = target.escape_ascii();
            if let Some(chain) = &chain {
                assert!(
                    chain.lets_pass(&get(target, true)),
                    "{shown} behind nginx: {rules}"
                );
            }
        }
        let gate = chain.map_or_else(|| gate(&rules), |chain| chain.gate);
        let in_form = |target: &&&[u8]| target.starts_with(b"/");
        for target in good.iter().filter(in_form) {
            for request in asked(target, true) {
                assert_eq!(
                    request.send(gate.main()).status,
                    200,
                    "{request:?}: {rules}"
                );
            }
        }
    }
}

#[test]
fn some_plain_paths_are_refused_all_the_same() {
    let gate = gate(&[DENIED, REST].concat());
    for (reason, all) in REFUSED {
        for target in all.split_ascii_whitespace() {
            for request in asked(target.as_bytes(), true) {
                let status = request.send(gate.main()).status;
                assert_eq!(
                    status, 403,
                    "{target} passes now, so take it to the good ones: {reason}"
                );
            }
        }
    }
}
