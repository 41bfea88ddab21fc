//! Spellings of `/admin` and its neighbours, as request targets. The lists are separated by blanks.

use std::collections::HashSet;

/// Separators, or what somebody takes for one.
const SLASHES: &str = r"
    / // /// /./ /.// /;/ /;x=1/ /%2e/ /%20/ /%00/ \ /\ %2f %2F %2f%2f /%2f %252f %252F %25252f %5c %5C %255c
    %c0%af %C0%AF %e0%80%af %f0%80%80%af %c1%9c %u002f %u2215 %25u002f %ef%bc%8f %e2%81%84 %e2%88%95 %ef%bc%bc
";

/// Ways up, or what somebody takes for one.
const WAYS_UP: &str = r"
    .. %2e%2e %2E%2E .%2e %2e. .%2E %252e%252e .%252e %252e. %25252e%25252e %u002e%u002e %25u002e%25u002e
    %c0%ae%c0%ae %c0%ae. %e0%80%ae%e0%80%ae %ef%bc%8e%ef%bc%8e %e2%80%a4%e2%80%a4 %e2%80%a5 %ef%b8%b0 %ef%b9%92%ef%b9%92
    %ef%bd%a1%ef%bd%a1 %e3%80%82%e3%80%82 %25ef%25bc%258e. ..; ..;x=1 ..%3b ..%253b %2e%2e; ..%00 ..%20 ..%09 ..%0a ..%0d .%09. .%00.
    .%c2%ad. .%e2%80%8b. ..%ef%bb%bf ..%5c ..%23 ..%3f
";

/// What stands behind `/admin`.
const TAILS: &str = r"
    / // /. /./ /.. /../admin /x /x/.. /;/x %2f %2fx %252fx . .. ... ./ ./x %2e %2E %252e .%20 %20 %20/ %20/x %20%20 %20.
    %2520 + ; ;x ;x=1/y ;/x ;; %3b %3Bx %253b %00 %00.png %00/x %2500 %01 %08 %09 %0a %0A %0d %0d%0a %0d%0aX:y %250a %0b
    %1f %7f %80 %85 %a0 %ff %c2%85 %c2%a0 %e2%80%83 %e3%80%80 %e2%80%8b %e2%80%8d %ef%bb%bf %c2%ad %e2%81%a0
    # #x #/../public %23 %23x %2523 ? ?x ?/../public ?? %3f %3Fx %253f
    %ef%bc%9f %ef%bc%83 %ef%bc%9b %cd%be %ef%b9%94 %ef%b9%96 %ef%b9%9f %ef%b8%94 %ef%b8%96 \ \x %5c %5Cx %255c
    ::$DATA ::$INDEX_ALLOCATION ::$index_allocation/x :$I30:$INDEX_ALLOCATION/x %3a%3a$DATA
    % %% %2 %zz %u /%2e%2e/admin
";

/// Whole paths: something in front, ways up around what one program takes for the end, ways through it and out again, and no paths at all.
const WHOLE: &str = r"
    /admin //admin ///admin ////admin/x /.//admin /./admin /././admin /.;/admin /;/admin /;x/admin /;admin /%20/admin
    /x/../admin /../admin /../../admin /%2e/admin /%2e%2e/admin //x/admin //app.example.com/admin ///x/admin /\x/admin
    \admin /\admin \\x\admin /%5cadmin /%2fadmin /%2fx/admin /%2F%2Fx/admin /%09admin /%0aadmin /ad%0amin /ad%0d%0amin
    /ad%00min /ad%c2%admin /ad%e2%80%8bmin /ad%e2%80%8cmin

    /public//../admin /public/..//admin /public///../../admin /public;/../admin /public;x=/../admin /public;/..;/admin
    /public/.;/../admin /public/x/../../admin /public/./../admin /public/%2f../../admin /public%2f../../admin
    /public%3f/../../admin /public%23/../../admin /public#/../admin /public#/../../admin /public%00/../../admin
    /public/%2e/../../admin /public/..%2f..%2fadmin /public%2f..%2fadmin /public%252f..%252fadmin /public%5c..%5cadmin
    /public\..\admin /public/...//admin /public/....//admin /public/http:/../../admin

    /admin/../public /admin/../public/x /admin/./../public /admin/x/../../public /admin//../public /admin/..;/public
    /admin;/../public /admin/%2e%2e/public /admin%2f..%2fpublic /admin/..%2fpublic /admin\..\public /admin/../../public

    admin ./admin * ** */admin ?/admin #/admin ;/admin %2fadmin /http://x/admin http:/admin /x:/admin :/admin
";

/// Targets in absolute form (RFC 9112 §3.2.2).
const ABSOLUTE: &str = r"
    http://app.example.com/admin HTTP://APP.EXAMPLE.COM/admin https://app.example.com/admin http://app.example.com:80/admin
    http://app.example.com./admin http://app.example.com//admin http://app.example.com/%61dmin http://app.example.com/./admin
    http://app.example.com/public/../admin http://app.example.com/public/..%2fadmin http://app.example.com/admin?x
    http://app.example.com/public?/../admin http://app.example.com?/admin http://app.example.com#/admin
    http://app.example.com;/admin http://app.example.com\admin http://app.example.com\@x/admin http://other.example.com/admin
    http://x@app.example.com/admin http://app.example.com:/admin http://app.example.com:x/admin http://[::1]/admin
    http:///admin http://admin http://app.example.com ws://app.example.com/admin ftp://app.example.com/admin
    javascript://app.example.com/admin
";

/// Letters that some program takes for those of `admin`: circled, mathematical, raised, Roman and squared ones.
const LETTERS: &str = r"
    /%e2%93%90dmin /%f0%9d%90%9admin /%c2%aadmin /%e1%b5%83dmin /a%e2%85%bemin /a%e1%b5%88min /ad%e2%85%bfin /ad%e1%b5%90in
    /adm%e2%81%b1n /adm%e2%85%b0n /admi%e2%81%bf /adm%e3%8f%8c /%ef%bd%81%ef%bd%84min/x /public/../%ef%bd%81dmin
";

/// Other cases of the letters.
const CASES: &str = r"
    /ADMIN /Admin /aDMIN/x /adMin/ /%41dmin /%41%44%4D%49%4E /%2541dmin /public/../ADMIN /ADMIN/../public /ADMIN;x /ADMIN%2fx
    //ADMIN /%EF%BC%A1DMIN /ADMIN.
";

/// Bytes that cannot stand in a text, or would be taken for the blanks in one.
const RAW: [&[u8]; 18] = [
    b"",
    b"/\tadmin",
    b"/ad\tmin",
    b"/admin\t",
    b"/admin\x0b",
    b"/admin\0",
    b"/admin\x7f",
    b"/admin\xff",
    b"/admin\x80",
    b"/admin\xa0",
    b"/admin\xc2\xa0",
    b"/admin\x85",
    b"/admin\xe2\x80\x8b",
    b"/admin\xc0\x80",
    b"/\xc1\xa1dmin",
    b"/\xc0\xafadmin",
    b"/public/\xc0\xae\xc0\xae/admin",
    b"/public/..\xc0\xafadmin",
];

/// Paths that mean one thing only, below `/public`.
pub(super) const GOOD: &str = "
    /public /public/ /public/x /public/x/ /public/a/b/c /public/a.b.c /public/.hidden /public/..x /public/x.y /public/a..b
    /public/...x /public/~x /public/%7Ex /public/a-b_c /public/a+b /public/a%2Bb /public/a%20b /public/a,b /public/a:b
    /public/@me /public/a=b&c=d /public/a!b /public/$x /public/(x) /public/it's /public/* /public/[x] /public/%5Bx%5D
    /public/a%26b /public/a%3Db /public/C%23 /public/what%3F /public/100%25 /public/50%25%20off /public/%22x%22 /public/a|b
    /public/caf%C3%A9 /public/caf%c3%a9 /public/cafe%CC%81 /public/%E6%97%A5%E6%9C%AC /public/%F0%9F%98%80
    /public/%D0%BF%D1%80 /public/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88 /public/%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB
    /public/%E4%BD%A0%E5%A5%BD%E3%80%82 /public/\u{e9} /public?x=/admin /public/x?next=//admin/..;/%2fadmin /public/admin
    /public/%70ublic /%70ublic/x /public/./x /public/x/../y http://app.example.com/public
";

/// Good paths elsewhere.
pub(super) const GOOD_ELSEWHERE: &str = "
    / /.well-known/x /administrator /administrator/x /x/admin /admins /a/../b /a/./b /adm/in /badmin
";

/// Every spelling, each once, in their order.
pub(super) fn spellings() -> Vec<Vec<u8>> {
    let whole = [WHOLE, ABSOLUTE, LETTERS, CASES];
    let whole = whole.into_iter().flat_map(str::split_ascii_whitespace);
    let tails = TAILS.split_ascii_whitespace();
    let mut all: Vec<Vec<u8>> = whole
        .map(str::to_owned)
        .chain(tails.map(|tail| format!("/admin{tail}")))
        .chain(combined())
        .map(String::into_bytes)
        .chain(RAW.map(<[u8]>::to_vec))
        .collect();
    let mut seen = HashSet::new();
    all.retain(|target| seen.insert(target.clone()));
    all
}

fn combined() -> Vec<String> {
    let mut all = Vec::new();
    for slash in SLASHES.split_ascii_whitespace() {
        all.push(format!("/{slash}admin"));
        all.push(format!("/public{slash}..{slash}admin"));
        all.push(format!("/admin{slash}x"));
    }
    for up in WAYS_UP.split_ascii_whitespace() {
        all.push(format!("/public/{up}/admin"));
        all.push(format!("/public/x/{up}/{up}/admin"));
        all.push(format!("/{up}/admin/x"));
    }
    for encode in LETTER_ENCODINGS {
        for place in 0.."admin".len() {
            all.push(format!("/{}", encoded(encode, |index| index == place)));
        }
        all.push(format!("/{}/x", encoded(encode, |_| true)));
    }
    all
}

type LetterEncoding = fn(u8) -> String;

const LETTER_ENCODINGS: [LetterEncoding; 10] = [
    |letter| format!("%{letter:02x}"),
    |letter| format!("%{letter:02X}"),
    |letter| format!("%25{letter:02x}"),
    |letter| format!("%2525{letter:02x}"),
    |letter| format!("%u{letter:04x}"),
    |letter| format!("%25u{letter:04x}"),
    // Each digit encoded again.
    |letter| format!("%25{}", each_encoded(format!("{letter:02x}").as_bytes())),
    // Overlong.
    |letter| format!("%{:02x}%{:02x}", 0xc0 | letter >> 6, 0x80 | letter & 0x3f),
    // Of full width, encoded and as it is.
    |letter| each_encoded(full_width(letter).to_string().as_bytes()),
    |letter| full_width(letter).to_string(),
];

fn full_width(letter: u8) -> char {
    char::from_u32(u32::from(letter) + 0xfee0).unwrap_or_default()
}

fn each_encoded(bytes: &[u8]) -> String {
    let encoded: Vec<String> = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
    encoded.concat()
}

/// `admin`, some letters of it encoded.
fn encoded(encode: LetterEncoding, is_chosen: impl Fn(usize) -> bool) -> String {
    let each = |(index, &letter)| {
        if is_chosen(index) {
            encode(letter)
        } else {
            char::from(letter).to_string()
        }
    };
    b"admin".iter().enumerate().map(each).collect()
}
