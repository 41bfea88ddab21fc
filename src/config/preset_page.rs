//! The page of presets, written from their table.

use std::fmt::Write as _;

use super::presets::{Known, PRESETS};

/// The page, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = String::from(
        "# Presets\n\n\
         <!-- Generated from `src/config/presets.rs`. Do not edit. -->\n\n\
         `preset = \"NAME\"` in a table `[issuers.NAME]` fills in what is known of a provider. Every value can be overridden by the key of\n\
         its name in the table. `{domain}`, `{tenant}` and so on stand for keys of the table, `{kid}` for the key that a token names,\n\
         `{tenantid}` for each of `tenants`, `{region}` (`{gov_region}` in AWS GovCloud) for what stands in `user_pool` or `signer`. What a preset cannot know is the\n\
         audience: name yours in `audience`.\n\n\
         | preset | for | needs | `issuer` | keys | `algorithms` | `username_claim` | `header_name` |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for known in &PRESETS {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            known.name,
            known.about,
            needs(known),
            code(
                known
                    .issuer
                    .iter()
                    .flat_map(|spellings| spellings.iter().copied())
            ),
            keys(known),
            code(known.algorithms.iter().copied()),
            code(known.username_claim.iter().copied()),
            code(known.header_name.into_iter()),
        );
    }
    page
}

fn needs(known: &Known) -> String {
    let all = known.needs.split(", ").filter(|names| !names.is_empty());
    let all = all.map(|names| {
        let names: Vec<_> = names
            .split(" or ")
            .map(|name| format!("`{name}`"))
            .collect();
        names.join(" or ")
    });
    all.collect::<Vec<_>>().join("<br>")
}

fn keys(known: &Known) -> String {
    let mut told = Vec::new();
    told.extend(
        known
            .discovery_url
            .iter()
            .map(|url| format!("metadata at `{url}`")),
    );
    told.extend(known.jwks_url.map(|url| format!("`{url}`")));
    told.extend(known.key_url.iter().map(|url| format!("`{url}`")));
    if told.is_empty() {
        told.push("metadata of the issuer".to_owned());
    }
    if let Some((ca_file, bearer_file)) = known.files {
        told.push(format!("`ca_file` `{ca_file}`"));
        told.push(format!("`bearer_file` `{bearer_file}`"));
    }
    told.join("<br>")
}

fn code<'c>(items: impl Iterator<Item = &'c str>) -> String {
    let items: Vec<_> = items.map(|item| format!("`{item}`")).collect();
    items.join("<br>")
}
