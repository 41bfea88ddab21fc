//! A gate that is dead, hangs, restarts, or is somebody else.

use std::time::{Duration, Instant};

use crate::harness::proxies::{Extent, Kind, Proxy};
use crate::harness::upstream::Upstream;
use crate::harness::{KeyServer, Request, Response, Settings, fetched, ports, tokens, wait};

use super::behind_every_proxy;
use super::chain::{Chain, get, settings};
use super::impostor::impostor;
use super::table::{self, Cell, Outcome};

behind_every_proxy!(
    s18_7_with_the_gate_down_nothing_passes,
    s18_7_with_the_gate_hanging_nothing_passes_and_nobody_waits_for_long,
    a_restarted_gate_is_asked_again_at_once,
    s18_7_what_answers_in_the_place_of_the_gate_lets_nothing_pass,
    s18_7_a_gate_that_cannot_decide_lets_nothing_pass,
);

fn asking_all_at_once(proxy: &Proxy, requests: &[Request]) -> Vec<(Response, Duration)> {
    std::thread::scope(|scope| {
        let ask = |request: Request| {
            let start = Instant::now();
            let answer = request.send(proxy.address());
            (answer, start.elapsed())
        };
        let asking: Vec<_> = requests
            .iter()
            .map(|request| request.clone().timeout(Duration::from_secs(20)))
            .map(|request| scope.spawn(move || ask(request)))
            .collect();
        asking
            .into_iter()
            .map(|thread| thread.join().expect("an answer"))
            .collect()
    })
}

fn every_kind_of_request() -> [Request; 5] {
    [
        get("/app").bearer(tokens::good()),
        get("/app"),
        get("/app").page_load(),
        get("/public/x"),
        Request::new("POST", "/form")
            .bearer(tokens::good())
            .body("a=1"),
    ]
}

/// Nothing passes and everything is answered as the table says, within a time.
#[track_caller]
fn stays_closed(cell: Cell, kind: Kind, proxy: &Proxy, app: &Upstream, limit: Duration) {
    let before = app.served();
    if table::expected(cell, kind) == Outcome::Nobody {
        for request in every_kind_of_request() {
            let answer = request
                .timeout(Duration::from_secs(1))
                .try_send(proxy.address());
            assert!(answer.is_err(), "{cell:?} behind {kind:?}: {answer:?}");
        }
        assert_eq!(app.served(), before, "{cell:?} behind {kind:?}");
        return;
    }
    for (answer, waited) in asking_all_at_once(proxy, &every_kind_of_request()) {
        assert_eq!(
            Outcome::Refused(answer.status),
            table::expected(cell, kind),
            "{cell:?} behind {kind:?}: {answer:?}"
        );
        assert!(waited < limit, "{kind:?} took {waited:?}");
        assert!(answer.values("X-Auth-User").is_empty());
    }
    assert_eq!(app.served(), before, "{cell:?} behind {kind:?}");
}

fn s18_7_with_the_gate_down_nothing_passes(kind: Kind) {
    let Some(mut chain) = Chain::start(kind) else {
        return;
    };
    let good = get("/app").bearer(tokens::good());
    chain.reached(&good);
    chain.gate.signal("KILL");
    let ended = chain.gate.wait_for_exit(Duration::from_secs(5));
    ended.expect("SIGKILL ends it");
    let limit = Duration::from_secs(6);
    stays_closed(Cell::Down, kind, &chain.proxy, &chain.app, limit);
}

fn s18_7_with_the_gate_hanging_nothing_passes_and_nobody_waits_for_long(kind: Kind) {
    let Some(chain) = Chain::start(kind) else {
        return;
    };
    let good = get("/app").bearer(tokens::good());
    chain.reached(&good);
    chain.gate.freeze();
    let before = chain.app.served();
    if kind == Kind::Traefik {
        // It gives up after 30 seconds and cannot be told otherwise.
        let waiting = good.clone().timeout(Duration::from_secs(40));
        let answer = waiting.try_send(chain.proxy.address()).expect("an answer");
        let expected = table::expected(Cell::Hanging, kind);
        assert_eq!(Outcome::Refused(answer.status), expected, "{answer:?}");
        assert_eq!(chain.app.served(), before);
        chain.gate.signal("CONT");
    } else {
        let limit = Duration::from_secs(4);
        stays_closed(Cell::Hanging, kind, &chain.proxy, &chain.app, limit);
        chain.gate.signal("CONT");
    }
    let back = wait::until(Duration::from_secs(12), || {
        let answer = good.clone().try_send(chain.proxy.address());
        (answer.ok()?.status == 200).then_some(())
    });
    assert!(back.is_some(), "the gate runs again and is not asked");
}

fn a_restarted_gate_is_asked_again_at_once(kind: Kind) {
    let port = ports::free();
    let app = Upstream::start();
    let settings = kind.asks_on(settings(), port, app.port());
    let mut gate = settings.clone().start();
    let Some(proxy) = Proxy::start(kind, kind.door(&gate), app.port()) else {
        return;
    };
    let good = get("/app").bearer(tokens::good());
    // Several at a time, so that several connections are kept.
    let many = [good.clone(), good.clone(), good.clone(), good.clone()];
    for signal in ["KILL", "TERM"] {
        for (answer, _) in asking_all_at_once(&proxy, &many) {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        gate.signal(signal);
        let ended = gate.wait_for_exit(Duration::from_secs(15));
        ended.expect("the signal ends it");
        gate = settings.clone().start();
        let mut failed = 0;
        for _ in 0..20 {
            let answer = good.send(proxy.address());
            failed += usize::from(answer.status != 200);
        }
        assert!(failed <= 1, "after SIG{signal} {failed} of 20 failed");
    }
    assert_eq!(table::expected(Cell::Restarted, kind), Outcome::Passes);
}

fn s18_7_what_answers_in_the_place_of_the_gate_lets_nothing_pass(kind: Kind) {
    if kind == Kind::Itself {
        let cells = [
            Cell::Silent,
            Cell::Nonsense,
            Cell::CutOff,
            Cell::Faulty,
            Cell::Elsewhere,
        ];
        for cell in cells {
            assert_eq!(table::expected(cell, kind), Outcome::NotTried);
        }
        return;
    }
    let impostors = [
        (Cell::Silent, ""),
        (Cell::Nonsense, "220 mail.example.com ESMTP\r\n"),
        (Cell::CutOff, "HTTP/1.1 200 OK\r\nX-Auth-User: root\r\n"),
        (
            Cell::Faulty,
            "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 5\r\n\r\nfault",
        ),
        (
            Cell::Elsewhere,
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ),
    ];
    let meet = |cell: Cell, words: &'static str| {
        let app = Upstream::start();
        if let Some(proxy) = Proxy::start(kind, &impostor(words), app.port()) {
            stays_closed(cell, kind, &proxy, &app, Duration::from_secs(6));
        }
    };
    // Some wait for each of them.
    std::thread::scope(|scope| {
        for (cell, words) in impostors {
            scope.spawn(move || meet(cell, words));
        }
    });
}

fn s18_7_a_gate_that_cannot_decide_lets_nothing_pass(kind: Kind) {
    let issuer = KeyServer::start();
    issuer.go_down();
    let settings = Settings::empty()
        .table("[keys]\ncooldown = \"1s\"")
        .table(&fetched::issuer("main", &issuer.issuer(), ""));
    let Some(chain) = Chain::start_with(kind, Extent::Full, settings, &[]) else {
        return;
    };
    let unknown = get("/app").bearer(fetched::token(&issuer.issuer(), "k1"));
    let answer = chain.shows(Cell::Undecided, &unknown).answer;
    assert_eq!(answer.header("WWW-Authenticate"), None);
    // Over HTTP, Envoy has words of its own for this, and none that could be set.
    if kind != Kind::EnvoyHttp {
        assert!(answer.header("Retry-After").is_some(), "{answer:?}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    }
}
