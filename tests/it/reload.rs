//! Reloading: what is sound is taken in one step, what is broken changes nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::harness::tokens::{self, AUDIENCE, SECRET};
use crate::harness::{Answer, Connection, Gate, KeyServer, Request, Settings, wait};

const WAIT: Duration = Duration::from_mins(1);

fn status(gate: &Gate, token: &str) -> u16 {
    Request::get("/verify")
        .bearer(token)
        .send(gate.main())
        .status
}

fn config(gate: &Gate) -> String {
    fs::read_to_string(gate.folder().join("jwtgate.toml")).expect("the config is there")
}

fn rewrite(gate: &Gate, text: &str) {
    fs::write(gate.folder().join("jwtgate.toml"), text).expect("the folder is writable");
}

fn metric(gate: &Gate, name: &str) -> String {
    let text = Request::get("/metrics").send(gate.admin()).text();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.rsplit(' ').next())
        .unwrap_or("absent")
        .to_owned()
}

/// Waits until there are so many log lines of this message.
fn wait_for(gate: &Gate, message: &str, count: usize) {
    let found = wait::until(WAIT, || {
        (gate.records(message).len() >= count).then_some(())
    });
    assert!(found.is_some(), "{message} x{count}\n{}", gate.output());
}

const APPLIED: &str = "the configuration was reloaded";
const REFUSED: &str =
    "the configuration was not reloaded: the old one serves on until the errors above are mended";

#[test]
fn s18_2_a_hang_up_takes_what_the_file_says_now() {
    let gate = Settings::hmac().start();
    assert_eq!(status(&gate, &tokens::good()), 200);
    // The file watch would take it too: what counts here is that nobody has to wait for that.
    rewrite(&gate, &config(&gate).replace(AUDIENCE, "another"));
    gate.signal("HUP");
    wait_for(&gate, APPLIED, 1);
    assert_eq!(status(&gate, &tokens::good()), 401);
    assert_eq!(gate.reason(1), "token.audience");
    assert_eq!(
        status(&gate, &tokens::with(&json!({"aud": "another"}))),
        200
    );
}

#[test]
fn s18_4_a_file_that_is_rewritten_or_renamed_over_is_taken_without_a_signal() {
    let gate = Settings::hmac().start();
    let text = config(&gate);
    rewrite(&gate, &text.replace(AUDIENCE, "second"));
    wait_for(&gate, APPLIED, 1);
    assert_eq!(status(&gate, &tokens::with(&json!({"aud": "second"}))), 200);

    let folder = gate.folder();
    fs::write(folder.join("new"), text.replace(AUDIENCE, "third")).expect("writable");
    fs::rename(folder.join("new"), folder.join("jwtgate.toml")).expect("writable");
    wait_for(&gate, APPLIED, 2);
    assert_eq!(status(&gate, &tokens::with(&json!({"aud": "third"}))), 200);
}

#[test]
fn s18_4_a_swapped_symbolic_link_is_taken_as_kubernetes_makes_it() {
    let keys = [tokens::p256(), tokens::second_p256()];
    let mounted = tempfile::tempdir().expect("a temporary folder");
    for (version, key) in keys.iter().enumerate() {
        let folder = mounted.path().join(format!("..v{version}"));
        fs::create_dir(&folder).expect("writable");
        fs::write(folder.join("idp.pem"), key.public_pem()).expect("writable");
    }
    symlink("..v0", mounted.path().join("..data")).expect("writable");
    symlink("..data/idp.pem", mounted.path().join("idp.pem")).expect("writable");
    let gate = Settings::empty()
        .top(&format!("expected_audience = \"{AUDIENCE}\""))
        .top(&format!(
            "signing_certificate = \"{}/idp.pem\"",
            mounted.path().display()
        ))
        .start();
    let [old, new] = keys.map(|key| key.sign("ES256", &tokens::good_claims()));
    assert_eq!((status(&gate, &old), status(&gate, &new)), (200, 401));
    symlink("..v1", mounted.path().join("..data_tmp")).expect("writable");
    fs::rename(
        mounted.path().join("..data_tmp"),
        mounted.path().join("..data"),
    )
    .expect("writable");
    wait_for(&gate, APPLIED, 1);
    assert_eq!((status(&gate, &old), status(&gate, &new)), (401, 200));
}

#[test]
fn s18_2_what_is_broken_empty_torn_or_gone_keeps_the_old_settings_and_is_told_whole() {
    let gate = Settings::hmac().start();
    let text = config(&gate);
    let file = gate.folder().join("jwtgate.toml");
    let breakages: [&dyn Fn(); 6] = [
        &|| rewrite(&gate, ""),
        &|| rewrite(&gate, "secret = \"x"),
        &|| rewrite(&gate, &text[..text.len() / 3]),
        &|| rewrite(&gate, &format!("cookie_nam = \"a\"\nleeway = 30\n{text}")),
        &|| fs::write(&file, [0xff, 0xfe, 0x00]).expect("writable"),
        &|| fs::remove_file(&file).expect("removable"),
    ];
    for (index, breakage) in breakages.into_iter().enumerate() {
        breakage();
        gate.signal("HUP");
        wait_for(&gate, REFUSED, index + 1);
        if index == 3 {
            // The watch may have told an earlier one twice: here it is this one that counts.
            assert!(gate.wait_for_line("cookie_nam"), "{}", gate.output());
        }
        assert_eq!(status(&gate, &tokens::good()), 200, "breakage {index}");
        assert_eq!(metric(&gate, "jwtgate_config_reload_failed"), "1");
        assert!(!gate.output().contains(SECRET), "breakage {index}");
    }
    // Every fault of one file at once.
    let told: Vec<_> = gate
        .records("broken configuration")
        .iter()
        .map(|record| {
            record["config.path"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    assert!(told.contains(&"cookie_nam".to_owned()), "{told:?}");
    assert!(told.contains(&"leeway".to_owned()), "{told:?}");

    rewrite(&gate, &text.replace(AUDIENCE, "mended"));
    wait_for(&gate, APPLIED, 1);
    assert_eq!(metric(&gate, "jwtgate_config_reload_failed"), "0");
    assert_eq!(status(&gate, &tokens::with(&json!({"aud": "mended"}))), 200);
    gate.assert_no_panic();
}

#[test]
fn s18_2_a_key_file_that_breaks_keeps_the_old_key() {
    let gate = Settings::empty()
        .top(&format!("expected_audience = \"{AUDIENCE}\""))
        .top("signing_certificate = \"{dir}/idp.pem\"")
        .file("idp.pem", tokens::p256().public_pem())
        .start();
    let token = tokens::p256().sign("ES256", &tokens::good_claims());
    let file = gate.folder().join("idp.pem");
    let pem = tokens::p256().public_pem();
    let breakages: [&dyn Fn(); 4] = [
        &|| fs::write(&file, "").expect("writable"),
        &|| fs::write(&file, &pem[..pem.len() / 2]).expect("writable"),
        &|| fs::write(&file, tokens::p256().private_pem()).expect("writable"),
        &|| fs::remove_file(&file).expect("removable"),
    ];
    for (index, breakage) in breakages.into_iter().enumerate() {
        breakage();
        wait_for(&gate, REFUSED, index + 1);
        assert_eq!(status(&gate, &token), 200, "breakage {index}");
    }
    fs::write(&file, tokens::second_p256().public_pem()).expect("writable");
    wait_for(&gate, APPLIED, 1);
    assert_eq!(status(&gate, &token), 401);
    let new = tokens::second_p256().sign("ES256", &tokens::good_claims());
    assert_eq!(status(&gate, &new), 200);
}

#[test]
fn a_file_that_nobody_may_read_keeps_the_old_settings() {
    let gate = Settings::hmac().start();
    let file = gate.folder().join("jwtgate.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).expect("ours");
    if fs::read(&file).is_ok() {
        // Root reads everything: a folder in its place cannot be read by anybody.
        fs::remove_file(&file).expect("ours");
        fs::create_dir(&file).expect("ours");
    }
    gate.signal("HUP");
    wait_for(&gate, REFUSED, 1);
    assert_eq!(status(&gate, &tokens::good()), 200);
}

#[test]
fn s18_4_a_secret_rotates_with_overlap() {
    let new = "another-secret-of-this-test-that-is-long-enough-for-every-hash-0123456789";
    let gate = Settings::empty()
        .top(&format!("expected_audience = \"{AUDIENCE}\""))
        .top("secret_file = \"{dir}/secret\"\nprevious_secret_file = \"{dir}/previous\"")
        .file("secret", SECRET)
        .file("previous", "")
        .start();
    let old_token = tokens::good();
    let new_token = tokens::hmac(
        new.as_bytes(),
        &tokens::header("HS256"),
        &tokens::good_claims(),
    );
    let statuses = |gate: &Gate| (status(gate, &old_token), status(gate, &new_token));
    assert_eq!(statuses(&gate), (200, 401));
    let write = |name: &str, text: &str| {
        fs::write(gate.folder().join(name), text).expect("writable");
    };
    write("previous", SECRET);
    write("secret", new);
    let both = wait::until(WAIT, || (statuses(&gate) == (200, 200)).then_some(()));
    assert!(both.is_some(), "{}", gate.output());
    write("previous", "");
    let only_new = wait::until(WAIT, || (statuses(&gate) == (401, 200)).then_some(()));
    assert!(only_new.is_some(), "{}", gate.output());
    assert!(!gate.output().contains(SECRET) && !gate.output().contains(new));
}

#[test]
fn s18_4_a_replaced_key_counts_for_the_overlap_that_is_configured() {
    let gate = Settings::empty()
        .top(&format!("expected_audience = \"{AUDIENCE}\""))
        .top("signing_certificate = \"{dir}/idp.pem\"")
        .table("[keys]\noverlap = \"3s\"")
        .file("idp.pem", tokens::p256().public_pem())
        .start();
    let [old, new] = [tokens::p256(), tokens::second_p256()]
        .map(|key| key.sign("ES256", &tokens::good_claims()));
    assert_eq!((status(&gate, &old), status(&gate, &new)), (200, 401));
    let file = gate.folder().join("idp.pem");
    fs::write(file, tokens::second_p256().public_pem()).expect("writable");
    wait_for(&gate, APPLIED, 1);
    assert_eq!((status(&gate, &old), status(&gate, &new)), (200, 200));
    // Another reload prolongs nothing.
    gate.signal("HUP");
    wait_for(&gate, APPLIED, 2);
    wait_for(&gate, "a replaced key has ended with its overlap", 1);
    assert_eq!((status(&gate, &old), status(&gate, &new)), (401, 200));
}

#[test]
fn what_needs_a_restart_is_told_and_the_rest_is_taken() {
    let gate = Settings::hmac().server("workers = 1").start();
    let text = config(&gate).replace("workers = 1", "workers = 2");
    rewrite(&gate, &text.replace(AUDIENCE, "another"));
    wait_for(&gate, APPLIED, 1);
    let told = gate.records("these settings need a restart: the old ones stay until then");
    assert_eq!(told[0]["keys"], "server.workers");
    assert_eq!(
        status(&gate, &tokens::with(&json!({"aud": "another"}))),
        200
    );
}

#[test]
fn a_touch_that_changes_no_byte_changes_nothing() {
    let gate = Settings::hmac().start();
    let text = config(&gate);
    rewrite(&gate, &text);
    rewrite(&gate, &text.replace(AUDIENCE, "another"));
    wait_for(&gate, APPLIED, 1);
    assert_eq!(gate.records(APPLIED).len(), 1);
}

#[test]
fn fetched_keys_outlive_a_reload_while_their_issuer_is_down() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let gate = Settings::empty()
        .table(&format!(
            "[issuers.idp]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"",
            server.issuer()
        ))
        .start();
    let claims = tokens::claims_with(&json!({"iss": server.issuer()}));
    let token = tokens::p256().sign_kid("ES256", "k1", &claims);
    assert_eq!(status(&gate, &token), 200);
    server.go_down();
    let text = config(&gate);
    rewrite(&gate, &text.replace("[keys]", "").replace(AUDIENCE, "x"));
    wait_for(&gate, APPLIED, 1);
    assert_eq!(status(&gate, &token), 401);
    assert_eq!(gate.reason(1), "token.audience");
    rewrite(&gate, &text);
    wait_for(&gate, APPLIED, 2);
    assert_eq!(status(&gate, &token), 200);
    // What the new settings do not allow is no key for them, wherever it came from.
    rewrite(
        &gate,
        &text.replace("[issuers.idp]", "[issuers.idp]\nalgorithms = \"RS256\""),
    );
    wait_for(&gate, APPLIED, 3);
    assert_eq!(status(&gate, &token), 503);
}

#[test]
fn an_issuer_that_a_reload_brings_is_asked_before_its_first_token_comes() {
    let server = KeyServer::start();
    server.publishes(&[tokens::p256().jwk("k1")]);
    let slow = Answer::json(&json!({"keys": [tokens::p256().jwk("k1")]}));
    server.answers("/jwks", slow.after(Duration::from_millis(500)));
    let gate = Settings::hmac().top("expected_issuer = \"own\"").start();
    let own = tokens::with(&json!({"iss": "own"}));
    assert_eq!(status(&gate, &own), 200);
    let table = format!("\n[issuers.idp]\nissuer = \"{}\"\n", server.issuer());
    rewrite(&gate, &format!("{}{table}", config(&gate)));
    wait_for(&gate, APPLIED, 1);
    let claims = tokens::claims_with(&json!({"iss": server.issuer()}));
    let token = tokens::p256().sign_kid("ES256", "k1", &claims);
    assert_eq!((status(&gate, &token), status(&gate, &own)), (200, 200));
    assert_eq!(server.count("/jwks"), 1);
}

/// One of two configurations: everything that an answer shows differs between them.
fn side(name: &str, server: &str) -> String {
    format!(
        "username_claim_field = \"user_{name}\"\nsecret = \"{SECRET}\"\nexpected_audience = \"{AUDIENCE}\"\n\
         {server}\n[identity.headers]\nX-Auth-User = \"username\"\nX-Side = \"side_{name}\"\nX-{name} = \"sub\"\n"
    )
}

#[test]
fn s18_2_two_hundred_reloads_under_load_fail_no_request_and_mix_no_answer() {
    const RELOADS: usize = 200;
    let gate = Settings::hmac().start();
    let text = config(&gate);
    let server = text
        .split_once("[server]")
        .map(|(_, rest)| format!("[server]{rest}"));
    let server = server.expect("the settings have a table [server]");
    let sides = ["left", "right"].map(|name| side(name, &server));
    rewrite(&gate, &sides[0]);
    gate.signal("HUP");
    wait_for(&gate, APPLIED, 1);

    let token = Arc::new(tokens::with(&json!({
        "user_left": "left", "side_left": "left", "user_right": "right", "side_right": "right",
    })));
    let is_over = Arc::new(AtomicBool::new(false));
    let asked = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (token, is_over, asked) =
                (Arc::clone(&token), Arc::clone(&is_over), Arc::clone(&asked));
            let address = gate.main().clone();
            std::thread::spawn(move || {
                let request = Request::get("/verify").bearer(&*token).timeout(WAIT);
                let mut connection = Connection::open(&address).expect("a connection");
                let mut seen = [0_usize; 2];
                while !is_over.load(Ordering::Relaxed) {
                    let answer = connection.send(&request).expect("an answer");
                    assert_eq!(answer.status, 200);
                    let user = answer.header("X-Auth-User").unwrap_or_default().to_owned();
                    assert_eq!(
                        answer.header("X-Side"),
                        Some(user.as_str()),
                        "a mixed answer"
                    );
                    let is_right = user == "right";
                    assert_eq!(answer.header("X-right").is_some(), is_right);
                    assert_eq!(answer.header("X-left").is_some(), !is_right);
                    seen[usize::from(is_right)] += 1;
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                seen
            })
        })
        .collect();
    for reload in 1..=RELOADS {
        replace_file(&gate, &sides[reload % 2]);
        gate.signal("HUP");
        wait_for(&gate, APPLIED, reload + 1);
    }
    is_over.store(true, Ordering::Relaxed);
    let seen: Vec<_> = clients
        .into_iter()
        .map(|client| client.join().expect("no request failed"))
        .collect();
    let both = [0, 1].map(|side| seen.iter().map(|seen| seen[side]).sum::<usize>());
    assert!(both.iter().all(|count| *count > 50), "{both:?}");
    assert!(asked.load(Ordering::Relaxed) > 1000);
    assert_eq!(metric(&gate, "jwtgate_config_reload_failed"), "0");
    gate.assert_no_panic();
}

/// As tools do that deploy: nobody ever sees half a file.
fn replace_file(gate: &Gate, text: &str) {
    let folder: &Path = gate.folder();
    fs::write(folder.join("next"), text).expect("writable");
    fs::rename(folder.join("next"), folder.join("jwtgate.toml")).expect("writable");
}
