//! Patterns that stand for many names or paths: `shop_*`, `secrets/**/*.txt`.
//!
//! In: a pattern that anybody may have written, or that a value holds. Out: a [`Pattern`] that can be asked, or why it is
//! none. Too long or too deep, it is refused: compiled by globset itself, it would panic.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::GlobBuilder;

/// The longest pattern, in bytes.
const LONGEST: usize = 16 * 1024;

/// The most groups `{a,b}`; they may stand in one another.
const MOST_GROUPS: usize = 64;

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPattern {
    #[error("{0}")]
    Malformed(String),
    #[error("it is longer than {} KiB", LONGEST / 1024)]
    TooLong,
    #[error("it has more than {MOST_GROUPS} groups")]
    TooDeep,
    #[error("it is too large")]
    TooLarge,
}

/// A pattern that was read.
#[derive(Clone, Debug)]
pub struct Pattern(regex::bytes::Regex);

impl Pattern {
    /// Of names: `*` stands for any text.
    pub fn of_names(pattern: &str) -> Result<Self, NoPattern> {
        Self::read(pattern, false)
    }

    /// Of paths: `*` stays within a folder, `**` does not.
    pub fn of_paths(pattern: &str) -> Result<Self, NoPattern> {
        Self::read(pattern, true)
    }

    fn read(pattern: &str, within_folders: bool) -> Result<Self, NoPattern> {
        if pattern.len() > LONGEST {
            return Err(NoPattern::TooLong);
        }
        if pattern.matches('{').count() > MOST_GROUPS {
            return Err(NoPattern::TooDeep);
        }
        let glob = GlobBuilder::new(pattern).literal_separator(within_folders).build();
        let glob = glob.map_err(|error| NoPattern::Malformed(error.kind().to_string()))?;
        let regex = regex::bytes::RegexBuilder::new(glob.regex()).dot_matches_new_line(true).build();
        regex.map(Self).map_err(|_| NoPattern::TooLarge)
    }

    pub fn is_match(&self, text: impl AsRef<Path>) -> bool {
        self.0.is_match(text.as_ref().as_os_str().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn names_and_paths() {
        let names = Pattern::of_names("shop_*").expect("a pattern");
        assert!(names.is_match("shop_api") && names.is_match("shop_a/b\nc") && !names.is_match("a_shop_api"));
        let paths = Pattern::of_paths("/a/*.txt").expect("a pattern");
        assert!(paths.is_match("/a/b.txt") && !paths.is_match("/a/b/c.txt"));
        assert!(Pattern::of_paths("/a/**/c.txt").expect("a pattern").is_match("/a/b/b/c.txt"));
        assert!(Pattern::of_paths("/{a,b}/c").expect("a pattern").is_match("/b/c"));
    }

    #[test]
    fn what_is_none_is_said_and_nothing_panics() {
        assert!(Pattern::of_names("a[").is_err());
        for hostile in ["x".repeat(1 << 20), "{".repeat(100_000), "*".repeat(1 << 20), "\u{1f980}?".repeat(100_000)] {
            assert!(Pattern::of_paths(&hostile).is_err());
        }
        let deep = format!("{}a{}", "{".repeat(64), "}".repeat(64));
        let _ = Pattern::of_names(&deep);
        let wide = "[!a]*\u{1f980}?".repeat(1000);
        let _ = Pattern::of_names(&wide);
    }
}
