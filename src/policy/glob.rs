//! Patterns of paths, as regular expressions: `*` stands for anything within a segment, `**` for any number of segments, `?` for one
//! character of a segment, `{a,b}` for either, `\\` takes the next sign as it is. No classes: one could take a slash in.

use std::fmt::Write as _;

use regex::Regex;

/// Why a text is no pattern.
pub(super) type NoGlob = &'static str;

/// The regular expression of a pattern, which must match the whole path. Like a plain path, it fits with or without a slash at the end.
///
/// # Errors
/// Why it is none.
pub(super) fn expression(glob: &str, ignores_case: bool) -> Result<String, NoGlob> {
    let rest = match glob.strip_prefix('/') {
        Some(rest) => rest,
        None if glob == "**" || glob.starts_with("**/") => glob,
        None => return Err("it begins with `/`, as every path does"),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let mut expression = String::from(r"\A");
    let mut segments = rest.split('/').peekable();
    while let Some(part) = segments.next() {
        match (part, segments.peek()) {
            ("**", Some(_)) => expression.push_str("(?:/[^/]+)*"),
            ("**", None) => expression.push_str("/.*"),
            ("", None) if rest.is_empty() => {}
            ("", _) => return Err("no request has `//` once its path is in one form"),
            (part, _) => {
                expression.push('/');
                expression.push_str(&segment(part, ignores_case)?);
            }
        }
    }
    expression.push_str(r"/?\z");
    Ok(expression)
}

/// The expression of one segment.
fn segment(glob: &str, ignores_case: bool) -> Result<String, NoGlob> {
    let mut expression = String::new();
    let mut characters = glob.chars();
    let (mut depth, mut is_plain) = (0_u32, true);
    while let Some(character) = characters.next() {
        match character {
            '*' if characters.as_str().starts_with('*') => {
                return Err("`**` stands for whole segments: write `/**/`, or `/**` at the end");
            }
            '*' | '?' => {
                is_plain = false;
                expression.push_str(if character == '*' { "[^/]*" } else { "[^/]" });
            }
            '{' => {
                depth += 1;
                expression.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                expression.push(')');
            }
            '}' => {
                return Err(
                    "a closing brace without an opening one (`{a,b}` stands within one segment)",
                );
            }
            ',' if depth > 0 => expression.push('|'),
            '[' | ']' => return Err("classes are for `path_regex`"),
            '%' | ';' => {
                return Err(
                    "it is compared with the decoded path: write the character itself; `;` is never part of one",
                );
            }
            '\\' => {
                let next = characters.next().ok_or("a backslash at the end")?;
                literal(next, ignores_case, &mut expression);
            }
            other => literal(other, ignores_case, &mut expression),
        }
    }
    if depth > 0 {
        return Err("a brace that is not closed (`{a,b}` stands within one segment)");
    }
    let whole =
        Regex::new(&format!(r"\A(?:{expression})\z")).map_err(|_| "too large or too deep")?;
    if is_plain && ["", ".", ".."].into_iter().any(|dots| whole.is_match(dots)) {
        return Err("no request has dot segments once its path is in one form");
    }
    Ok(expression)
}

fn literal(character: char, ignores_case: bool, expression: &mut String) {
    if ignores_case && character.is_ascii_alphabetic() {
        let (small, large) = (
            character.to_ascii_lowercase(),
            character.to_ascii_uppercase(),
        );
        let _ = write!(expression, "[{small}{large}]");
    } else {
        expression.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(glob: &str, path: &str) -> bool {
        let expression = expression(glob, false).unwrap();
        Regex::new(&expression).unwrap().is_match(path)
    }

    #[test]
    fn patterns_keep_to_segments() {
        for (glob, path) in [
            ("/a/*", "/a/b"),
            ("/a/*", "/a/b/"),
            ("/a/*/c", "/a/b/c"),
            ("/a/**", "/a/"),
            ("/a/**", "/a/b/c"),
            ("/a/**/z", "/a/z"),
            ("/a/**/z", "/a/b/c/z"),
            ("**/z", "/z"),
            ("**/z", "/a/b/z"),
            ("/caf?", "/café"),
            ("/{a,b}c/x", "/bc/x"),
            ("/a/", "/a"),
            ("/**/**/b", "/b"),
            ("/", "/"),
            (r"/\*", "/*"),
            ("/a.b", "/a.b"),
        ] {
            assert!(fits(glob, path), "{glob} {path}");
        }
        for (glob, path) in [
            ("/a/*", "/a"),
            ("/a/*", "/a/b/c"),
            ("/a/**", "/a"),
            ("/a/**", "/ab"),
            ("/a?c", "/a/c"),
            ("/a.b", "/axb"),
            ("/a/**/z", "/a/bz"),
            ("/a", "/b/a"),
            ("/a", "/a\nb"),
        ] {
            assert!(!fits(glob, path), "{glob} {path}");
        }
    }

    #[test]
    fn what_no_path_could_fit_is_told() {
        for glob in [
            "a",
            "*",
            "",
            "/a//b",
            "/a/../b",
            "/{a",
            "/a}",
            "/[ab]",
            "/a%20b",
            "/a;b",
            "/a**",
            "/a**/b",
            "/{a,..}/b",
            "/a/.",
            "/{a/,b}/c",
            "/a\\",
        ] {
            assert!(expression(glob, false).is_err(), "{glob}");
        }
    }

    /// The patterns that are taken, though they should not be.
    fn taken<'g>(globs: &[&'g str]) -> Vec<&'g str> {
        let is_taken = |glob: &&str| expression(glob, false).is_ok();
        globs.iter().copied().filter(is_taken).collect()
    }

    #[test]
    fn nothing_in_a_pattern_is_a_part_of_an_expression() {
        for (glob, only) in [
            ("/a.b", "/a.b"),
            ("/a+", "/a+"),
            ("/(a)", "/(a)"),
            ("/a|b", "/a|b"),
            ("/^a$", "/^a$"),
            ("/(?i)a", "/(xi)a"),
            ("/a#b", "/a#b"),
            ("/a-b&&c~~d", "/a-b&&c~~d"),
            (r"/\\d", r"/\d"),
            (r"/\d", "/d"),
            (r"/\[a\]", "/[a]"),
            (r"/\{a,b\}", "/{a,b}"),
            (r"/\?", "/?"),
            (r"/{a\,b,c}", "/a,b"),
            (r"/{a\}b,c}", "/a}b"),
            ("/a,b", "/a,b"),
            ("/a b", "/a b"),
        ] {
            assert!(fits(glob, only), "{glob} {only}");
            for other in ["/a", "/b", "/", "/A", "/aa", "/5", "/axb", "/ab", ""] {
                assert!(other == only || !fits(glob, other), "{glob} {other}");
            }
        }
    }

    #[test]
    fn braces_hold_together_what_they_enclose() {
        for (glob, good, bad) in [
            (
                "/{a,b}",
                &["/a", "/b/"][..],
                &["/", "/ab", "/a/b", "/a,b"][..],
            ),
            ("/{a,{b,c}d}", &["/a", "/bd", "/cd"], &["/b", "/ad", "/c"]),
            ("/{,a}b", &["/b", "/ab"], &["/a", "/aab"]),
            ("/{}b", &["/b"], &["/{}b"]),
            ("/{a*,?}/x", &["/abc/x", "/z/x"], &["/zz/x", "/a/b/x"]),
        ] {
            for path in good {
                assert!(fits(glob, path), "{glob} {path}");
            }
            for path in bad {
                assert!(!fits(glob, path), "{glob} {path}");
            }
        }
    }

    #[test]
    fn ascii_letters_are_alike_where_the_case_is_ignored_and_no_others() {
        let expression = expression("/Ke\u{e9}s*", true).unwrap();
        let pattern = Regex::new(&expression).unwrap();
        for path in ["/ke\u{e9}s", "/KE\u{e9}SX"] {
            assert!(pattern.is_match(path), "{path}");
        }
        for path in ["/KE\u{c9}S", "/\u{212a}e\u{e9}s", "/ke\u{e9}\u{17f}"] {
            assert!(!pattern.is_match(path), "{path}");
        }
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let path = format!("/{}", "a".repeat(2000));
        for glob in [
            format!("/{}b", "*a".repeat(100)),
            format!("/{}b", "{a,a,}".repeat(100)),
            format!("{}/b", "/**/a".repeat(100)),
            format!("/{}", "?".repeat(500)),
        ] {
            assert!(!fits(&glob, &path), "{glob}");
        }
    }

    #[test]
    fn two_stars_that_are_no_whole_segment_are_told() {
        assert_eq!(
            taken(&["/a**/b", "/*a**/b", "/?**/b", "/{**/a,b}"]),
            [""; 0]
        );
    }

    #[test]
    fn two_stars_twice_are_as_good_as_once_or_told() {
        for glob in ["/**/**/b", "**/**/b", "/a/**/**/b"] {
            assert!(
                expression(glob, false).is_err() || fits(glob, "/a/x/b"),
                "{glob}"
            );
        }
    }

    #[test]
    fn a_slash_at_the_end_of_a_pattern_is_optional() {
        for (glob, path) in [("/admin/", "/admin"), ("/*/x/", "/a/x")] {
            assert!(fits(glob, path), "{glob} {path}");
        }
    }

    #[test]
    fn every_dot_segment_and_empty_one_is_told() {
        assert_eq!(
            taken(&[
                "/a/.",
                "/.",
                "/{a,..}/b",
                "/{.,a}",
                "**/./a",
                r"/\./a",
                "/{a/,b}/c"
            ]),
            [""; 0]
        );
    }
}
