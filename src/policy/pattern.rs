//! Regular expressions of a configuration: whole matches only, in linear time, bounded in size.

use regex::{Regex, RegexBuilder};

use crate::config::Fault;

/// A regular expression that must match a text as a whole, so that a forgotten anchor lets nobody in.
#[derive(Clone, Debug)]
pub struct FullMatch(Regex);

const OPENING: &str = r"\A(?:";
const CLOSING: &str = r")\z";

/// The most memory that one compiled expression may take.
pub(super) const MAX_COMPILED: usize = 1024 * 1024;

impl FullMatch {
    /// Compiles an expression. `path` names the key in the fault.
    ///
    /// # Errors
    /// It is no regular expression, or too large a one.
    pub fn compile(path: &str, text: &str) -> Result<Self, Fault> {
        anchored(text)
            .and_then(|whole| RegexBuilder::new(&whole).size_limit(MAX_COMPILED).build())
            .map(Self)
            .map_err(|error| not_an_expression(path, text, &error))
    }

    /// Whether it matches the whole text.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The expression as it is written in the configuration.
    #[must_use]
    pub fn text(&self) -> &str {
        let whole = self.0.as_str();
        let inner = whole.strip_prefix(OPENING);
        inner
            .and_then(|inner| inner.strip_suffix(CLOSING))
            .unwrap_or(whole)
    }

    /// What its first group matched, or the whole without one; `None` where it does not match.
    #[must_use]
    pub fn captured<'t>(&self, text: &'t str) -> Option<&'t str> {
        let captures = self.0.captures(text)?;
        let group = usize::from(self.0.captures_len() > 1);
        captures.get(group).map(|found| found.as_str())
    }
}

/// The expression with an anchor at each end (`\z`, not `$`, which in multi-line mode matches before a line break too).
///
/// # Errors
/// It is no expression by itself: `a)|(.*` would break out of the brackets and undo the anchors.
pub(super) fn anchored(text: &str) -> Result<String, regex::Error> {
    RegexBuilder::new(text).size_limit(MAX_COMPILED).build()?;
    Ok(format!("{OPENING}{text}{CLOSING}"))
}

pub(super) fn not_an_expression(path: &str, text: &str, error: &regex::Error) -> Fault {
    let why = match error {
        regex::Error::CompiledTooBig(_) => "too large once compiled".to_owned(),
        other => other
            .to_string()
            .lines()
            .last()
            .unwrap_or_default()
            .trim_start_matches("error: ")
            .to_owned(),
    };
    Fault::new(
        path,
        format!("`{text}`: {why}"),
        "a regular expression (without look-around and back-references)",
        "it must match the whole text: `.*` in front or behind takes more; in TOML, write it in 'single quotes'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let pattern = FullMatch::compile("p", "a|ab").unwrap();
        assert!(pattern.is_match("a") && pattern.is_match("ab"));
        for text in ["", "xa", "ax", "a\n", "abab", "A"] {
            assert!(!pattern.is_match(text), "{text:?}");
        }
        // An expression cannot break out of its brackets, nor switch the anchors off.
        assert!(FullMatch::compile("p", "a)|(.*").is_err());
        assert!(!FullMatch::compile("p", "(?m)a$").unwrap().is_match("a\nb"));
        assert!(
            !FullMatch::compile("p", "(?x) a # b").is_ok_and(|pattern| pattern.is_match("zzz"))
        );
    }

    #[test]
    fn the_first_group_is_kept() {
        let pattern = FullMatch::compile("p", "CN=([^,]+),.*").unwrap();
        assert_eq!(pattern.captured("CN=ops,OU=x"), Some("ops"));
        assert_eq!(pattern.captured("OU=x"), None);
        assert_eq!(
            FullMatch::compile("p", "a+").unwrap().captured("aa"),
            Some("aa")
        );
        assert_eq!(
            FullMatch::compile("p", "(x)?a").unwrap().captured("a"),
            None
        );
    }

    #[test]
    fn hostile_expressions_are_faults_and_cost_little() {
        for text in ["(", "a{1000}{1000}{1000}", "(?=a)", r"(a)\1", "[z-a]"] {
            let fault = FullMatch::compile("rules[0].path_regex", text).unwrap_err();
            assert!(fault.found.contains(text), "{fault}");
        }
        let slow = FullMatch::compile("p", "(a*)*b").unwrap();
        assert!(!slow.is_match(&"a".repeat(10_000)));
    }
}
