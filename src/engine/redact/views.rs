//! How a text reads once what it was written with is undone: escapes, percent-encoding, HTML, quotes of a shell, line
//! breaks. A secret is looked for in each reading, so no list of the forms that programs write is needed.
//!
//! In: bytes. Out: a [`View`]: the bytes that they mean, each with its place in the text.

/// What a text may have been written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// `\"`, `\n`, `\/`, `\u00e4`, `\u{e4}`, `\xc3\xa4`, `\303\244`, `\&`: JSON, the languages, `printf %q`, `$'…'`.
    Backslashes,
    /// `%2F`
    Percent,
    /// As [`Written::Percent`], with `+` for a space: forms and queries.
    Form,
    /// `&amp;`, `&#39;`, `&#x27;`
    Html,
    /// `'\''` and `'"'"'` in a word that stands in single quotes.
    Quotes,
}

pub const ALL: [Written; 5] = [Written::Backslashes, Written::Percent, Written::Form, Written::Html, Written::Quotes];

/// The most whitespace that is passed over inside of a text that was broken into lines.
const BREAK: usize = 96;

/// What a text means, with the place of each byte in it.
#[derive(Default)]
pub struct View {
    pub bytes: Vec<u8>,
    /// Where what became a byte begins and ends.
    places: Vec<(u32, u32)>,
    /// Where something begins at the text's end that may go on behind it.
    pub unfinished: Option<usize>,
}

impl View {
    fn push(&mut self, byte: u8, from: usize, to: usize) {
        self.bytes.push(byte);
        let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.places.push((narrow(from), narrow(to)));
    }

    fn char(&mut self, char: char, from: usize, to: usize) {
        let mut buffer = [0; 4];
        for byte in char.encode_utf8(&mut buffer).bytes() {
            self.push(byte, from, to);
        }
    }

    /// Where in the text these bytes of the view come from.
    pub fn place(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let from = self.places.get(range.start).map_or(0, |place| place.0);
        let to = range.end.checked_sub(1).and_then(|last| self.places.get(last)).map_or(from, |place| place.1);
        from as usize..to as usize
    }

    /// Where in the text this byte of the view begins.
    pub fn start(&self, at: usize) -> usize {
        self.places.get(at).map_or_else(|| self.places.last().map_or(0, |place| place.1), |place| place.0) as usize
    }
}

impl Written {
    /// What the text means if it was written so; `None` if it means what it says.
    pub fn undone(self, text: &[u8]) -> Option<View> {
        let sign = match self {
            Written::Backslashes => memchr(b'\\', text),
            Written::Percent => memchr(b'%', text),
            Written::Form => memchr(b'+', text),
            Written::Html => memchr(b'&', text),
            Written::Quotes => memchr(b'\'', text),
        };
        sign?;
        let mut view = View::default();
        let mut at = 0;
        let mut undone = false;
        while at < text.len() {
            let read = match self {
                Written::Backslashes => backslash(&text[at..]),
                Written::Percent | Written::Form => percent(&text[at..], self == Written::Form),
                Written::Html => html(&text[at..]),
                Written::Quotes => quote(&text[at..]),
            };
            match read {
                Read::Plain => {
                    view.push(text[at], at, at + 1);
                    at += 1;
                }
                Read::Byte(byte, length) => {
                    view.push(byte, at, at + length);
                    at += length;
                    undone = true;
                }
                Read::Char(char, length) => {
                    view.char(char, at, at + length);
                    at += length;
                    undone = true;
                }
                Read::Unfinished => {
                    view.unfinished.get_or_insert(at);
                    view.push(text[at], at, at + 1);
                    at += 1;
                }
            }
        }
        (undone || view.unfinished.is_some()).then_some(view)
    }
}

fn memchr(byte: u8, text: &[u8]) -> Option<usize> {
    text.iter().position(|found| *found == byte)
}

/// What stands at the beginning of a text.
enum Read {
    /// Itself.
    Plain,
    Byte(u8, usize),
    Char(char, usize),
    /// It ends too early to tell.
    Unfinished,
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    digits.iter().all(u8::is_ascii_hexdigit).then(|| u32::from_str_radix(text, 16).ok())?
}

fn backslash(text: &[u8]) -> Read {
    let [b'\\', rest @ ..] = text else { return Read::Plain };
    let Some(kind) = rest.first() else { return Read::Unfinished };
    let digits = |count: usize| -> Result<u32, Read> {
        let found = rest[1..].iter().take(count).take_while(|byte| byte.is_ascii_hexdigit()).count();
        match found == count {
            true => hex(&rest[1..=count]).ok_or(Read::Plain),
            false if found == rest.len() - 1 => Err(Read::Unfinished),
            false => Err(Read::Char(char::from(*kind), 2)),
        }
    };
    let read = match kind {
        b'n' => Ok(Read::Byte(b'\n', 2)),
        b't' => Ok(Read::Byte(b'\t', 2)),
        b'r' => Ok(Read::Byte(b'\r', 2)),
        b'b' => Ok(Read::Byte(8, 2)),
        b'f' => Ok(Read::Byte(12, 2)),
        b'v' => Ok(Read::Byte(11, 2)),
        b'a' => Ok(Read::Byte(7, 2)),
        b'e' | b'E' => Ok(Read::Byte(27, 2)),
        b'u' if rest.get(1) == Some(&b'{') => Ok(braced(rest)),
        b'u' => digits(4).map(|unit| surrogate(unit, rest)),
        b'U' => digits(8).map(|unit| char::from_u32(unit).map_or(Read::Plain, |char| Read::Char(char, 10))),
        b'x' => digits(2).map(|byte| byte_or_char(byte, rest)),
        b'0'..=b'3' => {
            let octal = rest.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            match octal {
                3 => Ok(Read::Byte(rest[..3].iter().fold(0u8, |sum, digit| (sum << 3) | (digit - b'0')), 4)),
                _ if octal == rest.len() => Ok(Read::Unfinished),
                _ if *kind == b'0' => Ok(Read::Byte(0, 2)),
                _ => Ok(Read::Byte(*kind, 2)),
            }
        }
        // Of a character of several bytes the rest follows as it is.
        other => Ok(Read::Byte(*other, 2)),
    };
    read.unwrap_or_else(|read| read)
}

/// `\u{1f980}`
fn braced(rest: &[u8]) -> Read {
    let inside = &rest[2..];
    let digits = inside.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
    match (hex(&inside[..digits]).and_then(char::from_u32), inside.get(digits)) {
        (Some(char), Some(b'}')) => Read::Char(char, digits + 4),
        (_, None) => Read::Unfinished,
        _ => Read::Byte(b'u', 2),
    }
}

/// `\u00e4`; what is not in the basic plane is written as two of them (RFC 8259, section 7).
fn surrogate(unit: u32, rest: &[u8]) -> Read {
    if let Some(char) = char::from_u32(unit) {
        return Read::Char(char, 6);
    }
    let behind = &rest[5..];
    if behind.len() < 6 && b"\\u".starts_with(&behind[..behind.len().min(2)]) {
        return Read::Unfinished;
    }
    match (behind.starts_with(b"\\u"), behind.get(2..6).and_then(hex)) {
        (true, Some(low @ 0xdc00..=0xdfff)) if (0xd800..0xdc00).contains(&unit) => {
            let char = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
            char.map_or(Read::Plain, |char| Read::Char(char, 12))
        }
        _ => Read::Byte(b'u', 2),
    }
}

/// `\xe4` is a character in Python's texts, and a byte in its bytes and in a shell: there, others make it UTF-8.
fn byte_or_char(byte: u32, rest: &[u8]) -> Read {
    let next = rest.get(3..7).filter(|next| next.starts_with(b"\\x")).and_then(|next| hex(&next[2..]));
    match (byte, next) {
        (..0x80, _) | (0x80..0xc0, _) | (_, Some(0x80..0xc0)) => Read::Byte(byte.try_into().unwrap_or(b'?'), 4),
        _ => char::from_u32(byte).map_or(Read::Plain, |char| Read::Char(char, 4)),
    }
}

fn percent(text: &[u8], form: bool) -> Read {
    match text {
        [b'+', ..] if form => Read::Byte(b' ', 1),
        [b'%', a, b, ..] => match hex(&[*a, *b]) {
            Some(byte) => Read::Byte(byte.try_into().unwrap_or(b'?'), 3),
            None => Read::Plain,
        },
        [b'%'] => Read::Unfinished,
        [b'%', digit] if digit.is_ascii_hexdigit() => Read::Unfinished,
        _ => Read::Plain,
    }
}

fn html(text: &[u8]) -> Read {
    const NAMED: [(&[u8], char); 6] =
        [(b"&amp;", '&'), (b"&lt;", '<'), (b"&gt;", '>'), (b"&quot;", '"'), (b"&apos;", '\''), (b"&nbsp;", ' ')];
    if text.first() != Some(&b'&') {
        return Read::Plain;
    }
    for (name, char) in NAMED {
        if text.starts_with(name) {
            return Read::Char(char, name.len());
        }
        if name.starts_with(text) {
            return Read::Unfinished;
        }
    }
    let (from, digit): (_, fn(&u8) -> bool) = match text {
        [b'&', b'#', b'x' | b'X', ..] => (3, u8::is_ascii_hexdigit),
        [b'&', b'#', ..] => (2, u8::is_ascii_digit),
        _ => return Read::Plain,
    };
    let count = text[from..].iter().take(7).take_while(|byte| digit(byte)).count();
    let digits = std::str::from_utf8(&text[from..from + count]).unwrap_or_default();
    let number = u32::from_str_radix(digits, if from == 3 { 16 } else { 10 }).ok();
    match (number.and_then(char::from_u32), text.get(from + count)) {
        (Some(char), Some(b';')) => Read::Char(char, from + count + 1),
        (_, None) => Read::Unfinished,
        _ => Read::Plain,
    }
}

fn quote(text: &[u8]) -> Read {
    for written in [&b"'\\''"[..], b"'\"'\"'"] {
        if text.starts_with(written) {
            return Read::Byte(b'\'', written.len());
        }
        if text.len() < written.len() && written.starts_with(text) {
            return Read::Unfinished;
        }
    }
    Read::Plain
}

/// The text without whitespace, and base64's two alphabets as one: what was broken into lines is whole again. Much
/// whitespace stays a gap.
pub fn packed(text: &[u8], places: bool) -> View {
    let mut view = View::default();
    view.bytes.reserve(text.len());
    let mut blank = 0;
    for (at, byte) in text.iter().enumerate() {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            blank += 1;
            continue;
        }
        let byte = unified(*byte);
        if blank > BREAK && !view.bytes.is_empty() {
            // In no UTF-8, so in no secret.
            view.bytes.push(0xff);
            if places {
                view.places.push((at as u32, at as u32));
            }
        }
        blank = 0;
        view.bytes.push(byte);
        if places {
            view.places.push((at as u32, at as u32 + 1));
        }
    }
    if blank > BREAK && !view.bytes.is_empty() {
        view.bytes.push(0xff);
        if places {
            view.places.push((text.len() as u32, text.len() as u32));
        }
    }
    view
}

fn unified(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(written: Written, text: &str) -> String {
        written
            .undone(text.as_bytes())
            .map_or_else(|| text.to_owned(), |view| String::from_utf8(view.bytes).expect("UTF-8"))
    }

    #[test]
    fn each_way_of_writing_is_undone() {
        use Written::*;
        for (written, text, means) in [
            (Backslashes, r#"pa\u0026ss\u003cw\u003eor\/d\"\\\n"#, "pa&ss<w>or/d\"\\\n"),
            (Backslashes, r"p\u00e4ss \ud83e\udd80 \u{1f980} \xe4 \xc3\xa4 \303\244", "päss 🦀 🦀 ä ä ä"),
            (Backslashes, r"pa\&ss\<w\>or/d\ x\'", "pa&ss<w>or/d x'"),
            (Backslashes, r"\ä", "ä"),
            (Percent, "a%21b%26c*%28d%29e+f%zz%", "a!b&c*(d)e+f%zz%"),
            (Form, "a%21b%26c*%28d%29e+f", "a!b&c*(d)e f"),
            (Html, "&lt;a&#39;&#x2F;&amp;amp; & b&foo;", "<a'/&amp; & b&foo;"),
            (Quotes, r#"it'\''s '"'"'x'"#, "it's 'x'"),
        ] {
            assert_eq!(undone(written, text), means, "{text}");
        }
    }

    #[test]
    fn places_are_those_of_the_text() {
        let text = br"a\u00e4b";
        let view = Written::Backslashes.undone(text).expect("undone");
        assert_eq!(view.place(0..4), 0..8);
        assert_eq!(view.place(1..3), 1..7);
        let view = packed(b"a b\n\n c", true);
        assert_eq!((&view.bytes[..], view.place(1..3)), (&b"abc"[..], 2..7));
    }

    #[test]
    fn what_ends_early_may_go_on() {
        for (written, text, at) in [
            (Written::Backslashes, "ab\\", 2),
            (Written::Backslashes, "ab\\u00", 2),
            (Written::Backslashes, "\\ud83e\\u", 0),
            (Written::Percent, "a%4", 1),
            (Written::Html, "a&am", 1),
            (Written::Html, "a&#3", 1),
            (Written::Quotes, "a'\\", 1),
        ] {
            assert_eq!(written.undone(text.as_bytes()).expect("read").unfinished, Some(at), "{text}");
        }
    }
}
