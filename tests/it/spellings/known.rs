//! Spellings that pass although some backend reads the denied path in them: each is a decision, with its reason. What is taken out
//! here must not pass any more, and what stops passing must be taken out.

use std::collections::BTreeSet;

/// A reason, and the spellings that pass for it, as `escape_ascii` shows them.
type Finding = (&'static str, &'static str);

/// With `path_prefix = "/admin"` denied and everything else allowed. Allow-lists let only a few of these pass.
const KNOWN: [Finding; 3] = [
    (
        "Compatibility letters (circled, mathematical, raised, Roman, squared): a backend that brings paths into NFKC reads `admin`. Only the \
         full-width ones have a second reading; for the others the gate would need the tables of Unicode",
        "/%e2%93%90dmin /%f0%9d%90%9admin /%c2%aadmin /%e1%b5%83dmin /a%e2%85%bemin /a%e1%b5%88min /ad%e2%85%bfin /ad%e1%b5%90in
        /adm%e2%81%b1n /adm%e2%85%b0n /admi%e2%81%bf /adm%e3%8f%8c",
    ),
    (
        "U+200C and U+200D belong to words (Persian, Hindi) and to emoji, so they pass; NFKC leaves them alone, NFKC_Casefold drops them",
        "/admin%e2%80%8d /ad%e2%80%8cmin",
    ),
    (
        "U+3002 is the full stop of Chinese and Japanese sentences, and U+FF61 the same of half width (U+3002 in NFKC): they are dots in \
         host names only",
        "/public/%e3%80%82%e3%80%82/admin /public/x/%e3%80%82%e3%80%82/%e3%80%82%e3%80%82/admin /%e3%80%82%e3%80%82/admin/x
        /public/%ef%bd%a1%ef%bd%a1/admin /public/x/%ef%bd%a1%ef%bd%a1/%ef%bd%a1%ef%bd%a1/admin /%ef%bd%a1%ef%bd%a1/admin/x",
    ),
];

/// Good paths that are refused, with the reason.
pub(super) const REFUSED: [Finding; 1] = [(
    "`100%ab`, properly encoded, looks encoded twice",
    "/public/100%25ab",
)];

/// Every known finding.
pub(super) fn known() -> BTreeSet<String> {
    let all = KNOWN
        .iter()
        .flat_map(|(_, all)| all.split_ascii_whitespace());
    all.map(str::to_owned).collect()
}
