//! What is seen of one request: the answer, what reached the application, and what jwtgate was asked.

use std::time::Duration;

use serde_json::Value;

use super::client::{Answer, NoAnswer};
use super::stage::Seen;
use super::stage::contract::Question;
use super::wire::values;

/// Whether a request came through to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Yes,
    No,
    /// The page does not show it.
    Unclear,
}

/// What can be told of what reaches the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// Everything: doctor plays it.
    Own,
    /// What this page shows, which are headers.
    Echo,
    /// The same of every request, whatever its method and path.
    Mirror,
    /// Nothing but the status.
    Blind,
}

/// All that was seen of one request.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) method: &'static str,
    pub(super) mark: String,
    pub(super) answer: Result<Answer, NoAnswer>,
    pub(super) took: Duration,
    pub(super) view: View,
    /// What arrived at doctor's own application.
    pub(super) arrived: Vec<Seen>,
    /// What doctor's own gate was asked.
    pub(super) asked: Vec<Question>,
}

impl Sight {
    /// The status, or 0 without an answer.
    pub(super) fn status(&self) -> u16 {
        self.answer.as_ref().map_or(0, |answer| answer.status)
    }

    /// The status in words.
    pub(super) fn told(&self) -> String {
        match &self.answer {
            Ok(answer) => answer.status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    pub(super) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        let answer = self.answer.as_ref().ok();
        answer
            .into_iter()
            .flat_map(move |answer| answer.values(name))
    }

    /// Whether the page shows what was sent to it.
    pub(super) fn shows_mark(&self) -> bool {
        let answer = self.answer.as_ref();
        answer.is_ok_and(|answer| answer.body.contains(&self.mark))
    }

    /// Whether the application was reached.
    pub(super) fn reach(&self) -> Reach {
        let status = match &self.answer {
            Ok(answer) => answer.status,
            // Where nothing came back, nothing was told either, but the application may have been reached.
            Err(_) if !self.arrived.is_empty() => return Reach::Yes,
            // It may yet come through.
            Err(NoAnswer::InTime(_)) => return Reach::Unclear,
            Err(_) if self.view == View::Own => return Reach::No,
            Err(_) => return Reach::Unclear,
        };
        let is_success = matches!(status, 101 | 200..300);
        match self.view {
            View::Own if !self.arrived.is_empty() || status == 101 => Reach::Yes,
            View::Echo | View::Mirror if self.shows_mark() || status == 101 => Reach::Yes,
            // Its answer to this shows nothing, so a success can only be its own.
            View::Echo | View::Mirror if is_success && self.method == "HEAD" => Reach::Yes,
            View::Blind if is_success => Reach::Yes,
            // Somebody else's.
            _ if is_success => Reach::Unclear,
            // The proxy was asked too often, which tells nothing of what it was asked.
            _ if status == 429 => Reach::Unclear,
            View::Own | View::Mirror => Reach::No,
            View::Echo | View::Blind => match status {
                300..=399 | 400 | 401 | 403 | 431 | 503 => Reach::No,
                _ => Reach::Unclear,
            },
        }
    }

    /// The header lines that the application got, as far as they can be told.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        match (self.view, self.arrived.first(), &self.answer) {
            (View::Own, Some(seen), _) => seen.lines.clone(),
            (View::Echo | View::Mirror, _, Ok(answer)) => shown(&answer.body),
            _ => Vec::new(),
        }
    }

    /// The request target that the application got.
    pub(super) fn target(&self) -> Option<&str> {
        self.arrived.first().map(|seen| seen.target.as_str())
    }

    /// Whether a value of the client's reached the application, or came back from it.
    pub(super) fn shows(&self, value: &str) -> bool {
        let has = |lines: &[(String, String)]| lines.iter().any(|(_, own)| own.contains(value));
        if self.arrived.iter().any(|seen| has(&seen.lines)) {
            return true;
        }
        // In a redirect or a refusal it is another matter, which others look at.
        let answer = self.answer.as_ref().ok();
        answer.is_some_and(|answer| {
            self.view != View::Own
                && self.reach() == Reach::Yes
                && (answer.body.contains(value) || has(&answer.lines))
        })
    }

    /// Whether all of these lines reached the application, each once and as it is.
    pub(super) fn has_exactly(&self, wanted: &[(String, String)]) -> bool {
        let lines = self.lines();
        wanted.iter().all(|(name, value)| {
            let found: Vec<_> = values(&lines, name).filter(|own| !own.is_empty()).collect();
            found == [value.as_str()]
        })
    }
}

/// The header lines that a page shows: as text (`Name: value`), or in JSON as pairs, lists of pairs or members of an object.
pub(super) fn shown(body: &str) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    if let Ok(json) = serde_json::from_str::<Value>(body) {
        collect(&json, 0, &mut lines);
    } else {
        let pairs = body.lines().filter_map(|line| line.split_once(':'));
        lines.extend(
            pairs
                .filter(|(name, _)| !name.is_empty() && !name.contains(' '))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned())),
        );
    }
    lines
}

fn collect(json: &Value, depth: u8, lines: &mut Vec<(String, String)>) {
    const DEEPEST: u8 = 6;
    if depth > DEEPEST {
        return;
    }
    match json {
        Value::Array(items) => {
            if let [Value::String(name), Value::String(value)] = items.as_slice() {
                lines.push((name.clone(), value.clone()));
                return;
            }
            for item in items {
                collect(item, depth + 1, lines);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(value) => lines.push((name.clone(), value.clone())),
                    Value::Array(values) if values.iter().all(Value::is_string) => {
                        let texts = values.iter().filter_map(Value::as_str);
                        lines.extend(texts.map(|value| (name.clone(), value.to_owned())));
                    }
                    other => collect(other, depth + 1, lines),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_that_a_page_shows_are_read_in_the_forms_that_echoes_have() {
        let wanted = [("X-Auth-User".to_owned(), "alice".to_owned())];
        for body in [
            "Hostname: x\nGET / HTTP/1.1\nX-Auth-User: alice\n",
            r#"{"headers":[["Host","x"],["X-Auth-User","alice"]]}"#,
            r#"{"request":{"headers":{"X-Auth-User":["alice"]}}}"#,
            r#"{"X-Auth-User":"alice"}"#,
        ] {
            assert!(
                shown(body).contains(&wanted[0]),
                "{body}: {:?}",
                shown(body)
            );
        }
        assert_eq!(shown("<p>nothing</p>"), []);
    }

    fn sight(view: View, status: u16, body: &str) -> Sight {
        Sight {
            method: "GET",
            mark: "mark".to_owned(),
            answer: Ok(Answer {
                status,
                lines: vec![("Location".to_owned(), "https://canary.example".to_owned())],
                body: body.to_owned(),
            }),
            took: Duration::ZERO,
            view,
            arrived: Vec::new(),
            asked: Vec::new(),
        }
    }

    #[test]
    fn a_page_that_shows_nothing_never_counts_as_shut_by_its_silence() {
        for (view, status, body, reach) in [
            (View::Own, 200, "mark", Reach::Unclear),
            (View::Own, 401, "", Reach::No),
            (View::Own, 429, "", Reach::Unclear),
            (View::Echo, 500, "mark", Reach::Yes),
            (View::Echo, 200, "", Reach::Unclear),
            (View::Echo, 404, "", Reach::Unclear),
            (View::Echo, 401, "", Reach::No),
            (View::Mirror, 404, "", Reach::No),
            (View::Mirror, 200, "", Reach::Unclear),
            (View::Mirror, 429, "", Reach::Unclear),
            (View::Blind, 200, "", Reach::Yes),
            (View::Blind, 404, "", Reach::Unclear),
            (View::Blind, 401, "", Reach::No),
        ] {
            let found = sight(view, status, body).reach();
            assert_eq!(found, reach, "{view:?} {status}");
        }
    }

    #[test]
    fn silence_shows_only_what_arrived() {
        let silent = |view, error| {
            let answer = Err(error);
            Sight {
                answer,
                ..sight(view, 0, "")
            }
        };
        let in_time = || NoAnswer::InTime(Duration::from_secs(1));
        assert_eq!(silent(View::Own, in_time()).reach(), Reach::Unclear);
        assert_eq!(silent(View::Own, NoAnswer::Closed).reach(), Reach::No);
        assert_eq!(
            silent(View::Mirror, NoAnswer::Closed).reach(),
            Reach::Unclear
        );
    }

    #[test]
    fn a_canary_counts_where_the_application_had_it() {
        assert!(sight(View::Echo, 200, "mark canary").shows("canary"));
        assert!(!sight(View::Echo, 302, "").shows("canary"));
        assert!(!sight(View::Own, 200, "mark canary").shows("canary"));
    }
}
