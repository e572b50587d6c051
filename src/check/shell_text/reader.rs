//! The shell's grammar, as far as it tells what a position is.
//!
//! In: the text of a command with its values. Out: the position of each value. What shells read in different ways is
//! not followed: from there on no position is known (`Stop::Lost`). Structures such as `if` need not be complete: the
//! shell itself refuses what is not.

use super::commands::{self, Command};
use super::known::Known;
use super::word::{Unit, Word};
use super::{Position, Refusal};
use crate::check::program::{ShellPlace, ShellTakes};

/// How deep substitutions and groups are followed.
const DEEPEST: u32 = 64;

/// What a text was read to.
#[derive(Debug)]
pub struct Script {
    pub positions: Vec<Position>,
    /// What stands before the values that were not reached.
    pub lost: Option<&'static str>,
    /// What is not closed.
    pub open: Option<&'static str>,
    /// The output of a command goes to another: `a | b`.
    pub pipeline: bool,
}

pub fn read(units: &[Unit], values: usize) -> Script {
    let mut reader = Reader::new(units, values, 0);
    let (lost, open) = match reader.list(End::Text) {
        Ok(_) => (None, None),
        Err(Stop::Lost(behind)) => (Some(behind), None),
        Err(Stop::Open(what)) => (None, Some(what)),
    };
    // Behind what is not followed, a `|` that is not quoted is taken for one.
    let pipeline = reader.known.pipeline || (lost.is_some() && bare_pipe(&units[reader.at.min(units.len())..]));
    let mut known = reader.known;
    known.settle();
    Script { positions: known.positions, lost, open, pipeline }
}

/// Whether a `|` that is no `||` stands in a text, outside of quotes.
fn bare_pipe(units: &[Unit]) -> bool {
    let mut quote = None;
    let mut at = 0;
    while let Some(unit) = units.get(at) {
        match (unit, quote) {
            (Unit::Char('\\'), None | Some('"')) => at += 1,
            (Unit::Char(char @ ('\'' | '"')), None) => quote = Some(*char),
            (Unit::Char(char), Some(open)) if *char == open => quote = None,
            (Unit::Char('|'), None) if units.get(at + 1) == Some(&Unit::Char('|')) => at += 1,
            (Unit::Char('|'), None) => return true,
            _ => {}
        }
        at += 1;
    }
    false
}

/// Why reading stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Behind this, shells differ in what they read.
    Lost(&'static str),
    Open(&'static str),
}

type Read<T> = Result<T, Stop>;

/// What ends a list of commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Text,
    /// `)` of `$(…)`
    Substitution,
    /// `)` of `(…)`
    Group,
    /// `;;`, or `esac`
    Case,
}

/// What a list ended with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ended {
    There,
    Esac,
}

/// What values stand within, where none fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Within {
    Substitution,
    Parameter,
    Arithmetic,
    Backticks,
    Comment,
    HereDocument,
    Test,
    Dollar,
}

struct Here {
    /// The line that ends it.
    end: String,
    /// Tabs before that line don't count: `<<-`.
    tabs: bool,
    /// Its lines are not expanded.
    quoted: bool,
}

struct Reader<'t> {
    units: &'t [Unit],
    at: usize,
    depth: u32,
    within: Vec<Within>,
    /// Here-documents whose operators were read, from the next line on.
    here: Vec<Here>,
    known: Known,
}

impl<'t> Reader<'t> {
    fn new(units: &'t [Unit], values: usize, depth: u32) -> Self {
        let positions = vec![Position::Unread; values];
        let known = Known { positions, assigned: Vec::new(), aliases: false, attributes: false, pipeline: false };
        Self { units, at: 0, depth, within: Vec::new(), here: Vec::new(), known }
    }

    /// The unit that comes next; a backslash at the end of a line, and that end, are nothing to the shell.
    fn peek(&mut self) -> Option<Unit> {
        while self.units.get(self.at) == Some(&Unit::Char('\\'))
            && self.units.get(self.at + 1) == Some(&Unit::Char('\n'))
        {
            self.at += 2;
        }
        self.units.get(self.at).copied()
    }

    fn take(&mut self) -> Option<Unit> {
        let unit = self.peek();
        self.at += 1;
        unit
    }

    /// The unit that comes next, as it is written.
    fn take_raw(&mut self) -> Option<Unit> {
        let unit = self.units.get(self.at).copied();
        self.at += 1;
        unit
    }

    fn is(&mut self, char: char) -> bool {
        self.peek() == Some(Unit::Char(char))
    }

    fn skip(&mut self, char: char) -> bool {
        let there = self.is(char);
        if there {
            self.at += 1;
        }
        there
    }

    fn blanks(&mut self) {
        while let Some(Unit::Char(' ' | '\t')) = self.peek() {
            self.at += 1;
        }
    }

    fn inside<T>(&mut self, within: Within, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        if self.depth == DEEPEST {
            return Err(Stop::Lost("behind more levels of substitution than are followed"));
        }
        self.depth += 1;
        self.within.push(within);
        let read = read(self);
        self.within.pop();
        self.depth -= 1;
        read
    }

    fn in_substitution(&self) -> bool {
        self.within.contains(&Within::Substitution)
    }

    /// A value, in quotes or out of them.
    fn value(&mut self, value: usize, place: ShellPlace) {
        let refusal = match self.within.first() {
            Some(Within::Substitution) => Refusal::unclear("inside `$(…)`, which is read on its own"),
            Some(Within::Parameter) => Refusal::unclear("inside `${…}`, where it would be part of a name or pattern"),
            Some(Within::Backticks) => Refusal::unclear("inside backticks, which are read twice"),
            Some(Within::Comment) => Refusal::unclear("inside a comment of the shell"),
            Some(Within::HereDocument) => Refusal {
                help: "give the text on standard input: `run \"cat\" stdin text`",
                ..Refusal::unclear("inside a here-document; pass the text with `stdin`")
            },
            Some(Within::Dollar) => Refusal::unclear("inside `$'…'` or `$\"…\"`, which not every shell knows"),
            Some(Within::Arithmetic) => Refusal::again(
                "inside arithmetic, which some shells read again",
                "compute it in the runbook, `let next = n + 1`, and write `#{next}`",
            ),
            Some(Within::Test) => Refusal::again(
                "inside `[[ … ]]`, which not every `/bin/sh` has, and which may read it again",
                "write `[ \"$x\" = #{value} ]`, or better an `expect` or `if` of the runbook",
            ),
            None if !self.here.is_empty() => Refusal::unclear("behind `<<`: it may name the end of the here-document"),
            None => {
                self.known.positions[value] = Position::Fits(place, ShellTakes::Word);
                return;
            }
        };
        self.known.refuse(value, refusal);
    }

    /// Commands, up to the end.
    fn list(&mut self, end: End) -> Read<Ended> {
        loop {
            self.blanks();
            match self.peek() {
                None if end == End::Substitution => return Err(Stop::Open("`$(`")),
                None => return Ok(Ended::There),
                Some(Unit::Char('\n')) => {
                    self.at += 1;
                    self.here_documents()?;
                }
                Some(Unit::Char('#')) => self.comment()?,
                Some(Unit::Char(';')) => {
                    self.at += 1;
                    if self.is('&') || self.is('|') {
                        return Err(Stop::Lost("behind `;&`"));
                    }
                    if self.skip(';') {
                        if end != End::Case || self.is('&') {
                            return Err(Stop::Lost("behind `;;`"));
                        }
                        return Ok(Ended::There);
                    }
                }
                Some(Unit::Char('&')) => {
                    self.at += 1;
                    if self.is('>') {
                        return Err(Stop::Lost("behind `&>`, which is `&` and `>` to some shells"));
                    }
                    self.skip('&');
                }
                Some(Unit::Char('|')) => {
                    self.at += 1;
                    if self.is('&') {
                        self.known.pipeline = true;
                        return Err(Stop::Lost("behind `|&`, which not every shell knows"));
                    }
                    self.known.pipeline |= !self.skip('|');
                }
                Some(Unit::Char('(')) => {
                    self.at += 1;
                    if self.is('(') {
                        return Err(Stop::Lost("behind `((`, which some shells read as arithmetic"));
                    }
                    self.group()?;
                }
                Some(Unit::Char(')')) if matches!(end, End::Substitution | End::Group) => {
                    self.at += 1;
                    return Ok(Ended::There);
                }
                Some(Unit::Char(')')) => return Err(Stop::Lost("behind a `)` that closes nothing")),
                Some(_) => {
                    if self.command()? == Ended::Esac {
                        return match end {
                            End::Case => Ok(Ended::Esac),
                            _ => Err(Stop::Lost("behind an `esac` that ends nothing")),
                        };
                    }
                }
            }
        }
    }

    /// `(…)`, behind its parenthesis.
    fn group(&mut self) -> Read<()> {
        if self.depth == DEEPEST {
            return Err(Stop::Lost("behind more levels of `(` than are followed"));
        }
        self.depth += 1;
        let read = self.list(End::Group);
        self.depth -= 1;
        read.map(|_| ())
    }

    fn comment(&mut self) -> Read<()> {
        if self.in_substitution() {
            return Err(Stop::Lost("behind a comment inside `$(…)`"));
        }
        while let Some(unit) = self.units.get(self.at).copied() {
            match unit {
                Unit::Char('\n') => break,
                Unit::Char(_) => {}
                Unit::Value(value) => self.inside(Within::Comment, |reader| {
                    reader.value(value, ShellPlace::Bare);
                    Ok(())
                })?,
            }
            self.at += 1;
        }
        Ok(())
    }

    /// A simple command, behind any words of the shell's own that stand before it.
    fn command(&mut self) -> Read<Ended> {
        let mut command = Command::default();
        loop {
            self.blanks();
            match self.peek() {
                None | Some(Unit::Char('\n' | ';' | '&' | '|' | ')')) => break,
                Some(Unit::Char('#')) => {
                    self.comment()?;
                    break;
                }
                Some(Unit::Char('<' | '>')) => {
                    self.redirect()?;
                    continue;
                }
                Some(Unit::Char('(')) => {
                    match (command.words.as_slice(), command.assignments.is_empty()) {
                        ([name], true) if name.bare().is_some() => self.function()?,
                        ([], true) => return Ok(Ended::There),
                        _ => return Err(Stop::Lost("behind a `(` that not every shell knows")),
                    }
                    // Its body is a command of its own.
                    return Ok(Ended::There);
                }
                Some(_) => {}
            }
            let word = self.word()?;
            if self.is('<') || self.is('>') {
                let lead = word.bare_lead();
                if !lead.is_empty() && word.bare() == Some(lead) && lead.chars().all(|char| char.is_ascii_digit()) {
                    self.redirect()?;
                    continue;
                }
                if lead.starts_with('{') {
                    let refusal = Refusal::unclear("in `{…}` before `<` or `>`, which names a variable to some shells");
                    self.known.refuse_all([&word], &refusal);
                    self.redirect()?;
                    continue;
                }
            }
            if !command.words.is_empty() {
                command.words.push(word);
                continue;
            }
            if command.assignments.is_empty() {
                match word.bare() {
                    Some(
                        "if" | "then" | "elif" | "else" | "fi" | "while" | "until" | "do" | "done" | "{" | "}" | "!",
                    ) => {
                        continue;
                    }
                    Some("esac") => return Ok(Ended::Esac),
                    Some("time") => {
                        self.blanks();
                        let at = self.at;
                        if self.word()?.bare() != Some("-p") {
                            self.at = at;
                        }
                        continue;
                    }
                    Some("for") => {
                        self.for_loop()?;
                        return Ok(Ended::There);
                    }
                    Some("case") => {
                        self.case()?;
                        return Ok(Ended::There);
                    }
                    Some("[[") => {
                        self.double_brackets()?;
                        continue;
                    }
                    Some("function") => return Err(Stop::Lost("behind `function`, which not every shell knows")),
                    Some("select") => return Err(Stop::Lost("behind `select`, which not every shell knows")),
                    Some("coproc") => return Err(Stop::Lost("behind `coproc`, which not every shell knows")),
                    _ => {}
                }
            }
            match commands::assignment(&word) {
                Some(assignment) => {
                    if self.is('(') {
                        return Err(Stop::Lost("behind `=(`: not every shell has arrays"));
                    }
                    commands::judge_assignment(&assignment, &word, &mut self.known);
                    command.assignments.push(word);
                }
                None => command.words.push(word),
            }
        }
        commands::judge(&command, &mut self.known);
        Ok(Ended::There)
    }

    /// The parentheses of `name()`.
    fn function(&mut self) -> Read<()> {
        self.at += 1;
        self.blanks();
        if self.skip(')') { Ok(()) } else { Err(Stop::Lost("behind a `(` that not every shell knows")) }
    }

    /// `name in words`, behind `for`.
    fn for_loop(&mut self) -> Read<()> {
        self.blanks();
        if self.is('(') {
            return Err(Stop::Lost("behind `for ((`, which not every shell knows"));
        }
        let name = self.word()?;
        let refusal = Refusal::again(
            "in place of a variable's name, which some shells read again",
            "write the name out, and give it the value: `for name in #{value}`",
        );
        self.known.refuse_all([&name], &refusal);
        let Some(name) = name.bare().map(str::to_owned) else {
            return Err(Stop::Lost("behind a `for` without a plain name"));
        };
        self.lines()?;
        let at = self.at;
        if self.word()?.bare() != Some("in") {
            self.at = at;
            return Ok(());
        }
        loop {
            self.blanks();
            match self.peek() {
                None | Some(Unit::Char('\n' | ';' | '&' | '|' | ')')) => return Ok(()),
                Some(Unit::Char('#')) => return self.comment(),
                Some(Unit::Char('<' | '>' | '(')) => {
                    return Err(Stop::Lost("behind a `for` with a character that not every shell takes there"));
                }
                Some(_) => {
                    let word = self.word()?;
                    commands::judge_loop(&name, &word, &mut self.known);
                }
            }
        }
    }

    /// `word in pattern) … ;; esac`, behind `case`.
    fn case(&mut self) -> Read<()> {
        if self.in_substitution() {
            return Err(Stop::Lost("behind `case` inside `$(…)`"));
        }
        if self.depth == DEEPEST {
            return Err(Stop::Lost("behind more levels of `case` than are followed"));
        }
        self.blanks();
        self.word()?;
        self.lines()?;
        if self.word()?.bare() != Some("in") {
            return Err(Stop::Lost("behind a `case` without its `in`"));
        }
        loop {
            self.lines()?;
            if self.peek().is_none() {
                return Ok(());
            }
            let opened = self.skip('(');
            self.blanks();
            let mut pattern = self.word()?;
            if !opened && pattern.bare() == Some("esac") {
                return Ok(());
            }
            loop {
                self.blanks();
                if pattern.is_empty() {
                    return Err(Stop::Lost("behind a pattern of `case` that not every shell knows"));
                }
                if self.skip(')') {
                    break;
                }
                if !self.skip('|') {
                    return Err(Stop::Lost("behind a pattern of `case` that not every shell knows"));
                }
                self.blanks();
                pattern = self.word()?;
            }
            self.depth += 1;
            let ended = self.list(End::Case);
            self.depth -= 1;
            if ended? == Ended::Esac || self.peek().is_none() {
                return Ok(());
            }
        }
    }

    /// Blanks, ends of lines and comments.
    fn lines(&mut self) -> Read<()> {
        loop {
            self.blanks();
            match self.peek() {
                Some(Unit::Char('\n')) => {
                    self.at += 1;
                    self.here_documents()?;
                }
                Some(Unit::Char('#')) => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// `… ]]`: a word of its own in some shells, an unknown command in others; either way its quotes are the same.
    fn double_brackets(&mut self) -> Read<()> {
        self.inside(Within::Test, |reader| {
            loop {
                reader.blanks();
                match reader.peek() {
                    None | Some(Unit::Char(';')) => return Ok(()),
                    Some(Unit::Char('(' | ')' | '#')) => {
                        return Err(Stop::Lost("behind `[[ … ]]` with a character that shells read in different ways"));
                    }
                    Some(Unit::Char('&' | '|' | '<' | '>' | '\n')) => reader.at += 1,
                    Some(_) => {
                        if reader.word()?.bare() == Some("]]") {
                            return Ok(());
                        }
                    }
                }
            }
        })
    }

    fn redirect(&mut self) -> Read<()> {
        let Some(Unit::Char(first)) = self.take() else { return Ok(()) };
        if self.is('(') {
            return Err(Stop::Lost("behind `<(` or `>(`, which not every shell knows"));
        }
        if self.is('#') {
            return Err(Stop::Lost("behind `<#`, which shells read in different ways"));
        }
        if first == '<' && self.skip('<') {
            return self.here_operator();
        }
        let copied = self.skip('&');
        if !copied && (self.is('>') || (first == '>' && self.is('|'))) {
            self.at += 1;
        }
        self.blanks();
        let word = self.word()?;
        if copied {
            let refusal = Refusal::unclear("behind `<&` or `>&`, where shells read it in different ways");
            self.known.refuse_all([&word], &refusal);
        }
        Ok(())
    }

    /// Behind `<<`.
    fn here_operator(&mut self) -> Read<()> {
        if self.in_substitution() {
            return Err(Stop::Lost("behind `<<` inside `$(…)`"));
        }
        if self.skip('<') {
            self.blanks();
            let word = self.word()?;
            let help = "give the text on standard input: `run \"cat\" stdin text`";
            let refusal = Refusal { help, ..Refusal::unclear("behind `<<<`, which not every shell knows") };
            self.known.refuse_all([&word], &refusal);
            return Ok(());
        }
        let tabs = self.skip('-');
        self.blanks();
        let word = self.word()?;
        let refusal = Refusal::unclear("behind `<<`: it may name the end of the here-document");
        self.known.refuse_all([&word], &refusal);
        let quoted = word.bare().is_none();
        if word.is_empty() || word.text() != word.lead() || word.splits() {
            return Err(Stop::Lost("behind a `<<` whose end is not written out"));
        }
        self.here.push(Here { end: word.text(), tabs, quoted });
        Ok(())
    }

    /// The lines of the here-documents whose operators stand in the line that has just ended.
    fn here_documents(&mut self) -> Read<()> {
        for here in std::mem::take(&mut self.here) {
            loop {
                let from = self.at;
                while self.units.get(self.at).is_some_and(|unit| *unit != Unit::Char('\n')) {
                    self.at += 1;
                }
                let line = &self.units[from.min(self.units.len())..self.at.min(self.units.len())];
                let text: Option<String> = line
                    .iter()
                    .map(|unit| match unit {
                        Unit::Char(char) => Some(*char),
                        Unit::Value(_) => None,
                    })
                    .collect();
                let over = self.at >= self.units.len();
                self.at += 1;
                match text {
                    Some(text) if here.end == if here.tabs { text.trim_start_matches('\t') } else { &text } => break,
                    Some(text) if !here.quoted && !plain_line(&text) => {
                        return Err(Stop::Lost(
                            "behind a here-document with an expansion or a backslash at a line's end",
                        ));
                    }
                    Some(_) => {}
                    None => {
                        for unit in line {
                            if let Unit::Value(value) = unit {
                                let value = *value;
                                self.inside(Within::HereDocument, |reader| {
                                    reader.value(value, ShellPlace::Bare);
                                    Ok(())
                                })?;
                            }
                        }
                    }
                }
                if over {
                    self.at = self.units.len();
                    return Ok(());
                }
            }
        }
        self.at = self.at.min(self.units.len());
        Ok(())
    }

    /// A word; nothing if there is none.
    fn word(&mut self) -> Read<Word> {
        let mut word = Word::default();
        loop {
            match self.peek() {
                None | Some(Unit::Char(' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>')) => {
                    return Ok(word);
                }
                Some(Unit::Value(value)) => {
                    self.at += 1;
                    self.value_of(&mut word, value, ShellPlace::Bare);
                }
                Some(Unit::Char('\\')) => self.escaped(&mut word),
                Some(Unit::Char('\'')) => {
                    self.at += 1;
                    self.single_quotes(&mut word)?;
                }
                Some(Unit::Char('"')) => {
                    self.at += 1;
                    self.double_quotes(&mut word)?;
                }
                Some(Unit::Char('$')) => {
                    self.at += 1;
                    self.dollar(&mut word, false)?;
                }
                Some(Unit::Char('`')) => {
                    self.at += 1;
                    self.backticks()?;
                    word.push_expansion(false);
                }
                Some(Unit::Char(char)) => {
                    self.at += 1;
                    word.push(char, false);
                }
            }
        }
    }

    /// A value as a part of a word.
    fn value_of(&mut self, word: &mut Word, value: usize, place: ShellPlace) {
        self.value(value, place);
        if word.ends_in_tilde_prefix() {
            let refusal = Refusal::unclear("right behind `~`, where some shells take it for the name of a user");
            self.known.refuse(value, refusal);
        }
        word.push_value(value);
    }

    /// A backslash and what it takes along.
    fn escaped(&mut self, word: &mut Word) {
        self.at += 1;
        match self.take_raw() {
            None => self.at = self.units.len(),
            Some(Unit::Char(char)) => word.push(char, true),
            Some(Unit::Value(value)) => {
                let refusal = Refusal::unclear("right behind a backslash, which would take its quotes away");
                self.known.refuse(value, refusal);
                word.push_value(value);
            }
        }
    }

    fn single_quotes(&mut self, word: &mut Word) -> Read<()> {
        word.quote();
        loop {
            match self.take_raw() {
                None => return Err(Stop::Open("a single quote")),
                Some(Unit::Char('\'')) => return Ok(()),
                Some(Unit::Char('\n')) if !self.here.is_empty() => return Err(Stop::Lost(QUOTED_LINE)),
                Some(Unit::Char(char)) => word.push(char, true),
                Some(Unit::Value(value)) => self.value_of(word, value, ShellPlace::SingleQuoted),
            }
        }
    }

    fn double_quotes(&mut self, word: &mut Word) -> Read<()> {
        word.quote();
        loop {
            match self.peek() {
                None => return Err(Stop::Open("a double quote")),
                Some(Unit::Char('\\')) => {
                    self.at += 1;
                    match self.units.get(self.at).copied() {
                        // Only these lose their backslash here.
                        Some(Unit::Char(char @ ('$' | '`' | '"' | '\\'))) => {
                            self.at += 1;
                            word.push(char, true);
                        }
                        Some(Unit::Value(value)) => {
                            self.at += 1;
                            let refusal =
                                Refusal::unclear("right behind a backslash, which would take its quotes away");
                            self.known.refuse(value, refusal);
                            word.push_value(value);
                        }
                        _ => word.push('\\', true),
                    }
                }
                Some(Unit::Char('$')) => {
                    self.at += 1;
                    self.dollar(word, true)?;
                }
                Some(Unit::Char('`')) => {
                    self.at += 1;
                    self.backticks()?;
                    word.push_expansion(true);
                }
                Some(unit) => {
                    self.at += 1;
                    match unit {
                        Unit::Char('"') => return Ok(()),
                        Unit::Char('\n') if !self.here.is_empty() => return Err(Stop::Lost(QUOTED_LINE)),
                        Unit::Char(char) => word.push(char, true),
                        Unit::Value(value) => self.value_of(word, value, ShellPlace::DoubleQuoted),
                    }
                }
            }
        }
    }

    /// Behind a dollar sign.
    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Read<()> {
        match self.peek() {
            Some(Unit::Char('(')) => {
                self.at += 1;
                if self.skip('(') {
                    self.inside(Within::Arithmetic, Self::arithmetic)?;
                } else {
                    if !self.here.is_empty() {
                        return Err(Stop::Lost("behind `<<` and `$(` in one line"));
                    }
                    self.inside(Within::Substitution, |reader| reader.list(End::Substitution))?;
                }
                word.push_expansion(quoted);
            }
            Some(Unit::Char('{')) => {
                self.at += 1;
                self.inside(Within::Parameter, Self::braces)?;
                word.push_expansion(quoted);
            }
            Some(Unit::Char('[')) => {
                self.refuse_arithmetic_brackets();
                return Err(Stop::Lost("behind `$[`, which some shells read as arithmetic"));
            }
            Some(Unit::Char('\'')) if !quoted => {
                self.at += 1;
                let from = self.at;
                self.inside(Within::Dollar, |reader| reader.single_quotes(word))?;
                if self.units[from..self.at].contains(&Unit::Char('\\')) {
                    return Err(Stop::Lost("behind `$'…'` with a backslash, which shells read in different ways"));
                }
            }
            Some(Unit::Char('"')) if !quoted => {
                self.at += 1;
                self.inside(Within::Dollar, |reader| reader.double_quotes(word))?;
            }
            Some(Unit::Value(value)) => self.behind_dollar(value, word),
            Some(Unit::Char(char)) if char == '_' || char.is_ascii_alphabetic() => {
                while let Some(Unit::Char(char)) = self.peek()
                    && (char == '_' || char.is_ascii_alphanumeric())
                {
                    self.at += 1;
                }
                word.push_expansion(quoted);
            }
            Some(Unit::Char(char)) if char.is_ascii_digit() || "@*#?-$!".contains(char) => {
                self.at += 1;
                word.push_expansion(quoted);
                if char == '$'
                    && let Some(Unit::Value(value)) = self.peek()
                {
                    self.behind_dollar(value, word);
                }
            }
            _ => word.push('$', quoted),
        }
        Ok(())
    }

    fn behind_dollar(&mut self, value: usize, word: &mut Word) {
        self.at += 1;
        self.known.refuse(value, Refusal::unclear("right behind `$`, where it would be part of a name"));
        word.push_value(value);
    }

    /// Values in `$[…]`: what follows is not read any more.
    fn refuse_arithmetic_brackets(&mut self) {
        for at in self.at..self.units.len() {
            match self.units[at] {
                Unit::Char(']') => return,
                Unit::Char(_) => {}
                Unit::Value(value) => {
                    self.within.push(Within::Arithmetic);
                    self.value(value, ShellPlace::Bare);
                    self.within.pop();
                }
            }
        }
    }

    /// Behind `$((`.
    fn arithmetic(&mut self) -> Read<()> {
        let mut depth = 0u32;
        let mut unused = Word::default();
        loop {
            match self.peek() {
                None => return Err(Stop::Open("`$(`")),
                Some(Unit::Char('\'' | '"' | '\n')) => {
                    return Err(Stop::Lost("behind a quote or a line's end inside `$((…))`"));
                }
                Some(Unit::Char('$')) => {
                    self.at += 1;
                    self.dollar(&mut unused, true)?;
                    continue;
                }
                Some(Unit::Char('`')) => {
                    self.at += 1;
                    self.backticks()?;
                    continue;
                }
                Some(Unit::Char('\\')) => {
                    self.escaped(&mut unused);
                    continue;
                }
                Some(Unit::Value(value)) => self.value(value, ShellPlace::Bare),
                Some(Unit::Char('(')) => depth += 1,
                Some(Unit::Char(')')) if depth > 0 => depth -= 1,
                Some(Unit::Char(')')) => {
                    self.at += 1;
                    if self.skip(')') {
                        return Ok(());
                    }
                    return Err(Stop::Lost("behind `$((` that is no arithmetic"));
                }
                Some(Unit::Char(_)) => {}
            }
            self.at += 1;
        }
    }

    /// Behind `${`.
    fn braces(&mut self) -> Read<()> {
        let mut unused = Word::default();
        if let Some(Unit::Char(' ' | '\t' | '\n' | '|' | '(' | ';')) = self.peek() {
            return Err(Stop::Lost("behind a `${…}` that not every shell knows"));
        }
        loop {
            match self.peek() {
                None => return Err(Stop::Open("`${`")),
                Some(Unit::Char('}')) => {
                    self.at += 1;
                    return Ok(());
                }
                Some(Unit::Char('\'' | '"')) => return Err(Stop::Lost("behind a quote inside `${…}`")),
                Some(Unit::Char('{')) => return Err(Stop::Lost("behind a `{` inside `${…}`")),
                Some(Unit::Char('\n')) if !self.here.is_empty() => return Err(Stop::Lost(QUOTED_LINE)),
                Some(Unit::Char('$')) => {
                    self.at += 1;
                    self.dollar(&mut unused, true)?;
                }
                Some(Unit::Char('`')) => {
                    self.at += 1;
                    self.backticks()?;
                }
                Some(Unit::Char('\\')) => self.escaped(&mut unused),
                Some(Unit::Value(value)) => {
                    self.at += 1;
                    self.value(value, ShellPlace::Bare);
                }
                Some(Unit::Char(_)) => self.at += 1,
            }
        }
    }

    /// Behind a backtick, to the next one. Shells agree on where they end only if quotes end inside, too.
    fn backticks(&mut self) -> Read<()> {
        let mut inner = Vec::new();
        loop {
            match self.take_raw() {
                None => return Err(Stop::Open("a backtick")),
                Some(Unit::Char('`')) => break,
                Some(Unit::Char('\n')) if !self.here.is_empty() => return Err(Stop::Lost(QUOTED_LINE)),
                Some(Unit::Char('\\')) => match self.take_raw() {
                    None => return Err(Stop::Open("a backtick")),
                    Some(Unit::Char(char @ ('`' | '\\' | '$'))) => inner.push(Unit::Char(char)),
                    Some(unit) => {
                        inner.push(Unit::Char('\\'));
                        inner.push(unit);
                    }
                },
                Some(unit) => inner.push(unit),
            }
        }
        for unit in &mut inner {
            if let Unit::Value(value) = *unit {
                *unit = Unit::Char('v');
                self.inside(Within::Backticks, |reader| {
                    reader.value(value, ShellPlace::Bare);
                    Ok(())
                })?;
            }
        }
        if self.depth == DEEPEST {
            return Err(Stop::Lost("behind more levels of backticks than are followed"));
        }
        let mut reader = Reader::new(&inner, 0, self.depth + 1);
        let read = reader.list(End::Text);
        self.known.pipeline |= reader.known.pipeline || (read.is_err() && bare_pipe(&inner));
        match read {
            Ok(_) if reader.here.is_empty() => Ok(()),
            Ok(_) => Err(Stop::Lost("behind `<<` inside backticks")),
            Err(_) => Err(Stop::Lost("behind backticks whose quotes shells read in different ways")),
        }
    }
}

const QUOTED_LINE: &str = "behind `<<` and a quote that goes on in the next line";

/// A line of a here-document that can't hide its end from any shell.
fn plain_line(line: &str) -> bool {
    let mut rest = line;
    while let Some(at) = rest.find("${") {
        let name = rest[at + 2..].trim_start_matches(|char: char| char == '_' || char.is_ascii_alphanumeric());
        let Some(behind) = name.strip_prefix('}') else { return false };
        rest = behind;
    }
    !(line.ends_with('\\') || line.contains('`') || line.contains("$(") || line.contains("$["))
}
