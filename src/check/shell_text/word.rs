//! Words of a command, as the shell joins them from literal text, expansions and values.

/// What a command's text is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    Char(char),
    /// A value, by its number.
    Value(usize),
}

#[derive(Debug)]
enum Piece {
    Text {
        text: String,
        quoted: bool,
    },
    /// `$x`, `$(…)`, `` `…` ``
    Expansion {
        quoted: bool,
    },
    Value(usize),
}

/// A word of a command, its quotes removed.
#[derive(Debug, Default)]
pub struct Word {
    pieces: Vec<Piece>,
    /// Quotes with nothing between them make a word, too.
    quotes: bool,
}

impl Word {
    pub fn push(&mut self, char: char, quoted: bool) {
        match self.pieces.last_mut() {
            Some(Piece::Text { text, quoted: before }) if *before == quoted => text.push(char),
            _ => self.pieces.push(Piece::Text { text: char.to_string(), quoted }),
        }
    }

    pub fn push_expansion(&mut self, quoted: bool) {
        self.pieces.push(Piece::Expansion { quoted });
    }

    pub fn push_value(&mut self, value: usize) {
        self.pieces.push(Piece::Value(value));
    }

    pub fn quote(&mut self) {
        self.quotes = true;
    }

    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && !self.quotes
    }

    pub fn values(&self) -> impl Iterator<Item = usize> + '_ {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(value) => Some(*value),
            _ => None,
        })
    }

    pub fn has_value(&self) -> bool {
        self.values().next().is_some()
    }

    /// Whether the shell may make several words of it, or none.
    pub fn splits(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Expansion { quoted: false }))
    }

    /// The word, if it is written without any quotes: only such a word can be one of the shell's own.
    pub fn bare(&self) -> Option<&str> {
        match &self.pieces[..] {
            [Piece::Text { text, quoted: false }] if !self.quotes => Some(text),
            _ => None,
        }
    }

    /// The text of a word that is written out: without values, expansions and patterns.
    pub fn literal(&self) -> Option<String> {
        let mut all = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text { text, quoted } => {
                    let own = matches!(&**text, "[" | "[[" | "{}" | "{" | "}") && self.pieces.len() == 1;
                    if !quoted && !own && text.contains(['*', '?', '[', '{']) {
                        return None;
                    }
                    all.push_str(text);
                }
                Piece::Expansion { .. } | Piece::Value(_) => return None,
            }
        }
        Some(all)
    }

    /// The literal text that it begins with.
    pub fn lead(&self) -> String {
        self.pieces.iter().map_while(Piece::text).collect()
    }

    /// The literal text that it begins with, as far as it stands without quotes.
    pub fn bare_lead(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text { text, quoted: false }) => text,
            _ => "",
        }
    }

    /// All of its literal text.
    pub fn text(&self) -> String {
        self.pieces.iter().filter_map(Piece::text).collect()
    }

    /// Whether what follows could be read as part of `~name`, at its start or behind `=` or `:`.
    pub fn ends_in_tilde_prefix(&self) -> bool {
        let (mut begins, mut tilde) = (true, false);
        for piece in &self.pieces {
            let Piece::Text { text, quoted } = piece else {
                (begins, tilde) = (false, false);
                continue;
            };
            for char in text.chars() {
                tilde = char != '/' && (tilde || (begins && char == '~' && !quoted));
                begins = matches!(char, '=' | ':');
                tilde &= !begins;
            }
        }
        tilde
    }

    /// The literal text that it ends with.
    pub fn tail(&self) -> String {
        let from = self.pieces.iter().rposition(|piece| piece.text().is_none()).map_or(0, |at| at + 1);
        self.pieces[from..].iter().filter_map(Piece::text).collect()
    }
}

impl Piece {
    fn text(&self) -> Option<&str> {
        match self {
            Piece::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}
