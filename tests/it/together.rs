//! Signatures that are checked together: everybody gets the own answer, whoever else asks, gives up or lies.

use std::thread;

use serde_json::json;

use crate::harness::fetched::metric;
use crate::harness::{Connection, Gate, Request, Settings, tokens};

use super::rsa_ifma::has_instructions;

const CLIENTS: usize = 24;
const ROUNDS: usize = 25;

fn start(when: &str) -> Gate {
    let set = json!({"keys": [tokens::rsa().jwk("k1")]});
    Settings::empty()
        .file("jwks.json", set.to_string())
        .top(&format!(
            "jwks_file = \"{{dir}}/jwks.json\"\nexpected_audience = \"{}\"",
            tokens::AUDIENCE
        ))
        .server("workers = 1")
        .table(&format!("[keys]\nrsa_together = \"{when}\""))
        .start()
}

fn token(user: &str) -> String {
    let claims = tokens::claims_with(&json!({ "username": user }));
    tokens::rsa().sign_kid("RS256", "k1", &claims)
}

fn forged(user: &str) -> String {
    let token = token(user);
    let (message, signature) = token.rsplit_once('.').expect("a token");
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let (_, rest) = signature.split_at(1);
    format!("{message}.{other}{rest}")
}

#[test]
fn everybody_gets_the_own_answer() {
    let gate = start("always");
    let warm = Request::get("/verify")
        .bearer(token("warm"))
        .send(gate.main());
    assert_eq!(warm.status, 200);
    let shared = token("shared");
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (gate, shared) = (&gate, &shared);
            scope.spawn(move || {
                let mut connection = Connection::open(gate.main()).expect("a connection");
                for round in 0..ROUNDS {
                    let user = format!("user-{client}-{round}");
                    let (token, expected) = match (client + round) % 4 {
                        0 => (forged(&user), None),
                        // The same for many at the same time.
                        1 => (shared.clone(), Some("shared".to_owned())),
                        _ => (token(&user), Some(user)),
                    };
                    let request = Request::get("/verify").bearer(token);
                    if client % 6 == 5 {
                        // This one does not wait for its answer.
                        let mut leaving = Connection::open(gate.main()).expect("a connection");
                        leaving.write(&request.bytes()).expect("written");
                        continue;
                    }
                    let answer = connection.send(&request).expect("an answer");
                    assert_eq!(answer.status, if expected.is_some() { 200 } else { 401 });
                    assert_eq!(answer.header("X-Auth-User"), expected.as_deref());
                }
            });
        }
    });
    gate.assert_no_panic();
    // They have been in company, where the processor can have that.
    let together = metric(&gate, "jwtgate_signatures_checked_together_total", &[]);
    assert_eq!(together > 0, has_instructions(), "{together} together");
}

#[test]
fn a_client_that_is_alone_waits_for_nobody() {
    let gate = start("busy");
    let mut connection = Connection::open(gate.main()).expect("a connection");
    for round in 0..100 {
        let request = Request::get("/verify").bearer(token(&format!("user-{round}")));
        assert_eq!(connection.send(&request).expect("an answer").status, 200);
    }
    let together = metric(&gate, "jwtgate_signatures_checked_together_total", &[]);
    assert_eq!(together, 0);
}

#[test]
fn requests_one_after_another_on_a_connection_are_answered_in_their_order() {
    let gate = start("always");
    let mut connection = Connection::open(gate.main()).expect("a connection");
    let users: Vec<_> = (0..20).map(|number| format!("user-{number}")).collect();
    let requests: Vec<u8> = users
        .iter()
        .flat_map(|user| Request::get("/verify").bearer(token(user)).bytes())
        .collect();
    connection.write(&requests).expect("written");
    for user in &users {
        let answer = connection.read_response("GET").expect("an answer");
        assert_eq!(answer.header("X-Auth-User"), Some(user.as_str()));
    }
}
