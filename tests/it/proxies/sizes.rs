//! Large heads, large answers.

use serde_json::json;

use crate::harness::proxies::{Extent, Kind};
use crate::harness::upstream::echoed_headers;
use crate::harness::{Request, tokens};

use super::behind_every_proxy;
use super::chain::{Chain, get, settings, shows_alice};
use super::table::Cell;

behind_every_proxy!(s16_1_large_requests_pass_or_are_refused_but_never_cut);

fn s16_1_large_requests_pass_or_are_refused_but_never_cut(kind: Kind) {
    let limits = "[identity]\nmax_value_bytes = 8192\nmax_total_bytes = 16384";
    let settings = settings().table(limits);
    let Some(chain) = Chain::start_with(kind, Extent::Full, settings, &[]) else {
        return;
    };
    let good = || get("/app").bearer(tokens::good());
    let cookie = |length: usize| format!("a={}", "x".repeat(length));
    let with_token = format!("{}; auth_token={}", cookie(46_800), tokens::good());
    assert!((47_000..48 * 1024 - 10).contains(&with_token.len()));
    let large = chain.shows(Cell::LargeCookie, &get("/app").cookie(with_token));
    shows_alice(&large.answer.json(), "a large cookie");
    chain.shows(Cell::HugeCookie, &good().cookie(cookie(100_000)));
    let two = good().cookie(cookie(40_000)).cookie(cookie(40_000));
    chain.shows(Cell::TwoLargeCookies, &two);

    let lines = |count: usize, request: Request| {
        (0..count).fold(request, |request, index| {
            request.header(&format!("X-Line-{index}"), "1")
        })
    };
    chain.reached(&lines(80, good()));
    chain.shows(Cell::ManyLines, &lines(150, good()));
    chain.shows(
        Cell::ManySpoofs,
        &(0..150).fold(good(), |request, _| request.header("X-Auth-User", "root")),
    );

    let query = format!("/app?q={}", "x".repeat(7_000));
    let long = chain.shows(Cell::LongQuery, &get(&query).bearer(tokens::good()));
    assert_eq!(long.target().unwrap_or(query.clone()), query);

    // As many as fit into the limits that docs/identity.md sets as an example.
    let groups: Vec<_> = (0..300)
        .map(|index| format!("group-{index:0>20}"))
        .collect();
    let token = tokens::with(&json!({"groups": groups}));
    let many = chain.shows(Cell::ManyGroups, &get("/app").bearer(token));
    let told = echoed_headers(&many.answer.json(), "X-Auth-Groups");
    assert_eq!(told, [groups.join(",")]);
}
