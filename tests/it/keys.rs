//! Secrets, PEM files, certificates, and which algorithm they are good for.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::harness::tokens::{self, AUDIENCE, Key, SECRET};
use crate::harness::{Gate, Request, Settings};

fn audience() -> Settings {
    Settings::empty().top(&format!("expected_audience = \"{AUDIENCE}\""))
}

fn status(gate: &Gate, token: &str) -> u16 {
    Request::get("/verify")
        .bearer(token)
        .send(gate.main())
        .status
}

/// The key signs with everything it can, and all of it passes.
fn all_pass(gate: &Gate, key: &Key) {
    for algorithm in key.algorithms() {
        assert_eq!(
            status(gate, &key.sign(algorithm, &tokens::good_claims())),
            200,
            "{algorithm}"
        );
    }
}

/// What `serve` says when it refuses to start.
fn fault(settings: Settings) -> String {
    match settings.try_start() {
        Ok(gate) => panic!("the server started:\n{}", gate.output()),
        Err(exited) => {
            assert!(
                exited.status.is_some_and(|status| !status.success()),
                "{exited:?}"
            );
            exited.output
        }
    }
}

#[test]
fn s1_9_every_hmac_algorithm_works_with_a_secret_as_long_as_its_hash() {
    let gate = Settings::hmac().start();
    for algorithm in ["HS256", "HS384", "HS512"] {
        let token = tokens::hmac(
            SECRET.as_bytes(),
            &tokens::header(algorithm),
            &tokens::good_claims(),
        );
        assert_eq!(status(&gate, &token), 200, "{algorithm}");
    }
}

#[test]
fn s1_9_every_public_key_works_as_pem_with_every_algorithm_it_can() {
    for key in tokens::every_kind() {
        let gate = audience()
            .file("key.pem", key.public_pem())
            .top("signing_certificate = \"{dir}/key.pem\"")
            .start();
        all_pass(&gate, key);
    }
}

#[test]
fn every_public_key_works_as_a_certificate() {
    for key in tokens::every_kind() {
        let gate = audience()
            .file("idp.crt", key.certificate_pem())
            .top("signing_certificate = \"{dir}/idp.crt\"")
            .start();
        all_pass(&gate, key);
    }
}

#[test]
fn several_files_are_several_keys() {
    let gate = audience()
        .file("a.pem", tokens::rsa().public_pem())
        .file("b.crt", tokens::p256().certificate_pem())
        .file("c.pem", tokens::ed25519().public_pem())
        .top("signing_certificate = [\"{dir}/a.pem\", \"{dir}/b.crt\", \"{dir}/c.pem\"]")
        .start();
    for key in [tokens::rsa(), tokens::p256(), tokens::ed25519()] {
        all_pass(&gate, key);
    }
    assert_eq!(
        status(&gate, &tokens::p384().sign("ES384", &tokens::good_claims())),
        401
    );
}

#[test]
fn several_blocks_in_one_file_are_several_keys() {
    let text = format!(
        "Bag Attributes\n    friendlyName: old\n{}\nnew:\r\n{}{}",
        tokens::rsa().certificate_pem(),
        tokens::second_rsa().public_pem().replace('\n', "\r\n"),
        tokens::p384().public_pem().trim_end(),
    );
    let gate = audience()
        .file("keys.pem", text)
        .top("signing_certificate = \"{dir}/keys.pem\"")
        .start();
    for key in [tokens::rsa(), tokens::second_rsa(), tokens::p384()] {
        all_pass(&gate, key);
    }
}

#[test]
fn a_key_can_stand_inline() {
    let pem = tokens::p256().public_pem();
    let gate = audience()
        .top(&format!("signing_certificate_pem = \"\"\"\n{pem}\"\"\""))
        .start();
    all_pass(&gate, tokens::p256());
}

#[test]
fn an_expired_certificate_is_a_warning_and_its_key_still_counts() {
    let gate = audience()
        .file("idp.crt", tokens::rsa().expired_certificate_pem())
        .top("signing_certificate = \"{dir}/idp.crt\"")
        .start();
    assert!(gate.wait_for_line("\"WARN\""), "{}", gate.output());
    assert_eq!(
        status(&gate, &tokens::rsa().sign("RS256", &tokens::good_claims())),
        200
    );
}

#[test]
fn s1_1_algorithms_narrows_what_the_key_allows() {
    let gate = audience()
        .file("key.pem", tokens::rsa().public_pem())
        .top("signing_certificate = \"{dir}/key.pem\"\nalgorithms = [\"RS256\", \"PS512\"]")
        .start();
    for (algorithm, expected) in [
        ("RS256", 200),
        ("PS512", 200),
        ("RS512", 401),
        ("PS256", 401),
    ] {
        assert_eq!(
            status(
                &gate,
                &tokens::rsa().sign(algorithm, &tokens::good_claims())
            ),
            expected,
            "{algorithm}"
        );
    }
    let one = Settings::hmac().top("algorithms = \"HS384\"").start();
    assert_eq!(status(&one, &tokens::good()), 401);
}

#[test]
fn s1_2_none_in_any_spelling_is_refused() {
    let gate = Settings::hmac().start();
    for name in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "null",
        "HS256 ",
        "hs256",
        "HS256\u{0}",
        "ES256K",
        "RS1",
    ] {
        let claims = tokens::good_claims();
        for signature in [&b""[..], &b"x"[..], &[0; 32][..]] {
            let token = tokens::compact(&json!({"alg": name}), &claims, signature);
            assert_eq!(status(&gate, &token), 401, "{name:?}");
        }
    }
    for header in [
        json!({}),
        json!({"alg": null}),
        json!({"alg": ["HS256"]}),
        json!({"alg": 256}),
        json!({"alg": true}),
    ] {
        assert_eq!(
            status(
                &gate,
                &tokens::compact(&header, &tokens::good_claims(), b"")
            ),
            401,
            "{header}"
        );
    }
}

#[test]
fn s1_4_a_public_key_is_no_hmac_secret_in_any_encoding() {
    let key = tokens::rsa();
    let gate = audience()
        .file("key.pem", key.public_pem())
        .top("signing_certificate = \"{dir}/key.pem\"")
        .start();
    let pem = key.public_pem();
    let der: Vec<u8> = pem::parse(&pem).expect("a PEM block").into_contents();
    let secrets: [Vec<u8>; 7] = [
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        pem.replace('\n', "\r\n").into_bytes(),
        der.clone(),
        STANDARD.encode(&der).into_bytes(),
        key.certificate_pem().into_bytes(),
        key.jwk("k").to_string().into_bytes(),
    ];
    for secret in secrets {
        for algorithm in ["HS256", "HS384", "HS512"] {
            let token = tokens::hmac(&secret, &tokens::header(algorithm), &tokens::good_claims());
            assert_eq!(
                status(&gate, &token),
                401,
                "{algorithm} {}",
                String::from_utf8_lossy(&secret)
            );
        }
    }
    all_pass(&gate, key);
}

#[test]
fn s1_6_algorithms_that_do_not_fit_the_key_are_refused_at_start() {
    let with_key = || {
        audience()
            .file("key.pem", tokens::rsa().public_pem())
            .top("signing_certificate = \"{dir}/key.pem\"")
    };
    for algorithms in [
        "[\"HS256\"]",
        "[\"RS256\", \"HS256\"]",
        "[\"ES256\"]",
        "[\"none\"]",
        "[]",
        "[\"rs256\"]",
    ] {
        let said = fault(with_key().top(&format!("algorithms = {algorithms}")));
        assert!(said.contains("algorithms"), "{algorithms}: {said}");
    }
    assert!(fault(Settings::hmac().top("algorithms = [\"RS256\"]")).contains("algorithms"));
}

#[test]
fn a_pem_in_secret_is_the_public_key_where_algorithms_say_so_and_else_refused() {
    let key = tokens::rsa();
    let settings = || audience().top(&format!("secret = \"\"\"\n{}\"\"\"", key.public_pem()));
    let gate = settings().top("algorithms = [\"RS256\"]").start();
    assert_eq!(
        status(&gate, &key.sign("RS256", &tokens::good_claims())),
        200
    );
    let forged = tokens::hmac(
        key.public_pem().as_bytes(),
        &tokens::header("HS256"),
        &tokens::good_claims(),
    );
    assert_eq!(status(&gate, &forged), 401);
    assert!(fault(settings()).contains("secret"));
    assert!(fault(settings().top("algorithms = [\"HS256\"]")).contains("secret"));
}

#[test]
fn a_secret_wins_over_a_certificate_with_a_warning() {
    let gate = Settings::hmac()
        .file("key.pem", tokens::rsa().public_pem())
        .top("signing_certificate = \"{dir}/key.pem\"")
        .start();
    assert!(gate.wait_for_line("\"WARN\""), "{}", gate.output());
    assert_eq!(status(&gate, &tokens::good()), 200);
    assert_eq!(
        status(&gate, &tokens::rsa().sign("RS256", &tokens::good_claims())),
        401
    );
}

#[test]
fn s3_4_the_encoding_of_a_secret_is_said_and_never_guessed() {
    let bytes: Vec<u8> = (0..64).map(|index| index * 4 + 1).collect();
    let hex = bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let encodings = [
        ("hex", hex),
        ("base64", STANDARD.encode(&bytes)),
        ("base64url", URL_SAFE_NO_PAD.encode(&bytes)),
    ];
    for (name, encoded) in encodings {
        let token = tokens::hmac(&bytes, &tokens::header("HS512"), &tokens::good_claims());
        let decoded = audience()
            .top(&format!(
                "secret = \"{encoded}\"\nsecret_encoding = \"{name}\""
            ))
            .start();
        assert_eq!(status(&decoded, &token), 200, "{name}");
        let text = audience().top(&format!("secret = \"{encoded}\"")).start();
        assert_eq!(status(&text, &token), 401, "{name}");
        let as_text = tokens::hmac(
            encoded.as_bytes(),
            &tokens::header("HS512"),
            &tokens::good_claims(),
        );
        assert_eq!(status(&text, &as_text), 200, "{name}");
    }
    assert!(fault(audience().top("secret = \"zz\"\nsecret_encoding = \"hex\"")).contains("secret"));
}

#[test]
fn s3_4_one_final_newline_of_a_secret_file_is_removed() {
    for (content, secret) in [
        (SECRET.to_owned(), SECRET.to_owned()),
        (format!("{SECRET}\n"), SECRET.to_owned()),
        (format!("{SECRET}\r\n"), SECRET.to_owned()),
        (format!("{SECRET}\n\n"), format!("{SECRET}\n")),
        (format!(" {SECRET} "), format!(" {SECRET} ")),
    ] {
        let gate = audience()
            .file("secret", content.clone())
            .top("secret_file = \"{dir}/secret\"")
            .start();
        let token = tokens::hmac(
            secret.as_bytes(),
            &tokens::header("HS256"),
            &tokens::good_claims(),
        );
        assert_eq!(status(&gate, &token), 200, "{content:?}");
    }
}

#[test]
fn a_secret_can_come_from_the_environment() {
    let gate = audience().env("JWTGATE_SECRET", SECRET).start();
    assert_eq!(status(&gate, &tokens::good()), 200);
}

#[test]
fn s3_3_a_short_secret_is_refused_at_start_unless_the_danger_is_named() {
    let short = "only-31-bytes-of-secret-are-her";
    assert_eq!(short.len(), 31);
    let settings = || audience().top(&format!("secret = \"{short}\"\nalgorithms = [\"HS256\"]"));
    let said = fault(settings());
    assert!(said.contains("secret") && said.contains("32"), "{said}");
    assert!(!said.contains(short), "{said}");
    let gate = settings().top("danger_allow_weak_secret = true").start();
    assert!(gate.wait_for_line("\"WARN\""), "{}", gate.output());
    assert_eq!(
        status(
            &gate,
            &tokens::hmac(
                short.as_bytes(),
                &tokens::header("HS256"),
                &tokens::good_claims()
            )
        ),
        200
    );
    fault(audience().top("secret = \"\"\ndanger_allow_weak_secret = true"));
}

#[test]
fn a_secret_between_two_hashes_is_good_for_those_it_reaches() {
    let secret = &SECRET[..48];
    let gate = audience().top(&format!("secret = \"{secret}\"")).start();
    for (algorithm, expected) in [("HS256", 200), ("HS384", 200), ("HS512", 401)] {
        let token = tokens::hmac(
            secret.as_bytes(),
            &tokens::header(algorithm),
            &tokens::good_claims(),
        );
        assert_eq!(status(&gate, &token), expected, "{algorithm}");
    }
    fault(audience().top(&format!("secret = \"{secret}\"\nalgorithms = [\"HS512\"]")));
}

#[test]
fn no_key_two_key_sources_and_unreadable_files_are_refused_at_start() {
    fault(audience());
    fault(audience().top("signing_certificate = \"{dir}/absent.pem\""));
    fault(
        audience()
            .file("empty.pem", "")
            .top("signing_certificate = \"{dir}/empty.pem\""),
    );
    fault(
        audience()
            .file("text.pem", "no key")
            .top("signing_certificate = \"{dir}/text.pem\""),
    );
    fault(
        audience()
            .file("private.pem", tokens::rsa().private_pem())
            .top("signing_certificate = \"{dir}/private.pem\""),
    );
    fault(
        audience()
            .file("key.pem", tokens::rsa().public_pem())
            .top("signing_certificate = \"{dir}/key.pem\"\njwks = '{\"keys\": []}'"),
    );
    fault(
        Settings::hmac()
            .file("secret", SECRET)
            .top("secret_file = \"{dir}/secret\""),
    );
}
