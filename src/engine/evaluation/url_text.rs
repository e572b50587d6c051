//! A URL that is written out with values in it.
//!
//! In: its text and values in turn. Out: the URL; or why a value can't stand where it stands: it would change what comes
//! before or behind it (the host, the path above it, the query). A value at the beginning is the base, and taken as it is.

/// A URL as it is put together.
#[derive(Default)]
pub struct UrlText {
    out: String,
    /// Where the base ends, if a value is the base.
    base: usize,
    /// As `out` behind the base, with a plain word for each value.
    written: String,
    /// The last part was a value.
    behind_value: bool,
}

/// What is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Authority,
    Path,
    Query,
    Fragment,
}

impl UrlText {
    pub fn text(&mut self, text: &str) {
        self.out.push_str(text);
        self.written.push_str(text);
        self.behind_value = false;
    }

    pub fn value(&mut self, value: &str) -> Result<(), String> {
        let behind_value = std::mem::replace(&mut self.behind_value, true);
        if self.out.is_empty() {
            self.out.push_str(value);
            self.base = value.len();
            return Ok(());
        }
        let part = self.part();
        let (name, forbidden) = match part {
            // `#{base}#{path}`
            Part::Authority if value.starts_with('/') => ("path", "?#\\"),
            Part::Authority if behind_value && !value.is_empty() => {
                let why = "a value right behind another one in the host of this URL: it could name another host; write what stands between them, or begin it with `/`";
                return Err(why.to_owned());
            }
            Part::Authority => ("host", "/?#@\\%"),
            Part::Path => ("path", "?#\\"),
            // `?#{query}`: all of it.
            Part::Query if self.out.ends_with('?') => ("query", "#"),
            Part::Query => ("query", "&#"),
            Part::Fragment => ("fragment", ""),
        };
        if let Some(found) = value.chars().find(|char| char.is_control() || forbidden.contains(*char)) {
            let found = if found.is_control() { "a control character".to_owned() } else { format!("`{found}`") };
            let help = match part {
                Part::Query => "give it by `query: { name: value }`",
                _ => "write that into the text of the URL, or give it by `query: { name: value }`",
            };
            return Err(format!("a value in the {name} of this URL holds {found}, which would change the URL; {help}"));
        }
        self.written.push_str(if value.starts_with('/') { "/x" } else { "x" });
        match part {
            // A blank at the end would be cut off.
            Part::Path | Part::Query => self.out.push_str(&value.replace(' ', "%20")),
            Part::Authority | Part::Fragment => self.out.push_str(value),
        }
        Ok(())
    }

    pub fn finish(self) -> Result<String, String> {
        if dots(&self.out[self.base..]) > dots(&self.written) {
            return Err(
                "a value in the path of this URL holds `.` or `..`, which would lead out of that path".to_owned()
            );
        }
        Ok(self.out)
    }

    fn part(&self) -> Part {
        if self.out.contains('#') {
            return Part::Fragment;
        }
        if self.out.contains('?') {
            return Part::Query;
        }
        let authority = self.out.split_once("://").map_or("", |(_, rest)| rest);
        if authority.contains(['/', '\\']) { Part::Path } else { Part::Authority }
    }
}

/// How many segments of a path lead elsewhere: `.` and `..`, also percent-encoded (WHATWG URL, "double-dot URL path
/// segment").
fn dots(url: &str) -> usize {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let plain = |segment: &str| segment.to_ascii_lowercase().replace("%2e", ".");
    path.split(['/', '\\']).filter(|segment| matches!(&*plain(segment), "." | "..")).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `§` stands for the values, in their order.
    fn put(text: &str, values: &[&str]) -> Result<String, String> {
        let mut url = UrlText::default();
        for (at, piece) in text.split('§').enumerate() {
            if at > 0 {
                url.value(values[at - 1])?;
            }
            if !piece.is_empty() {
                url.text(piece);
            }
        }
        url.finish()
    }

    #[test]
    fn a_value_that_is_data_stays_as_it_is() {
        for (text, values, wanted) in [
            ("§/users/§", &["http://h/api", "7"][..], "http://h/api/users/7"),
            ("§/users/§", &["http://h", "a b@c+d;e=f:50%"], "http://h/users/a%20b@c+d;e=f:50%"),
            ("§§", &["http://h:1", "/health/live"], "http://h:1/health/live"),
            ("§/§", &["http://h", "health/live"], "http://h/health/live"),
            ("§:§/x", &["http://h", "80"], "http://h:80/x"),
            ("http://§:§/x", &["10.0.0.1", "80"], "http://10.0.0.1:80/x"),
            ("http://§/x", &["[::1]"], "http://[::1]/x"),
            ("http://h/a/../§", &["b"], "http://h/a/../b"),
            ("§/x", &["http://h/a/../b?c"], "http://h/a/../b?c/x"),
            ("http://h/v§.§/x", &["1", ".2"], "http://h/v1..2/x"),
            ("http://h/x?q=§&r=§", &["a b/c?d=e", "+"], "http://h/x?q=a%20b/c?d=e&r=+"),
            ("http://h/x?§", &["a=1&b=2"], "http://h/x?a=1&b=2"),
        ] {
            assert_eq!(put(text, values).as_deref(), Ok(wanted), "{text} {values:?}");
        }
    }

    #[test]
    fn a_value_that_would_change_the_url_is_refused() {
        for (text, values) in [
            ("§/users/§", &["http://h", "../../admin?x="][..]),
            ("§/users/§", &["http://h", "../admin"]),
            ("§/users/§", &["http://h", ".."]),
            ("§/users/§/x", &["http://h", "%2e%2E"]),
            ("§/users/.§/x", &["http://h", "."]),
            ("§/users/§§/x", &["http://h", ".", "."]),
            ("§/users/§", &["http://h", "x/../y"]),
            ("§/users/§", &["http://h", "x?admin=1"]),
            ("§/users/§", &["http://h", "x#"]),
            ("§/users/§", &["http://h", "..\\..\\admin"]),
            ("§/users/§", &["http://h", "x\ny"]),
            ("§/users/§/z", &["http://h", ".\t."]),
            ("§§", &["http://h", "@evil/"]),
            ("§§", &["http://h", ".evil"]),
            ("§§", &["http://h", "/../x"]),
            ("http://§/x", &["evil/?"]),
            ("http://§/x", &["user@evil"]),
            ("http://api.§/x", &["evil#"]),
            ("http://h:§/x", &["80@evil"]),
            ("http://h/x?q=§", &["1&admin=1"]),
            ("http://h/x?q=§", &["1#"]),
        ] {
            assert!(put(text, values).is_err(), "{text} {values:?}: {:?}", put(text, values));
        }
    }
}
