//! What `doctor` found, as text and as JSON, and the page that lists its ids.

use std::fmt::Write as _;

use serde_json::{Value, json};
use url::Url;

use crate::doctor::finding::{Finding, Id, Report, Verdict, Where};
use crate::doctor::remedies::Proxy;

use super::print::printable;

/// What was found, and how it is told.
pub(super) struct Told<'t> {
    pub(super) url: &'t Url,
    pub(super) report: &'t Report,
    /// Whose directives are told; all of them where it is not known.
    pub(super) proxy: Option<Proxy>,
    /// Whether doctor played jwtgate.
    pub(super) is_bench: bool,
    /// Holes that are accepted.
    pub(super) accepted: &'t [Id],
}

impl Told<'_> {
    pub(super) fn text(&self, is_terminal: bool) -> String {
        let mut text = String::new();
        // Behind a running jwtgate there are many of these, and one thing to say of them.
        let is_bench_only = |finding: &&Finding| {
            let is_unknown = matches!(finding.verdict, Verdict::Unknown(_));
            is_unknown && finding.id.row().place == Where::Bench && !self.is_bench
        };
        let findings = || self.report.findings.iter();
        for finding in findings().filter(|finding| !is_bench_only(finding)) {
            self.tell(finding, is_terminal, &mut text);
        }
        let untried: Vec<_> = findings()
            .filter(is_bench_only)
            .map(|finding| finding.id.code())
            .collect();
        if !untried.is_empty() {
            let all = untried.join(", ");
            let _ = writeln!(
                text,
                "? only on the bench, where doctor plays jwtgate (--gate):\n  {all}"
            );
        }
        let count = |word: &str| {
            let findings = self.report.findings.iter();
            findings.filter(|one| one.verdict.word() == word).count()
        };
        let holes = self.report.holes(self.accepted);
        let accepted = count("hole").saturating_sub(holes);
        let accepted = match accepted {
            0 => String::new(),
            more => format!(" and {more} accepted"),
        };
        let _ = write!(
            text,
            "\n{}: {holes} {}{accepted}, {} closed, {} unknown, {} noted; {} requests",
            self.url,
            if holes == 1 { "hole" } else { "holes" },
            count("closed"),
            count("unknown"),
            count("note"),
            self.report.requests,
        );
        text
    }

    fn tell(&self, finding: &Finding, is_terminal: bool, text: &mut String) {
        let (sign, colour) = match finding.verdict {
            Verdict::Closed(_) => ("✔", 32),
            Verdict::Hole(_) | Verdict::Spelled(..) => ("✘", 31),
            Verdict::Unknown(_) => ("?", 33),
            Verdict::Note(_) => ("!", 36),
        };
        let sign = if is_terminal {
            format!("\u{1b}[{colour}m{sign}\u{1b}[0m")
        } else {
            sign.to_owned()
        };
        let id = finding.id;
        let row = id.row();
        // What a server answered stands in it.
        let detail = printable(finding.verdict.detail());
        let _ = writeln!(text, "{sign} {:<24} {}", row.code, row.tried);
        let _ = writeln!(text, "  {:<24} {detail}", "");
        let Some(remedy) = finding.remedy() else {
            return;
        };
        let _ = writeln!(text, "  {:<24} {}", "", row.meaning);
        if self.accepted.contains(&id) {
            let _ = writeln!(text, "  {:<24} accepted by --accept", "");
            return;
        }
        for proxy in self.proxies() {
            let _ = writeln!(
                text,
                "  {:>24} {}",
                format!("{}:", proxy.name()),
                proxy.directive(remedy)
            );
        }
    }

    fn proxies(&self) -> Vec<Proxy> {
        match self.proxy {
            Some(proxy) => vec![proxy],
            None => Proxy::ALL.to_vec(),
        }
    }

    pub(super) fn json(&self) -> Value {
        let findings: Vec<_> = self
            .report
            .findings
            .iter()
            .map(|finding| {
                let id = finding.id;
                let directives = finding.remedy().into_iter().flat_map(|remedy| {
                    let proxies = self.proxies().into_iter();
                    proxies
                        .map(move |proxy| (proxy.name().to_owned(), proxy.directive(remedy).into()))
                });
                json!({
                    "id": id.code(),
                    "verdict": finding.verdict.word(),
                    "accepted": self.accepted.contains(&id),
                    "tried": id.row().tried,
                    "found": finding.verdict.detail(),
                    "meaning": id.row().meaning,
                    "directives": Value::Object(directives.collect()),
                })
            })
            .collect();
        json!({
            "url": self.url.as_str(),
            "proxy": self.proxy.map(Proxy::name),
            "holes": self.report.holes(self.accepted),
            "requests": self.report.requests,
            "findings": findings,
        })
    }
}

/// The page that lists every point with its directives.
pub(super) fn page() -> String {
    let mut page = String::from(
        "# What `jwtgate doctor` looks at\n\n<!-- Generated from `src/doctor/`. Do not edit. -->\n\n\
         Each point has a stable id: in the output, in `--json` and for `--accept`. *Bench* points need `--gate`, *live* ones a running jwtgate.\n\
         [doctor.md](../proxies/doctor.md) tells how to run it and how to read it.\n\n\
         | id | where | what is tried | what it means where it is open |\n|---|---|---|---|\n",
    );
    let cell = |text: &str| text.replace('|', "\\|");
    for id in Id::ALL {
        let row = id.row();
        let place = match row.place {
            Where::Everywhere => "both",
            Where::Bench => "bench",
            Where::Live => "live",
        };
        let (tried, meaning) = (cell(row.tried), cell(row.meaning));
        let _ = writeln!(page, "| `{}` | {place} | {tried} | {meaning} |", row.code);
    }
    page.push_str("\n## What closes it\n");
    for proxy in Proxy::ALL {
        let _ = write!(
            page,
            "\n### {}\n\n| id | directive |\n|---|---|\n",
            proxy.name()
        );
        for id in Id::ALL {
            let _ = writeln!(page, "| `{}` | {} |", id.code(), cell(proxy.directive(id)));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> Report {
        Report {
            findings: vec![Finding {
                id: Id::IdentityUnderscore,
                verdict,
            }],
            requests: 7,
            server: None,
        }
    }

    #[test]
    fn a_hole_is_told_with_the_directive_of_the_proxy_or_of_all() {
        let url = Url::parse("http://a/").expect("a URL");
        let report = report(Verdict::Hole("X_Auth_User\u{1b}[2J".to_owned()));
        let mut told = Told {
            url: &url,
            report: &report,
            proxy: Some(Proxy::Nginx),
            is_bench: false,
            accepted: &[],
        };
        let text = told.text(false);
        assert!(text.starts_with("✘ identity.underscore"), "{text}");
        assert!(
            text.contains("nginx: `underscores_in_headers off;` and"),
            "{text}"
        );
        assert!(
            !text.contains('\u{1b}') && !text.contains("caddy"),
            "{text}"
        );
        assert!(
            text.ends_with("http://a/: 1 hole, 0 closed, 0 unknown, 0 noted; 7 requests"),
            "{text}"
        );
        assert_eq!(
            told.json()["findings"][0]["directives"]["nginx"],
            "`underscores_in_headers off;` and `ignore_invalid_headers on;`"
        );
        told.proxy = None;
        assert!(
            Proxy::ALL
                .iter()
                .all(|proxy| told.text(false).contains(&format!("{}:", proxy.name())))
        );
        told.accepted = &[Id::IdentityUnderscore];
        assert!(told.text(false).contains("0 holes and 1 accepted"));
        assert_eq!(told.json()["holes"], 0);
    }

    #[test]
    fn what_is_closed_needs_no_directive() {
        let url = Url::parse("http://a/").expect("a URL");
        let report = report(Verdict::Closed("none of them".to_owned()));
        let told = Told {
            url: &url,
            report: &report,
            proxy: None,
            is_bench: false,
            accepted: &[],
        };
        assert!(told.text(false).starts_with("✔ "));
        assert_eq!(told.json()["findings"][0]["directives"], json!({}));
    }
}
