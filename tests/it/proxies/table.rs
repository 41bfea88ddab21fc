//! The form of the table: what each proxy makes of each request, and why where it is not what the others do.
//!
//! Its content is in `rows`. The tests assert these outcomes, and `page` makes `docs/reference/proxies.md` of them.

use crate::harness::proxies::Kind;

use super::rows::SECTIONS;

/// A question that is put to every proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    GoodToken,
    NoToken,
    Expired,
    Forged,
    OtherAudience,
    LacksGroup,
    Nameless,
    DeniedPath,
    InCookie,
    InQuery,
    InSecondCookieLine,
    TwoAuthorizationLines,
    TwoTokensInOneLine,
    CookieTwice,
    Preflight,
    PageLoad,
    PageLoadExpired,
    Program,
    ForbiddenPage,
    Body,
    RefusedBody,
    WebSocket,
    RefusedWebSocket,
    LargeCookie,
    HugeCookie,
    TwoLargeCookies,
    ManyLines,
    ManySpoofs,
    LongQuery,
    ManyGroups,
    Spoofed,
    NamedInConnection,
    Claims,
    Undecided,
    Down,
    Hanging,
    Restarted,
    Silent,
    Nonsense,
    CutOff,
    Faulty,
    Elsewhere,
    /// A request target.
    Target(&'static str),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Passes,
    /// With this target, which is not the one that was sent.
    PassesAs(&'static str),
    /// With this status, and the application hears nothing of it.
    Refused(u16),
    /// Nobody is there who could answer, and the application hears nothing of it.
    Nobody,
    /// There is no such thing behind this one.
    NotTried,
}

/// Where a proxy differs, and why.
pub(super) type Difference = (&'static [Kind], Outcome, &'static str);

pub(super) struct Row {
    cell: Cell,
    what: &'static str,
    outcome: Outcome,
    differences: &'static [Difference],
}

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: &'static [Row],
}

pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

/// The request targets of the table.
pub(super) fn targets() -> impl Iterator<Item = &'static str> {
    rows().filter_map(|row| match row.cell {
        Cell::Target(target) => Some(target),
        _ => None,
    })
}

pub(super) fn expected(cell: Cell, kind: Kind) -> Outcome {
    let row = rows().find(|row| row.cell == cell);
    row.unwrap_or_else(|| panic!("the table has no row for {cell:?}"))
        .outcome_of(kind)
        .0
}

/// The same everywhere, unless [`Row::but`] says otherwise.
pub(super) const fn row(cell: Cell, what: &'static str, outcome: Outcome) -> Row {
    Row {
        cell,
        what,
        outcome,
        differences: &[],
    }
}

/// A row about a request target, with a good token.
pub(super) const fn target(target: &'static str, outcome: Outcome) -> Row {
    row(Cell::Target(target), "", outcome)
}

impl Row {
    pub(super) const fn but(self, differences: &'static [Difference]) -> Self {
        Self {
            differences,
            ..self
        }
    }

    pub(super) fn cell(&self) -> Cell {
        self.cell
    }

    /// For the page.
    pub(super) fn what(&self) -> String {
        match self.cell {
            Cell::Target(target) => format!("`{target}`"),
            _ => self.what.to_owned(),
        }
    }

    /// The outcome, and why where it differs.
    pub(super) fn outcome_of(&self, kind: Kind) -> (Outcome, Option<&'static str>) {
        let difference = self
            .differences
            .iter()
            .find(|(kinds, ..)| kinds.contains(&kind));
        match difference {
            Some((_, outcome, why)) => (*outcome, Some(why)),
            None => (self.outcome, None),
        }
    }
}
