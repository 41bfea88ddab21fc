//! The generated pages of `docs/reference/` and the generated file of `config/`. A test keeps them fresh.

use std::fmt::Write as _;

use crate::config::{preset_page, reference};
use crate::reason::{Outward, Reason};
use crate::server::respond::{self, Endpoint};

/// Every generated file: its path in the source tree and its content.
#[must_use]
pub fn pages() -> Vec<(&'static str, String)> {
    vec![
        ("docs/reference/config.md", reference::page()),
        ("docs/reference/presets.md", preset_page::page()),
        ("docs/reference/cli.md", commands()),
        ("docs/reference/doctor.md", super::findings::page()),
        ("docs/reference/reasons.md", reasons()),
        ("config/jwtgate.toml", reference::example()),
    ]
}

fn commands() -> String {
    let mut page = String::from(
        "# Command line reference\n\n<!-- Generated from `src/cli/`. Do not edit. -->\n",
    );
    let mut root = super::command().term_width(100);
    root.build();
    let help = root.render_long_help();
    let _ = write!(
        page,
        "\n## jwtgate\n\n```text\n{}\n```\n",
        tidy(&help.to_string())
    );
    for command in root.get_subcommands_mut() {
        if command.get_name() == "help" {
            continue;
        }
        let name = command.get_name().to_owned();
        let help = command.render_long_help();
        let _ = write!(
            page,
            "\n## jwtgate {name}\n\n```text\n{}\n```\n",
            tidy(&help.to_string())
        );
    }
    page
}

fn tidy(help: &str) -> String {
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

fn reasons() -> String {
    let mut page = String::from(
        "# Reasons for refusals\n\n<!-- Generated from `src/reason/`. Do not edit. -->\n\n\
         Every refusal has one of these codes: in the log (`reason.code`), in the metric `jwtgate_decisions_total` (`reason`) and in\n\
         `jwtgate explain`. They are stable. Outside, all bad tokens look the same. Those of `upstream` are of requests that may pass: the metric\n\
         `jwtgate_upstream_failures_total` (`reason`) counts them.\n\n\
         | code | outside | what happened | what to do |\n|---|---|---|---|\n",
    );
    for reason in Reason::ALL {
        let status = respond::status(Endpoint::ForwardAuth, reason);
        let on_verify = respond::status(Endpoint::Verify, reason);
        let error = match reason.outward() {
            Outward::BadToken => " `invalid_token`",
            Outward::BadRequest => " `invalid_request`",
            _ => "",
        };
        let other = if on_verify == status {
            String::new()
        } else {
            format!(" ({} on `/verify`)", on_verify.as_u16())
        };
        let outside = format!("{}{error}{other}", status.as_u16());
        let _ = writeln!(
            page,
            "| `{}` | {outside} | {} | {} |",
            reason.code(),
            reason.meaning(),
            reason.hint()
        );
    }
    page
}
