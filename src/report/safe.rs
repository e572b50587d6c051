//! Making foreign text harmless: what a server or command sends can't steer a terminal, nor mislead a reader.

/// Control characters and those that reorder text become visible; a tab becomes blanks.
pub fn safe(text: &str) -> String {
    if text.chars().all(|char| !harmful(char)) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\t' => out.push_str("    "),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push('␛'),
            '\u{7f}' => out.push('␡'),
            char if (char as u32) < 0x20 => out.push(char::from_u32(0x2400 + char as u32).unwrap_or('�')),
            char if harmful(char) => out.push_str(&format!("\\u{{{:x}}}", char as u32)),
            char => out.push(char),
        }
    }
    out
}

/// A line of JSON in which what could mislead a reader is written as an escape: the same data, and harmless to look at.
pub fn safe_json(line: String) -> String {
    if !line.chars().any(harmful) {
        return line;
    }
    let mut out = String::with_capacity(line.len() + 16);
    for char in line.chars() {
        // All of them are below U+10000: one unit of UTF-16 (RFC 8259, section 7).
        match char {
            char if harmful(char) => out.push_str(&format!("\\u{:04x}", char as u32)),
            char => out.push(char),
        }
    }
    out
}

/// Text in HTML or XML, in an attribute too: never markup. What XML 1.0 has no characters for was made visible.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in safe(text).chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            char => out.push(char),
        }
    }
    out
}

fn harmful(char: char) -> bool {
    char.is_control()
        // Bidirectional marks and overrides (Unicode 15, UAX #9), and characters without width.
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
        || matches!(char, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::{safe, safe_json};

    #[test]
    fn json_stays_the_same_data() {
        let data = serde_json::json!({ "a": "\u{202e}x\u{9b}2J\u{7f}✓" });
        let line = safe_json(data.to_string());
        assert!(line.chars().all(|char| !super::harmful(char)), "{line}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).expect("JSON"), data);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(safe("\u{1b}[2J\u{7}a\tb"), "␛[2J␇a    b");
        assert_eq!(safe("\u{202e}gpj"), "\\u{202e}gpj");
        assert_eq!(safe("plain ‹text› ✓"), "plain ‹text› ✓");
    }
}
