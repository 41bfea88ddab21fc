//! Text with claims in braces: `{given_name} {family_name}`.

use crate::jose::json::Number;
use crate::jose::{ClaimPath, Claims, Json};

use super::field::NoValue;

/// A parsed template.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Claim(ClaimPath),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Why it is none.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.chars().peekable();
        while let Some(character) = rest.next() {
            match (character, rest.peek()) {
                ('{', Some('{')) | ('}', Some('}')) => {
                    rest.next();
                    plain.push(character);
                }
                ('}', _) => return Err("a closing brace without an opening one"),
                ('{', _) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    let mut name = String::new();
                    loop {
                        match rest.next() {
                            Some('}') => break,
                            Some('{') => return Err("a brace within braces"),
                            Some(character) => name.push(character),
                            None => return Err("a brace that is not closed"),
                        }
                    }
                    let claim =
                        ClaimPath::parse(&name).map_err(|_| "braces without a claim in them")?;
                    parts.push(Part::Claim(claim));
                }
                _ => plain.push(character),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        let names_claim = parts.iter().any(|part| matches!(part, Part::Claim(_)));
        names_claim.then_some(Self(parts)).ok_or("no claim")
    }

    /// The text for these claims; `None` where one of them is absent or empty.
    ///
    /// # Errors
    /// One of them is no text and no whole number, or stands elsewhere.
    pub(super) fn fill(&self, claims: &Claims<'_>) -> Result<Option<String>, NoValue> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Claim(path) if claims.stands_elsewhere(path) => {
                    return Err(NoValue::Elsewhere);
                }
                Part::Claim(path) => match path.resolve(claims) {
                    None => return Ok(None),
                    Some(Json::String(text)) if text.is_empty() => return Ok(None),
                    Some(Json::String(text)) => filled.push_str(text),
                    Some(Json::Number(Number::Unsigned(number))) => {
                        filled.push_str(&number.to_string());
                    }
                    Some(_) => return Err(NoValue::WrongType),
                },
            }
        }
        Ok(Some(filled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, claims: &str) -> Result<Option<String>, NoValue> {
        let template = Template::parse(template).unwrap_or_else(|why| panic!("{template}: {why}"));
        template.fill(&Claims::parse(claims.as_bytes()).unwrap())
    }

    #[test]
    fn claims_stand_in_braces_and_two_braces_for_one() {
        let claims =
            r#"{"a":"A","b":"{a}","a.b":"dot","o":{"c":"deep"},"l":["x","y"],"s/t":"slash","n":7}"#;
        for (template, expected) in [
            ("{a}", "A"),
            ("{a}{a}", "AA"),
            ("<{a} {n}>", "<A 7>"),
            ("{{{a}}}", "{A}"),
            ("{{a}}{a}", "{a}A"),
            ("{{{{{a}", "{{A"),
            ("}}{a}{{", "}A{"),
            ("{a.b}/{o.c}/{l.1}", "dot/deep/y"),
            ("{/s~1t}{/o/c}", "slashdeep"),
            ("é{a}\u{1f600}", "éA\u{1f600}"),
            // What a claim says is never read as a template.
            ("{b}", "{a}"),
            ("{b}{{b}}", "{a}{b}"),
        ] {
            let found = filled(template, claims);
            assert_eq!(found, Ok(Some(expected.to_owned())), "{template}");
        }
    }

    #[test]
    fn where_one_claim_is_missing_or_empty_so_is_the_whole() {
        for claims in [
            "{}",
            r#"{"a":"A"}"#,
            r#"{"a":"A","b":null}"#,
            r#"{"a":"A","b":""}"#,
            r#"{"a":"","b":"B"}"#,
            r#"{"a":"A","B":"B"}"#,
            r#"{"a":"A","b ":"B"}"#,
        ] {
            assert_eq!(filled("{a} {b}", claims), Ok(None), "{claims}");
        }
        let blank = filled("{a}", r#"{"a":" "}"#);
        assert_eq!(blank, Ok(Some(" ".to_owned())), "a blank is not nothing");
    }

    #[test]
    fn whole_numbers_are_written_out_and_other_types_refused() {
        for (number, expected) in [
            ("0", "x0"),
            ("18446744073709551615", "x18446744073709551615"),
        ] {
            let found = filled("x{n}", &format!(r#"{{"n":{number}}}"#));
            assert_eq!(found, Ok(Some(expected.to_owned())));
        }
        for value in [
            "true",
            "false",
            "-1",
            "-0",
            "1.0",
            "1e0",
            "18446744073709551616",
            "[]",
            r#"["a"]"#,
            "{}",
        ] {
            let claims = format!(r#"{{"n":{value},"a":"A"}}"#);
            assert_eq!(
                filled("{a}{n}", &claims),
                Err(NoValue::WrongType),
                "{value}"
            );
        }
    }

    #[test]
    fn braces_that_do_not_fit_are_told() {
        for (template, why) in [
            ("", "no claim"),
            ("plain", "no claim"),
            ("{{a}}", "no claim"),
            ("{a", "not closed"),
            ("{a}{", "not closed"),
            ("{{{a", "not closed"),
            ("{", "not closed"),
            ("a}", "without an opening"),
            ("{a}}", "without an opening"),
            ("{a}}}}", "without an opening"),
            ("}{a}", "without an opening"),
            ("{a{b}}", "within braces"),
            ("{a{{b}}}", "within braces"),
            ("{}", "without a claim"),
            ("{a}{}", "without a claim"),
            ("{/a~2}", "without a claim"),
        ] {
            let told = Template::parse(template).map(|_| ()).unwrap_err();
            assert!(told.contains(why), "{template:?}: {told}");
        }
    }
}
