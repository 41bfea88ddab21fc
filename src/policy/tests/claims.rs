//! Tests of claims: every operator against every kind of JSON value.

use serde_json::{Value, json};

use super::{ALICE, Person, condition};

/// Every kind of JSON value; the empty text stands for a claim that is not there.
const VALUES: &[&str] = &[
    "",
    "null",
    "true",
    "false",
    "0",
    "-0",
    "0.0",
    "1",
    "1.0",
    "1e0",
    "-1",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e308",
    r#""""#,
    r#""0""#,
    r#""1""#,
    r#""true""#,
    r#""null""#,
    r#""a""#,
    r#""A""#,
    r#""ab""#,
    r#"" a""#,
    r#""a ""#,
    r#""a\n""#,
    r#""a\u0000""#,
    "\"\u{ff41}\"",
    "\"\u{430}\"",
    r#""k""#,
    "\"\u{212a}\"",
    "[]",
    "[null]",
    "[1]",
    r#"["1"]"#,
    "[true]",
    r#"["a"]"#,
    r#"["b","a"]"#,
    r#"[1,"a",null,{}]"#,
    r#"[["a"]]"#,
    r#"["ab"]"#,
    "{}",
    r#"{"a":1}"#,
    r#"{"c":"a"}"#,
];

fn told(test: &Value, claims: &str) -> Option<bool> {
    let person = Person { claims, ..ALICE };
    person.meets(&condition(&json!({ "claims": [test] })))
}

fn holds(test: &Value, claims: &str) -> bool {
    told(test, claims) == Some(true)
}

/// The values of the claim `c` that an operator fits, out of all of them.
#[track_caller]
fn fits_only(operator: &str, wanted: &Value, expected: &[&str]) {
    let test = json!({ "claim": "c", operator: wanted });
    let fits = |value: &&str| match *value {
        "" => holds(&test, "{}"),
        value => holds(&test, &format!(r#"{{"c":{value}}}"#)),
    };
    let found: Vec<&str> = VALUES.iter().copied().filter(fits).collect();
    assert_eq!(found, expected, "{operator} {wanted}");
}

#[test]
fn equals_takes_the_same_value_of_the_same_type_and_nothing_that_looks_like_it() {
    for (wanted, only) in [
        (json!("1"), r#""1""#),
        (json!("0"), r#""0""#),
        (json!(-1), "-1"),
        (json!(-1.0), "-1"),
        (json!(1e308), "1e308"),
        (json!("true"), r#""true""#),
        (json!(true), "true"),
        (json!(false), "false"),
        (json!(""), r#""""#),
        (json!("null"), r#""null""#),
        (json!("a"), r#""a""#),
        (json!("k"), r#""k""#),
        (json!("\u{212a}"), "\"\u{212a}\""),
        (json!("a\n"), r#""a\n""#),
    ] {
        fits_only("equals", &wanted, &[only]);
    }
    // Numbers count by their value, however they are written.
    for (wanted, only) in [
        (json!(1), &["1", "1.0", "1e0"]),
        (json!(1.0), &["1", "1.0", "1e0"]),
        (json!(0), &["0", "-0", "0.0"]),
        (json!(-0.0), &["0", "-0", "0.0"]),
    ] {
        fits_only("equals", &wanted, only);
    }
    for nothing in [
        json!("[]"),
        json!("{}"),
        json!(2),
        json!("-1"),
        json!(1.5),
        json!(-2),
    ] {
        fits_only("equals", &nothing, &[]);
    }
}

#[test]
fn one_of_takes_single_values_and_no_list_that_holds_one() {
    fits_only("one_of", &json!(["a"]), &[r#""a""#]);
    fits_only("one_of", &json!(["b", "ab", "a"]), &[r#""a""#, r#""ab""#]);
    let mixed = ["true", "0", "-0", "0.0", r#""1""#];
    fits_only("one_of", &json!(["1", true, 0]), &mixed);
    fits_only("one_of", &json!(["x", 9]), &[]);
}

#[test]
fn contains_takes_items_of_a_list_and_never_parts_of_a_text() {
    let lists = [r#"["a"]"#, r#"["b","a"]"#, r#"[1,"a",null,{}]"#];
    let with_a = [r#""a""#, lists[0], lists[1], lists[2]];
    fits_only("contains", &json!(["a"]), &with_a);
    fits_only("contains", &json!(["zz", "a"]), &with_a);
    let with_one = ["1", "1.0", "1e0", "[1]", lists[2]];
    fits_only("contains", &json!([1]), &with_one);
    fits_only("contains", &json!(["1"]), &[r#""1""#, r#"["1"]"#]);
    fits_only("contains", &json!([true]), &["true", "[true]"]);
    fits_only("contains", &json!(["true"]), &[r#""true""#]);
    fits_only("contains", &json!([""]), &[r#""""#]);
    fits_only("contains", &json!(["null"]), &[r#""null""#]);
    fits_only("contains", &json!(["c"]), &[]);
}

#[test]
fn matches_takes_texts_as_a_whole_and_no_other_type() {
    let with_a = [r#""a""#, r#"["a"]"#, r#"["b","a"]"#, r#"[1,"a",null,{}]"#];
    fits_only("matches", &json!("a"), &with_a);
    fits_only("matches", &json!("^a$"), &with_a);
    fits_only("matches", &json!("(?m)^a$"), &with_a);
    fits_only("matches", &json!(""), &[r#""""#]);
    fits_only(
        "matches",
        &json!("[0-9]+"),
        &[r#""0""#, r#""1""#, r#"["1"]"#],
    );
    fits_only("matches", &json!("true|null"), &[r#""true""#, r#""null""#]);
    fits_only("matches", &json!("(?-u:\\w)b|x"), &[r#""ab""#, r#"["ab"]"#]);
    fits_only("matches", &json!("[kK]"), &[r#""k""#]);
    fits_only("matches", &json!("\u{430}"), &["\"\u{430}\""]);
}

#[test]
fn exists_tells_null_and_missing_from_everything_else() {
    fits_only("exists", &json!(true), &VALUES[2..]);
    fits_only("exists", &json!(false), &VALUES[..2]);
}

#[test]
fn texts_are_compared_by_their_characters_and_never_folded() {
    for (wanted, sent, expected) in [
        // An escape in JSON is another spelling of the same text.
        ("admin", r"\u0061dmin", true),
        ("a/b", r"a\/b", true),
        ("\u{1f600}", r"\ud83d\ude00", true),
        ("admin", "\u{430}dmin", false),
        ("admin", "\u{ff41}\u{ff44}\u{ff4d}\u{ff49}\u{ff4e}", false),
        ("admin", "admin\u{200b}", false),
        ("admin", "\u{feff}admin", false),
        ("admin", r"admin\u0000", false),
        ("admin", r"admin\u0000x", false),
        ("admin", "Admin", false),
        ("admin", "admin ", false),
        ("admin", "adm\u{131}n", false),
        ("K", "\u{212a}", false),
        ("s", "\u{17f}", false),
        ("stra\u{df}e", "strasse", false),
        ("caf\u{e9}", "cafe\u{301}", false),
        ("\u{fb01}", "fi", false),
    ] {
        let claims = format!(r#"{{"c":"{sent}","l":["{sent}"]}}"#);
        for test in [
            json!({ "claim": "c", "equals": wanted }),
            json!({ "claim": "c", "one_of": ["other", wanted] }),
            json!({ "claim": "l", "contains": [wanted] }),
            json!({ "claim": "l", "matches": wanted }),
        ] {
            assert_eq!(told(&test, &claims), Some(expected), "{test} {claims}");
        }
    }
}

#[test]
fn a_forgotten_anchor_a_line_break_or_an_alternation_lets_nobody_in() {
    for (pattern, text, expected) in [
        ("L[5-9]", "L5", true),
        ("L[5-9]", "L55", false),
        ("L[5-9]", "XL5", false),
        ("L[5-9]", r"L5\n", false),
        ("L[5-9]", r"\nL5", false),
        ("L[5-9]", r"x\nL5\ny", false),
        ("(?m)^L5$", r"x\nL5", false),
        ("(?m)L5$", r"L5\nx", false),
        ("L5$", r"L5\n", false),
        ("L5\\n?", r"L5\n", true),
        (".*", r"a\nb", false),
        ("(?s).*", r"a\nb", true),
        (".*", r"a\u2028b", true),
        // The anchors hold each of the alternatives.
        ("a|b", "a", true),
        ("a|b", "b", true),
        ("a|b", "ab", false),
        ("a|b", "xb", false),
        ("a|b", "ax", false),
        ("a|ab", "ab", true),
        ("|a", "", true),
        ("|a", "xa", false),
        // Switches end with the brackets around the expression.
        ("(?i)ADMIN", "admin", true),
        ("(?x) a b ", "ab", true),
        ("(?x) a b ", "ab ", false),
        ("(?U)a+", "aaa", true),
    ] {
        let test = json!({ "claim": "c", "matches": pattern });
        let claims = format!(r#"{{"c":"{text}"}}"#);
        assert_eq!(told(&test, &claims), Some(expected), "{pattern:?} {text:?}");
        // Items are judged one by one and never glued together.
        let claims = format!(r#"{{"c":[0,["{text}"],null,"{text}"]}}"#);
        assert_eq!(holds(&test, &claims), expected, "{pattern:?} in a list");
    }
    let glued = json!({ "claim": "c", "matches": "a,?\"?b" });
    assert!(!holds(&glued, r#"{"c":["a","b"]}"#));
}

#[test]
fn huge_texts_and_lists_are_judged_whole() {
    let million = "a".repeat(1_000_000);
    for (pattern, expected) in [
        ("a*", true),
        ("(a*)*", true),
        ("(a|aa)+", true),
        ("(a*)*b", false),
        ("[a-z]{1,200}", false),
    ] {
        let test = json!({ "claim": "c", "matches": pattern });
        let claims = format!(r#"{{"c":"{million}"}}"#);
        assert_eq!(holds(&test, &claims), expected, "{pattern}");
    }
    // The last character and the last item count as much as the first.
    let equals = json!({ "claim": "c", "equals": million });
    assert!(holds(&equals, &format!(r#"{{"c":"{million}"}}"#)));
    assert!(!holds(&equals, &format!(r#"{{"c":"{million}a"}}"#)));
    let last = million.replacen('a', "b", 1);
    assert!(!holds(&equals, &format!(r#"{{"c":"{last}"}}"#)));
    let many = format!(r#"{{"c":[{}"needle"]}}"#, r#""hay","#.repeat(50_000));
    assert!(holds(
        &json!({ "claim": "c", "contains": ["needle"] }),
        &many
    ));
    assert!(holds(&json!({ "claim": "c", "matches": "need.*" }), &many));
    assert!(!holds(
        &json!({ "claim": "c", "contains": ["need"] }),
        &many
    ));
}

/// A way to name a claim, and claims of which one may be meant; it says `yes` where it is.
const NAMES: &[(&str, &str, bool)] = &[
    ("role", r#"{"role":"yes"}"#, true),
    ("role", r#"{"Role":"yes"}"#, false),
    ("role", r#"{"role ":"yes"}"#, false),
    ("role", r#"{" role":"yes"}"#, false),
    ("role", r#"{"rolе":"yes"}"#, false),
    ("role", r#"{"x":{"role":"yes"}}"#, false),
    // A literal name goes before a path, also where it says something else.
    ("a.b", r#"{"a.b":"yes"}"#, true),
    ("a.b", r#"{"a":{"b":"yes"}}"#, true),
    ("a.b", r#"{"a.b":"no","a":{"b":"yes"}}"#, false),
    ("a.b", r#"{"a.b":null,"a":{"b":"yes"}}"#, false),
    ("a.b", r#"{"a":null,"b":"yes"}"#, false),
    ("a.b", r#"{"a":"yes"}"#, false),
    ("a.b", r#"{"b":"yes"}"#, false),
    ("a.b.c", r#"{"a.b":{"c":"yes"}}"#, true),
    ("a.b.c", r#"{"a":{"b.c":"yes"}}"#, false),
    ("a..b", r#"{"a":{"":{"b":"yes"}}}"#, true),
    (".a", r#"{"":{"a":"yes"}}"#, true),
    ("a.", r#"{"a":"yes"}"#, false),
    (
        "kubernetes.io.ns",
        r#"{"kubernetes.io":{"ns":"yes"}}"#,
        true,
    ),
    ("urn:x:y", r#"{"urn:x:y":"yes"}"#, true),
    ("urn:x:y", r#"{"urn":{"x":{"y":"yes"}}}"#, false),
    ("https://e.com/r", r#"{"https://e.com/r":"yes"}"#, true),
    ("https://e.com/r", r#"{"https://e.com/r/":"yes"}"#, false),
    ("https://e.com/r", r#"{"https://e":{"com/r":"yes"}}"#, true),
    ("/https:~1~1e.com~1r", r#"{"https://e.com/r":"yes"}"#, true),
    ("/a~0b", r#"{"a~b":"yes"}"#, true),
    ("/a~0b", r#"{"a~0b":"yes"}"#, false),
    // `~01` is `~1`, and not `/`.
    ("/~01", r#"{"~1":"yes"}"#, true),
    ("/~01", r#"{"/":"yes"}"#, false),
    ("/a.b", r#"{"a":{"b":"yes"}}"#, false),
    ("/a.b", r#"{"a.b":"yes"}"#, true),
    ("/", r#"{"":"yes"}"#, true),
    ("/a/", r#"{"a":{"":"yes"}}"#, true),
    ("/a/", r#"{"a":"yes"}"#, false),
    ("/a/b", r#"{"a/b":"yes"}"#, false),
    ("/l/1", r#"{"l":["no","yes"]}"#, true),
    ("l.1", r#"{"l":["no","yes"]}"#, true),
    ("/l/1", r#"{"l":{"1":"yes"}}"#, true),
    ("/l/01", r#"{"l":["no","yes"]}"#, false),
    ("/l/+1", r#"{"l":["no","yes"]}"#, false),
    ("/l/-1", r#"{"l":["no","yes"]}"#, false),
    ("/l/-", r#"{"l":["no","yes"]}"#, false),
    ("/l/１", r#"{"l":["no","yes"]}"#, false),
    ("/l/18446744073709551617", r#"{"l":["no","yes"]}"#, false),
    ("/s/0", r#"{"s":"yes"}"#, false),
];

#[test]
fn a_claim_is_found_by_its_exact_name_path_or_pointer() {
    for &(claim, claims, expected) in NAMES {
        let test = json!({ "claim": claim, "equals": "yes" });
        assert_eq!(told(&test, claims), Some(expected), "{claim} {claims}");
    }
}

#[test]
fn every_test_of_a_list_must_hold() {
    let both = condition(&json!({ "claims": [
        { "claim": "a", "equals": 1 },
        { "claim": "b", "exists": false },
    ] }));
    for (claims, expected) in [
        (r#"{"a":1}"#, Some(true)),
        (r#"{"a":1,"b":null}"#, Some(true)),
        (r#"{"a":1,"b":0}"#, Some(false)),
        (r#"{"a":2}"#, Some(false)),
        (r#"{"a":"1"}"#, None),
        (r#"{"a":"1","b":0}"#, Some(false)),
        ("{}", Some(false)),
    ] {
        let person = Person { claims, ..ALICE };
        assert_eq!(person.meets(&both), expected, "{claims}");
    }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

/// A value of the claim `c`, the empty text for none, and what is told of it: equal to `"a"`, one of `"a"` and 1, containing `"a"`, containing
/// `"a"` or 1, matching `a`.
type Told = (&'static str, [Option<bool>; 5]);

const TOLD: &[Told] = &[
    ("", [NO; 5]),
    ("null", [NO; 5]),
    (r#""a""#, [YES; 5]),
    (r#""b""#, [NO; 5]),
    ("1", [None, YES, None, YES, None]),
    ("2", [None, NO, None, NO, None]),
    ("-1.5", [None, NO, None, NO, None]),
    ("true", [None; 5]),
    ("{}", [None; 5]),
    (r#"{"a":"a"}"#, [None; 5]),
    ("[]", [None, None, NO, NO, NO]),
    (r#"["a"]"#, [None, None, YES, YES, YES]),
    (r#"["b","c"]"#, [None, None, NO, NO, NO]),
    // One hit is enough, whatever else is in the list; without one, nothing of it may be odd.
    (r#"[null,1,"a"]"#, [None, None, YES, YES, YES]),
    (r#"["b",2]"#, [None, None, None, NO, None]),
    (r#"["b",1]"#, [None, None, None, YES, None]),
    (r#"["b",null]"#, [None; 5]),
    (r#"["b",["a"]]"#, [None; 5]),
    ("[true]", [None; 5]),
];

#[test]
fn a_claim_of_another_type_is_no_yes_and_no_no() {
    let tests = [
        json!({ "claim": "c", "equals": "a" }),
        json!({ "claim": "c", "one_of": ["a", 1] }),
        json!({ "claim": "c", "contains": ["a"] }),
        json!({ "claim": "c", "contains": ["a", 1] }),
        json!({ "claim": "c", "matches": "a" }),
    ];
    for (value, expected) in TOLD {
        let claims = match *value {
            "" => "{}".to_owned(),
            value => format!(r#"{{"c":{value}}}"#),
        };
        for (test, expected) in tests.iter().zip(expected) {
            assert_eq!(told(test, &claims), *expected, "{test} {claims}");
            // Neither does a negation get around it.
            let person = Person {
                claims: &claims,
                ..ALICE
            };
            let not = condition(&json!({ "not": { "claims": [test] } }));
            assert_eq!(person.meets(&not), expected.map(|is| !is), "{test}");
        }
    }
}

#[test]
fn numbers_below_nothing_and_with_a_fraction_are_compared_by_value() {
    for (wanted, found, expected) in [
        (json!(-1), "-1", true),
        (json!(-1), "-1.0", true),
        (json!(-1), "1", false),
        (json!(1), "-1", false),
        (json!(i64::MIN), "-9223372036854775808", true),
        (json!(i64::MIN), "-9223372036854775807", false),
        (json!(1.5), "1.5", true),
        (json!(1.5), "15e-1", true),
        (json!(1.5), "1", false),
        (json!(1.5), "2", false),
        (json!(-1.5), "-1.5", true),
        (json!(-1.5), "1.5", false),
        (json!(0.1), "0.1", true),
        (json!(100), "1e2", true),
        (json!(100.0), "100", true),
        // Beyond what a double can tell apart, whole numbers still are.
        (json!(9_007_199_254_740_993_u64), "9007199254740992", false),
        (json!(u64::MAX), "18446744073709551615", true),
        (json!(u64::MAX), "18446744073709551614", false),
    ] {
        let claims = format!(r#"{{"c":{found},"l":[{found}]}}"#);
        for test in [
            json!({ "claim": "c", "equals": wanted }),
            json!({ "claim": "c", "one_of": [wanted] }),
            json!({ "claim": "l", "contains": [wanted] }),
        ] {
            assert_eq!(told(&test, &claims), Some(expected), "{test} {claims}");
        }
    }
}

#[test]
fn a_claim_that_stands_elsewhere_is_neither_there_nor_absent() {
    for (claim, claims) in [
        ("groups", r#"{"_claim_names":{"groups":"src1"}}"#),
        (
            "groups",
            r#"{"groups":["a"],"_claim_names":{"groups":"s"}}"#,
        ),
        ("groups", r#"{"hasgroups":true}"#),
        ("groups", r#"{"groups":["a"],"hasgroups":"true"}"#),
        ("org.role", r#"{"_claim_names":{"org":"src1"}}"#),
        ("org.role", r#"{"_claim_names":{"org.role":"src1"}}"#),
        ("a", r#"{"a":"a","_claim_names":["b"]}"#),
        ("a", r#"{"a":"a","_claim_names":"b"}"#),
    ] {
        for test in [
            json!({ "claim": claim, "exists": true }),
            json!({ "claim": claim, "exists": false }),
            json!({ "claim": claim, "equals": "a" }),
            json!({ "claim": claim, "contains": ["a"] }),
            json!({ "claim": claim, "matches": ".*" }),
        ] {
            assert_eq!(told(&test, claims), None, "{test} {claims}");
        }
    }
    let other = json!({ "claim": "roles", "exists": false });
    assert_eq!(told(&other, r#"{"hasgroups":true}"#), Some(true));
}

#[test]
fn numbers_that_a_double_cannot_tell_apart_are_not_equal() {
    for (wanted, found) in [
        (json!(9_007_199_254_740_993_u64), "9007199254740992.0"),
        (json!(u64::MAX), "18446744073709551616"),
        (json!(i64::MIN + 1), "-9223372036854775808.0"),
    ] {
        let test = json!({ "claim": "c", "equals": wanted });
        assert!(!holds(&test, &format!(r#"{{"c":{found}}}"#)), "{wanted}");
    }
}
