//! What reads like a secret is not shown, though nobody declared it: the value of `POSTGRES_PASSWORD=…`, of
//! `"password": "…"`, of `Authorization: …`, the password of a URL, the body of a private key. Its key is shown.
//!
//! In: lines of text. Out: the places of values in them. `value::sensitive` knows the names.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::value::sensitive::{looks_random, plainly_none, says_secret, url_credentials};

/// What stands in place of a value that reads like a secret.
pub const NOT_SHOWN: &str = "‹value not shown›";

/// What a secret can't be without. Most texts have none of these, and are not looked at more closely.
static SIGNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let signs = [
        "secret",
        "passw",
        "passphrase",
        "pass",
        "pwd",
        "token",
        "cred",
        "key",
        "private",
        "auth",
        "bearer",
        "jwt",
        "salt",
        "dsn",
        "pat",
        "psk",
        "connection",
        "conn",
        "cookie",
        "://",
        "-----begin",
        "eyj",
    ];
    AhoCorasick::builder().ascii_case_insensitive(true).build(signs).ok()
});

/// The most of a name that is read to each side of a sign, in bytes.
const LONGEST_NAME: usize = 80;

/// How many lines a private key has at most: behind that, nobody ended it.
const KEY_LINES: usize = 400;

/// Whether anything in the text may read like a secret.
pub fn is_needed(text: &[u8]) -> bool {
    SIGNS.as_ref().is_some_and(|signs| signs.is_match(text))
}

/// Whether a value is not shown beside its name.
pub fn says(name: &str, value: &str) -> bool {
    says_secret(name) && !plainly_none(value) && (!is_vague(name) || looks_random(value.trim()))
}

/// Names of a secret as often as of something else.
fn is_vague(name: &str) -> bool {
    let variable = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    let vague = |vague: &&str| name.eq_ignore_ascii_case(vague) && !variable;
    ["key", "keys", "auth", "pat", "private"].iter().any(vague) || name.ends_with("tokens")
}

/// Reads lines one after another: a private key and an indented block go on behind their first line.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    inside: Inside,
}

#[derive(Clone, Debug, Default)]
enum Inside {
    #[default]
    Nothing,
    /// A private key, since so many lines.
    Key(usize),
    /// The lines below `password: |`, which are indented deeper than it.
    Block(usize),
}

impl Reader {
    /// The places in a line that are not shown. Whether the line only goes on with what was not shown before it.
    pub fn line(&mut self, line: &str) -> (Vec<Range<usize>>, bool) {
        match self.inside {
            Inside::Key(lines) => match line.find("-----END") {
                Some(end) => {
                    self.inside = Inside::Nothing;
                    let mut hidden = self.rest_of(line, end);
                    let before = line[..end].trim_end_matches([' ', '\t', '\\', 'n', 'r', '"', '\'', '+']).len();
                    if before > 0 {
                        hidden.insert(0, 0..end);
                    }
                    return (hidden, false);
                }
                None if lines < KEY_LINES && goes_on_with_key(line) => {
                    self.inside = Inside::Key(lines + 1);
                    return (trimmed(line), true);
                }
                None => self.inside = Inside::Nothing,
            },
            Inside::Block(indent) => {
                if line.trim().is_empty() || self::indent(line) > indent {
                    return (trimmed(line), true);
                }
                self.inside = Inside::Nothing;
            }
            Inside::Nothing => {}
        }
        (self.rest_of(line, 0), false)
    }

    fn rest_of(&mut self, line: &str, from: usize) -> Vec<Range<usize>> {
        let mut hidden = Vec::new();
        let Some(signs) = SIGNS.as_ref() else { return hidden };
        let mut done = from;
        for sign in signs.find_iter(&line[from..]) {
            let at = from + sign.start();
            if at < done {
                continue;
            }
            let word = &line[at..from + sign.end()];
            let found = if word == "://" {
                url_credentials(line, at + 3)
            } else if word.starts_with('-') {
                self.key(line, at)
            } else {
                json_web_token(line, at).or_else(|| self.pair(line, at)).or_else(|| bearer(line, at))
            };
            if let Some(range) = found.filter(|range| !range.is_empty()) {
                done = range.end;
                hidden.push(range);
            }
        }
        hidden
    }

    /// `-----BEGIN … PRIVATE KEY-----`: what stands between it and its end.
    fn key(&mut self, line: &str, at: usize) -> Option<Range<usize>> {
        let label = &line[at + "-----BEGIN".len()..];
        let length = near(label).find("-----")?;
        if !label[..length].to_ascii_uppercase().contains("PRIVATE KEY") {
            return None;
        }
        let from = at + "-----BEGIN".len() + length + "-----".len();
        if let Some(end) = line[from..].find("-----END") {
            return (end > 0).then_some(from..from + end);
        }
        let rest = line[from..].trim_end();
        if rest.len() < 8 {
            self.inside = Inside::Key(0);
            return None;
        }
        // Its line breaks are written as escapes, and its end was cut off; or they were left out.
        let end = rest.find(['"', '\'']).unwrap_or(rest.len());
        if end == rest.len() {
            self.inside = Inside::Key(0);
        }
        Some(from..from + end)
    }

    /// A key and its value, of which a sign is a part.
    fn pair(&mut self, line: &str, at: usize) -> Option<Range<usize>> {
        let bytes = line.as_bytes();
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let mut start = at;
        while start > 0 && at - start < LONGEST_NAME && named(bytes[start - 1]) {
            start -= 1;
        }
        let mut end = at;
        while end < bytes.len() && end - at < LONGEST_NAME && named(bytes[end]) {
            end += 1;
        }
        // The `n` of `\nPASSWORD=` is an escape's: it begins a line of a text that was quoted.
        let quoted = start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r')
            || is_behind_escape(&bytes[start.saturating_sub(120)..start]);
        if start > 0 && bytes[start - 1] == b'\\' && matches!(bytes[start], b'n' | b'r' | b't') {
            start += 1;
        }
        let flag = line[start..end].starts_with("--");
        let name = line[start..end].trim_matches(['-', '.']);
        if !says_secret(name) {
            return None;
        }
        let before = quotes_before(bytes, start);
        let behind = quotes_at(bytes, end);
        let closed = !behind.is_empty() && behind.len() == before.len();
        let mut at = if closed { end + behind.len() } else { end };
        if !closed && !behind.is_empty() {
            // `"…the password"`: the quote closes more than the name.
            return None;
        }
        if bytes.get(at) == Some(&b']') && bytes[..start - before.len()].last() == Some(&b'[') {
            at += 1;
        }
        let blanks = |at: usize| at + bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let sign = blanks(at);
        let rest = &line[sign..];
        let (separator, colon) = match rest.as_bytes() {
            [b'=', b'=' | b'~', ..] | [b':', b':', ..] => return None,
            [b':', b'/', b'/', ..] => return None,
            [b'=', b'>', ..] | [b':', b'=', ..] => (2, false),
            [b'=', ..] => (1, false),
            [b':', ..] => (1, true),
            [b'>', ..] if start > 0 && bytes[start - 1] == b'<' => (1, false),
            _ if flag && sign > at && !rest.starts_with('-') && !rest.is_empty() => (0, false),
            _ => return None,
        };
        // `a = b == c`, `password = expected`: a comparison of a language is told as it is written.
        let value = blanks(sign + separator);
        let own_line = start < 300 && is_prefix(&line[..start - before.len()]) && !flag;
        if colon && is_ours(&line[..start - before.len()], near(&line[value..]), own_line) {
            return None;
        }
        if colon
            && quoted
            && let Some(block) = quoted_block(&line[..start], &line[value..])
        {
            return Some(value + block.start..value + block.end);
        }
        if colon && own_line && is_block(&line[value..]) {
            self.inside = Inside::Block(indent(line));
            return None;
        }
        let tagged = separator == 1 && !colon && rest.starts_with('>');
        let enclosed = if closed { &[][..] } else { before };
        let range = value_at(line, value, &Form { own_line, colon, enclosed, quoted, tagged, name, flag })?;
        let text = &line[range.clone()];
        if !says(name, text) {
            return None;
        }
        Some(range)
    }
}

/// How a key stands beside its value.
struct Form<'l> {
    /// The key begins its line.
    own_line: bool,
    colon: bool,
    /// The quotes in which key and value stand together.
    enclosed: &'l [u8],
    /// The key begins a line of a text that was quoted.
    quoted: bool,
    /// `<password>…</password>`
    tagged: bool,
    name: &'l str,
    /// `--password …`
    flag: bool,
}

/// Where a value stands that begins here.
fn value_at(line: &str, at: usize, form: &Form<'_>) -> Option<Range<usize>> {
    let bytes = line.as_bytes();
    let rest = &line[at..];
    if form.tagged {
        return Some(at..at + rest.find('<').unwrap_or(rest.len()));
    }
    let quote = quotes_at(bytes, at);
    if !quote.is_empty() && quote != form.enclosed {
        let from = at + quote.len();
        let length = closing(&bytes[from..], quote).unwrap_or(bytes.len() - from);
        return (length > 0).then_some(from..from + length);
    }
    if rest.starts_with('{') && !rest.starts_with("{{") {
        return None;
    }
    if rest.starts_with('[') && form.name.to_ascii_lowercase().ends_with('s') && rest.len() > 2 {
        let end = rest.find(']').unwrap_or(rest.len());
        return (end > 1 && !rest[1..end].trim().is_empty()).then_some(at + 1..at + end);
    }
    let header = ["authorization", "cookie"].iter().any(|header| form.name.to_ascii_lowercase().ends_with(header));
    let whole = form.own_line && !form.flag || header || form.quoted || !form.enclosed.is_empty();
    let mut end = at;
    let mut words = 0;
    while let Some(char) = line[end..].chars().next() {
        // What a value ends with shows soon behind it: the whole line is not read again for each of its characters.
        let behind = near(&line[end + char.len_utf8()..]);
        let ends = match char {
            '\\' => {
                let slashes = line[end..].bytes().take_while(|byte| *byte == b'\\').count();
                if ends_own_line(near(&line[end + slashes..])) {
                    break;
                }
                end += slashes - 1;
                false
            }
            // A mark is one word, whatever it says.
            '‹' => {
                let mark = line[end..].char_indices().take(1000).find(|(_, char)| *char == '›');
                end += mark.map_or(0, |(at, _)| at);
                false
            }
            ' ' | '\t' => {
                words += 1;
                let scheme = words == 1 && is_scheme(&line[at..end]);
                !(whole && (header && form.colon || !begins_pair(behind)) || scheme)
            }
            ',' => !header && (behind.trim_start().is_empty() || behind.starts_with(' ') || begins_pair(behind)),
            ';' => !header && (behind.trim_start().is_empty() || begins_pair(behind)),
            '&' => begins_pair(behind),
            '"' | '\'' | '`' => !whole || form.quoted || !form.enclosed.is_empty(),
            ')' | ']' | '}' | '>' => {
                let after = behind.trim_start();
                !whole && (after.is_empty() || after.starts_with([',', ')', ']', '}', ' ', '"', '\'', ';', '(']))
                    || form.colon && !form.own_line && char != ')'
            }
            _ => false,
        };
        if ends {
            break;
        }
        end += line[end..].chars().next().map_or(0, char::len_utf8);
    }
    let mut text = line[at..end].trim_end();
    if matches!(bytes.get(end), Some(b'"' | b'\'')) {
        text = text.trim_end_matches('\\');
    }
    (!text.is_empty()).then_some(at..at + text.len())
}

/// Whether the line of a text that was quoted ends here, behind a backslash: with a line break, if what follows it is a
/// line of its own.
fn ends_own_line(behind: &str) -> bool {
    behind.strip_prefix(['n', 'r']).is_some_and(|next| {
        begins_pair(next)
            || next.trim().is_empty()
            || next.starts_with(['"', '\'', '\\', '#', '[', '{', '}', ']', '<', ' ', '-', '…'])
    })
}

/// The beginning of a text.
fn near(text: &str) -> &str {
    let mut end = text.len().min(160);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `name=`, `"name":`
fn begins_pair(text: &str) -> bool {
    let text = text.trim_start().trim_start_matches(['"', '\'', '\\']);
    let name = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.%[]".contains(byte)).count();
    let behind = text[name..].trim_start_matches(['"', '\'', '\\']);
    name > 0 && name < 80 && (behind.starts_with('=') && !behind.starts_with("==") || behind.starts_with(':'))
}

/// The first word of an `Authorization` that has a second.
fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "digest", "token", "negotiate", "apikey"].iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// What may stand before a key that its line belongs to.
fn is_prefix(text: &str) -> bool {
    ["", "export", "set", "ENV", "ARG", "-", "+", ">", "<", "*", "#", "│"].contains(&text.trim())
}

/// Whether the key is a step's or an expect's, behind which its reason is told: `step token: …`, `login.token: expected …`.
fn is_ours(before: &str, behind: &str, own_line: bool) -> bool {
    before.ends_with("step ")
        || behind.starts_with("expected ") && behind.contains(", found ")
        || !own_line && begins_reason(behind)
}

/// `login.token: …`
fn begins_reason(text: &str) -> bool {
    let name = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.[]\"".contains(byte)).count();
    name > 0 && text[name..].starts_with(": ")
}

/// `password: |`
fn is_block(value: &str) -> bool {
    let value = value.trim();
    !value.is_empty()
        && value.len() <= 3
        && value.starts_with(['|', '>'])
        && value[1..].bytes().all(|byte| b"+-0123456789".contains(&byte))
}

/// `\n  `
fn is_behind_escape(before: &[u8]) -> bool {
    let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'-')).count();
    blanks > 0 && matches!(before[..before.len() - blanks], [.., b'\\', b'n' | b'r'])
}

/// The lines below `password: |` in a text that was quoted, as far as they are indented deeper than it.
fn quoted_block(before: &str, value: &str) -> Option<Range<usize>> {
    let head = near(value).find('\\').filter(|at| is_block(&value[..*at]))?;
    let slashes = value[head..].bytes().take_while(|byte| *byte == b'\\').count();
    let line_end = format!("{}n", "\\".repeat(slashes));
    let own = before.rsplit("\\n").next().map_or(0, str::len);
    let mut end = head;
    while let Some(next) = value[end..].strip_prefix(&line_end) {
        let length = next.find(&line_end).or_else(|| next.find(['"', '\''])).unwrap_or(next.len());
        if indent(next) <= own && !next[..length].trim().is_empty() {
            break;
        }
        end += line_end.len() + length;
    }
    (end > head + line_end.len()).then_some(head + line_end.len()..end)
}

fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

fn trimmed(line: &str) -> Vec<Range<usize>> {
    let from = line.len() - line.trim_start().len();
    let to = line.trim_end().len();
    std::iter::once(from..to).filter(|range| !range.is_empty()).collect()
}

/// The quote that stands here, with the backslashes before it.
fn quotes_at(bytes: &[u8], at: usize) -> &[u8] {
    let slashes = bytes[at.min(bytes.len())..].iter().take_while(|byte| **byte == b'\\').count();
    match bytes.get(at + slashes) {
        Some(b'"' | b'\'' | b'`') => &bytes[at..=at + slashes],
        _ => &[],
    }
}

fn quotes_before(bytes: &[u8], at: usize) -> &[u8] {
    match at.checked_sub(1).map(|at| bytes[at]) {
        Some(b'"' | b'\'' | b'`') => {
            let slashes = bytes[..at - 1].iter().rev().take_while(|byte| **byte == b'\\').count();
            &bytes[at - 1 - slashes..at]
        }
        _ => &[],
    }
}

/// Where a quote of just this kind stands next: `\"` is closed by `\"`, not by `\\\"`.
fn closing(bytes: &[u8], quote: &[u8]) -> Option<usize> {
    let (last, slashes) = (quote.last()?, quote.len() - 1);
    let mut before = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if byte == last && before <= slashes {
            return Some(at - before.min(slashes));
        }
        before = if *byte == b'\\' { before + 1 } else { 0 };
    }
    None
}

/// `eyJ….eyJ….…` (RFC 7519)
fn json_web_token(line: &str, at: usize) -> Option<Range<usize>> {
    let rest = &line[at..];
    let inside =
        at > 0 && (line.as_bytes()[at - 1].is_ascii_alphanumeric() || b"-_.".contains(&line.as_bytes()[at - 1]));
    if inside || !rest.starts_with("eyJ") {
        return None;
    }
    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.=".contains(byte)).count();
    let mut parts = rest[..length].split('.');
    let long = |part: Option<&str>, least: usize| part.is_some_and(|part| part.len() >= least);
    (long(parts.next(), 10) && long(parts.next(), 10) && parts.next().is_some()).then_some(at..at + length)
}

/// `Bearer abc`, wherever it stands.
fn bearer(line: &str, at: usize) -> Option<Range<usize>> {
    let rest = line[at..].strip_prefix("Bearer ")?;
    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte)).count();
    let from = at + "Bearer ".len();
    (length >= 8 && !plainly_none(&rest[..length]) && rest[..length].bytes().any(|byte| !byte.is_ascii_lowercase()))
        .then_some(from..from + length)
}

/// The places of a text that are not shown. What goes on over several lines is one.
pub fn places(text: &str) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    if !is_needed(text.as_bytes()) {
        return places;
    }
    let mut reader = Reader::default();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (hidden, goes_on) = reader.line(line.trim_end_matches(['\n', '\r']));
        for range in hidden {
            let range = at + range.start..at + range.end;
            match places.last_mut() {
                Some(last) if goes_on && text[last.end..range.start].trim().is_empty() => last.end = range.end,
                _ => places.push(range),
            }
        }
        at += line.len();
    }
    places
}

/// A line that a private key may go on with.
fn goes_on_with_key(line: &str) -> bool {
    let line = line.trim().trim_matches(['"', '\'', '\\', '+', ',']);
    line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
        || line.starts_with("Proc-Type:")
        || line.starts_with("DEK-Info:")
        || line.starts_with("Comment:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let mut out = String::new();
        let mut from = 0;
        for range in places(text) {
            out.push_str(&text[from..range.start]);
            out.push('§');
            from = range.end;
        }
        out.push_str(&text[from..]);
        out
    }

    #[test]
    fn the_key_is_shown_and_the_value_is_not() {
        for (text, expected) in [
            // Environments.
            ("POSTGRES_PASSWORD=3f67aa", "POSTGRES_PASSWORD=§"),
            ("export API_KEY=\"abc def\"\nB=2", "export API_KEY=\"§\"\nB=2"),
            ("A=1\nDB_PASS=correct horse battery\nB=2", "A=1\nDB_PASS=§\nB=2"),
            ("  TOKEN = 'it''s'", "  TOKEN = '§''s'"),
            ("docker run -e DB_PASSWORD=x1y2z image", "docker run -e DB_PASSWORD=§ image"),
            ("mysql --password=x1y2z --port 3306", "mysql --password=§ --port 3306"),
            ("vault --token s.abc123 read x", "vault --token § read x"),
            ("user=bob password=hunter22 action=login", "user=bob password=§ action=login"),
            ("Server=db;Password=a&b;c;Database=x", "Server=db;Password=§;Database=x"),
            ("/x?token=abc123&user=me", "/x?token=§&user=me"),
            ("DATABASE_URL=postgres://app:S3cretPw99@db/x", "DATABASE_URL=postgres://app:§@db/x"),
            ("AWS_SECRET_ACCESS_KEY=/Abc1d+efGh2iJKl3mNOPq4R", "AWS_SECRET_ACCESS_KEY=§"),
            // YAML.
            ("db:\n  password: x y z\n  user: me", "db:\n  password: §\n  user: me"),
            ("- name: a\n  secret: 'x: y'", "- name: a\n  secret: '§'"),
            ("password: |\n  line one\n  line two\nuser: me", "password: |\n  §\nuser: me"),
            ("password: 12345678", "password: §"),
            // JSON.
            (r#"{"user": "me", "password": "a\"b", "n": 1}"#, r#"{"user": "me", "password": "§", "n": 1}"#),
            (r#"{"apiKey":"abc","token":123456,"ok":true}"#, r#"{"apiKey":"§","token":§,"ok":true}"#),
            (r#"{ "password": "x", b: { token: "y" } }"#, r#"{ "password": "§", b: { token: "§" } }"#),
            (r#"{\"password\": \"a b\", \"n\": 1}"#, r#"{\"password\": \"§\", \"n\": 1}"#),
            (r#""passwords": ["a", "b"], "n": 1"#, r#""passwords": [§], "n": 1"#),
            // Headers.
            ("Authorization: Bearer abc.def", "Authorization: §"),
            ("curl -H \"Authorization: Basic dTpw\" -v x", "curl -H \"Authorization: §\" -v x"),
            ("authorization: Basic dTpw and more", "authorization: §"),
            ("Cookie: a=b; c=d", "Cookie: §"),
            ("[\"Cookie: a=b; c=d\", \"x\"]", "[\"Cookie: §\", \"x\"]"),
            ("< Set-Cookie: id=1234567; Path=/", "< Set-Cookie: §"),
            ("sent with Bearer abcDEF123456, and refused", "sent with Bearer §, and refused"),
            ("x eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc y", "x § y"),
            // Texts in quotes, as found values are told.
            (r#"found "A=1\nPASSWORD=x y\nB=2\n""#, r#"found "A=1\nPASSWORD=§\nB=2\n""#),
            (r#"found "PASSWORD=x"… (342 characters)"#, r#"found "PASSWORD=§"… (342 characters)"#),
            (r#""log": "A=1\\nPASSWORD=x\\nB=2""#, r#""log": "A=1\\nPASSWORD=§\\nB=2""#),
            (
                r#""a: 1\n  key_pem: x\n  private_key: |\n    one\n    two\n  b: 2\n""#,
                r#""a: 1\n  key_pem: §\n  private_key: |\n§\n  b: 2\n""#,
            ),
            (r"PASSWORD=pa\nss", "PASSWORD=§"),
            // Keys.
            (
                "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAbC=\n-----END RSA PRIVATE KEY-----\nb",
                "a\n-----BEGIN RSA PRIVATE KEY-----\n§\n-----END RSA PRIVATE KEY-----\nb",
            ),
            ("-----BEGIN PRIVATE KEY-----\nMIIEow\nand then words", "-----BEGIN PRIVATE KEY-----\n§\nand then words"),
            (
                r#""key": "-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n", x"#,
                r#""key": "-----BEGIN PRIVATE KEY-----§-----END PRIVATE KEY-----\n", x"#,
            ),
            // XML.
            ("<user>me</user><password>x y</password>", "<user>me</user><password>§</password>"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        for text in [
            "password_file: /run/secrets/x",
            "DB_PASSWORD_FILE=/run/secrets/db",
            "PASSWORD=",
            "PASSWORD=\"\"",
            "PASSWORD=${DB_PASSWORD}",
            "password: null",
            "password: ***",
            "run x  (env { KEY: ‹secret key› })  (stdin ‹secret key›)",
            "(env { KEY: ‹unknown: the secret `key` is 3 bytes long› })",
            "token: ‹secret token›",
            "PASSWORD=‹value not shown›",
            "key: value",
            "- key: node-role",
            "auth: ok",
            "passed: 12345 tests",
            "expect file(\".env\").text matches '^POSTGRES_PASSWORD='",
            "docker.container(\"x\").env[\"DB_PASSWORD\"] == \"a\"",
            "password == \"x\"",
            "the password is wrong",
            "invalid token",
            "max_tokens: 16384",
            "http://127.0.0.1:8080/a@b",
            "-----BEGIN CERTIFICATE-----\nMIIEow\n-----END CERTIFICATE-----",
            "step login.token: expected 200, found 401",
            "login.token: expected 200, found 401",
            "step secrets: `true` ended with status 1",
            "step old_password: old_password.refused: expected in [401, 403], found 200",
            "std::key::value",
            "a monkey: an author",
        ] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn what_was_hidden_once_stays_as_it_is() {
        for text in
            ["PASSWORD=a b\nTOKEN: x\n{\"secret\": \"y\"} postgres://u:pw1234@h/", "Authorization: Bearer abcDEF1234"]
        {
            let once = shown(text).replace('§', NOT_SHOWN);
            assert!(places(&once).is_empty(), "{once}");
        }
    }

    proptest::proptest! {
        #[test]
        fn places_are_in_their_order_and_between_characters(text in "(?s)(PASSWORD|token|key|\"|'|\\\\|=|:|://|@|-----BEGIN PRIVATE KEY-----|-----END|[ -~ä\n]){0,40}") {
            let mut before = 0;
            for range in places(&text) {
                assert!(range.start >= before && range.start < range.end);
                assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                before = range.end;
            }
        }
    }

    /// What a quote at the beginning of the text belongs to does not stand before it.
    #[test]
    fn a_bracket_that_closes_nothing_is_a_bracket() {
        for text in [
            "\"APIKEY\"]",
            "'PASSWORD']: x",
            "PASSWORD]",
            "[\"PASSWORD",
            "\"APIKEY]",
            "\\\"TOKEN\\\"]=x",
            "\"\"]",
            "n\"TOKEN\"]",
        ] {
            let _ = shown(text);
        }
        assert_eq!(shown("env[\"DB_PASSWORD\"] = \"x1y2z\""), "env[\"DB_PASSWORD\"] = \"§\"");
    }
}
