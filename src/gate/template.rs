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
    /// One of them is no text and no whole number.
    pub(super) fn fill(&self, claims: &Claims<'_>) -> Result<Option<String>, NoValue> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
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
