//! What is said of a text that the grammar does not read.
//!
//! In: the text, the place where the grammar gave up, and the rules that would have gone on. Out: a [`Diagnostic`] in the
//! words of the runbook's author. The mistakes that people make most are recognised by what they wrote.

use crate::diagnostic::{Code, Diagnostic, FileId, Span, did_you_mean};

use super::grammar::Rule;

const STATEMENTS: &[&str] = &[
    "run",
    "let",
    "secret",
    "show",
    "expect",
    "for",
    "if",
    "on-failure",
    "finally",
    "rollback",
    "confirm",
    "checklist",
    "stop",
    "retry",
];

const ITEMS: &[&str] = &[
    "runbook",
    "use",
    "param",
    "secret",
    "let",
    "profile",
    "step",
    "stop",
    "verdict",
    "accept-risk",
    "check",
    "action",
];

/// How a rule is called in messages; `None` for what says nothing to an author. Exhaustive, so that no rule is forgotten.
fn name(rule: Rule) -> Option<&'static str> {
    Some(match rule {
        Rule::name => "a name",
        Rule::entry_name => "the name of an entry",
        Rule::colon => "`:`",
        Rule::comma => "`,`",
        Rule::equals => "`=`",
        Rule::arrow => "`->`",
        Rule::optional => "`?`",
        Rule::open_brace => "`{`",
        Rule::close_brace => "`}`",
        Rule::open_paren => "`(`",
        Rule::close_paren => "`)`",
        Rule::open_bracket => "`[`",
        Rule::close_bracket => "`]`",
        Rule::date | Rule::number | Rule::quantifier | Rule::quantifier_word | Rule::all_word | Rule::subject => {
            return None;
        }
        Rule::plain_string | Rule::multi_string => "a string",
        Rule::raw_string | Rule::multi_raw => return None,
        Rule::plain_text | Rule::raw_text | Rule::multi_text | Rule::multi_raw_text | Rule::lone_quote => return None,
        Rule::escape => return None,
        Rule::hole => "`#{…}`",
        Rule::expr | Rule::wide | Rule::amount | Rule::chain | Rule::paren => "a value",
        Rule::list => "a list",
        Rule::map => "a map",
        Rule::pair => "a key and its value",
        Rule::not => return None,
        Rule::minus => return None,
        Rule::op | Rule::arithmetic => "an operator",
        Rule::test => return None,
        Rule::field => "`.`",
        Rule::index | Rule::call => return None,
        Rule::argument => "an argument",
        Rule::in_word => "`in`",
        Rule::or_none => "`or none`",
        Rule::all_items | Rule::some_items | Rule::items_and_body | Rule::over_items => return None,
        Rule::block => "a block in `{ }`",
        Rule::run => "`run`",
        Rule::ensure => "`ensure`",
        Rule::run_modifier | Rule::run_word => "`in`, `env`, `stdin`, `timeout`, `changes`, `accept` or `shell`",
        Rule::run_flag => "`accept-pipe-failures`",
        Rule::let_stmt | Rule::let_item => "`let`",
        Rule::secret_stmt | Rule::secret_item => "`secret`",
        Rule::show => "`show`",
        Rule::expect => "`expect`",
        Rule::label => return None,
        Rule::within => "`within`",
        Rule::hold => "`for`",
        Rule::every => "`every`",
        Rule::otherwise => "`else`",
        Rule::warn => return None,
        Rule::fields => "a block of `.field` lines",
        Rule::for_stmt => "`for`",
        Rule::if_stmt => "`if`",
        Rule::on_failure => "`on-failure`",
        Rule::finally => "`finally`",
        Rule::stop_stmt | Rule::stop_block => "`stop`",
        Rule::retry => "`retry`",
        Rule::unbuilt_stmt | Rule::unbuilt_stmt_word | Rule::unbuilt_item | Rule::unbuilt_item_word => return None,
        Rule::rollback | Rule::rollback_stmt => "`rollback`",
        Rule::confirm => "`confirm`",
        Rule::checklist => "`checklist`",
        Rule::answer => "`as`",
        Rule::matching => "`matching`",
        Rule::by => "`by`",
        Rule::verdict => "`verdict`",
        Rule::accept_risk => "`accept-risk`",
        Rule::lasting => "`lasting`",
        Rule::no_return => "`point-of-no-return`",
        Rule::header => "`runbook`",
        Rule::settings => "a block of entries in `{ }`",
        Rule::setting => "an entry `name = value`",
        Rule::use_item => "`use`",
        Rule::param => "`param`",
        Rule::choices => "texts to choose from, `\"a\" | \"b\"`",
        Rule::profile => "`profile`",
        Rule::step => "`step`",
        Rule::if_needed => "`if needed`",
        Rule::idempotent => "`idempotent`",
        Rule::when | Rule::stop_when => "`when`",
        Rule::stop_unless => "`unless`",
        Rule::stop_since => "`since`",
        Rule::stop_except => "`except during`",
        Rule::check => "`check`",
        Rule::action => "`action`",
        Rule::parameters => "parameters in `( )`",
        Rule::parameter => "a parameter `name: type`",
        Rule::type_expr => "a type",
        Rule::native => "`native`",
        Rule::effect => "`function`, `probe`, `vouched` or `action`",
        Rule::reads => "`reads`",
        Rule::changes => "`changes`",
        Rule::everything => "`everything`",
        Rule::role => "`as`",
        Rule::role_word => "what the language means by it, such as `shell-command`",
        Rule::record => "`record`",
        Rule::record_field => "a field `name: type`",
        Rule::field_word => "`content` or `open`",
        Rule::key => "`key`",
        Rule::EOI => "the end of the line",
        Rule::blank | Rule::comment | Rule::sp | Rule::nl | Rule::eol | Rule::letter | Rule::more => return None,
        Rule::string | Rule::operand | Rule::primary | Rule::link | Rule::binder | Rule::stmt | Rule::item => {
            return None;
        }
        Rule::one_item | Rule::one_stmt | Rule::one_field | Rule::one_setting | Rule::one_record_field => return None,
        Rule::bad_line | Rule::anything | Rule::balanced | Rule::skipped_string | Rule::skipped_hole => return None,
    })
}

/// Words that stand where nothing can.
pub(super) fn stray(span: Span, words: &str) -> Diagnostic {
    let word = first_word(words);
    Diagnostic::new(Code::Syntax, first_word_span(span, words), format!("`{word}` starts nothing at the top level"))
        .label("expected an item here")
        .help(format!("items are {}", listed(ITEMS)))
}

/// What reads by itself, but not here.
pub(super) fn misplaced(span: Span, text: &str, rule: Rule) -> Diagnostic {
    let word = first_word(text);
    let place = match rule {
        Rule::one_stmt => "outside of a step, check or action",
        _ => "here",
    };
    Diagnostic::new(Code::Misplaced, first_word_span(span, text), format!("`{word}` stands {place}"))
        .label("nothing of this kind is expected here")
        .help("is a `}` missing or too many above this line?")
}

fn first_word(text: &str) -> &str {
    let end = text.find(|char: char| !char.is_alphanumeric() && char != '_' && char != '-').unwrap_or(text.len());
    if end == 0 { text.get(..text.chars().next().map_or(0, char::len_utf8)).unwrap_or_default() } else { &text[..end] }
}

fn first_word_span(span: Span, text: &str) -> Span {
    Span { end: span.start + first_word(text).len() as u32, ..span }
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

/// The grammar gave up at `at` of `slice`, which starts at `base` of the file.
pub(super) fn syntax(file: FileId, slice: &str, base: usize, at: usize, expected: &[Rule]) -> Diagnostic {
    let word = first_word(slice);
    let rest = &slice[at..];
    let here = |length: usize| Span::new(file, base + at, base + at + length);
    // The word that starts the line is none that starts anything.
    if at == 0 {
        return unknown_start(Span::new(file, base, base + word.len()), word, slice);
    }
    let found = found(rest);
    let span = here(found.len().max(usize::from(!rest.is_empty())));
    let error = |message: &str| Diagnostic::new(Code::Syntax, span, message);
    if let Some(said) = usual_mistake(slice, at, word) {
        return error(&said.0).label(said.1).help(said.2);
    }
    let mut names: Vec<&str> = Vec::new();
    for name in expected.iter().filter_map(|rule| name(*rule)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let what = match found {
        "" => "the end of the line".to_owned(),
        text => format!("`{text}`"),
    };
    let wanted = match names.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.iter().take(6).copied().collect::<Vec<_>>().join(", ")),
    };
    let error = error(&format!("{what} can't stand here")).label(format!("expected {wanted}"));
    let starts = STATEMENTS.contains(&found) || ITEMS.contains(&found);
    if starts && expected.contains(&Rule::EOI) {
        return error.help(format!("a statement ends with its line: put `{found}` on a line of its own"));
    }
    error
}

/// What stands at a place, as a message shows it: a word, or a character.
fn found(rest: &str) -> &str {
    let line = rest.split(['\n', '\r']).next().unwrap_or_default();
    if line.trim().is_empty() {
        return "";
    }
    first_word(line)
}

fn unknown_start(span: Span, word: &str, slice: &str) -> Diagnostic {
    let error = Diagnostic::new(Code::Syntax, span, format!("`{word}` starts no statement"));
    let advice = match word {
        "else" => Some("`else` stands on the line of the `}` before it: `} else {`"),
        "elif" | "elsif" | "elseif" => Some("write `} else if … {`, on the line of the `}` before it"),
        "assert" | "check" | "verify" => Some("what must hold is said with `expect …`"),
        "exec" | "sh" | "shell" | "bash" | "$" => Some("a command is run with `run \"…\"`"),
        "rescue" | "catch" | "on_failure" | "onfailure" => {
            Some("what is done on a failure stands in `on-failure { … }` at the end of the step")
        }
        "var" | "const" | "set" => Some("a value is bound with `let name = …`"),
        "echo" | "print" | "log" => Some("`show …` puts a value into the report"),
        "step" | "param" | "use" | "profile" | "runbook" | "action" | "native" | "record" => {
            Some("this stands at the top level, not in a block; is a `}` missing above?")
        }
        "end" => Some("blocks end with `}`"),
        "or" | "and" | "in" | "not" | "contains" | "matches" | "is" | "does" => {
            Some("a line goes on after an operator: put it at the end of the line before")
        }
        _ => None,
    };
    let error = error.label("not the start of a statement or item");
    if let Some(advice) = advice {
        return error.help(advice);
    }
    if slice.starts_with('.') {
        return error
            .help("a line that starts with `.` stands in the block of an `expect`: `expect … { .status == 200 }`");
    }
    let known = STATEMENTS.iter().chain(ITEMS).copied();
    match did_you_mean(word, known) {
        Some(meant) => error.help(format!("did you mean `{meant}`?")),
        None => error.help(format!("statements are {}", listed(STATEMENTS))),
    }
}

/// Message, label and help for what people are used to from elsewhere.
fn usual_mistake(slice: &str, at: usize, word: &str) -> Option<(String, &'static str, &'static str)> {
    let rest = &slice[at..];
    let said = |message: &str, label, help| Some((message.to_owned(), label, help));
    if rest.starts_with("&&") {
        return said("`&&` is no operator", "conditions are joined by words", "write `and`");
    }
    if rest.starts_with("||") {
        return said("`||` is no operator", "conditions are joined by words", "write `or`");
    }
    if rest.starts_with('!') {
        return said("`!` is no operator", "conditions are negated by a word", "write `not …`");
    }
    if rest.starts_with(';') {
        return said("`;` can't stand here", "a line break ends a statement", "remove it, or start a new line");
    }
    if rest.starts_with('=') && matches!(word, "expect" | "if" | "when") {
        return said("`=` binds; it does not compare", "a comparison is expected here", "write `==`");
    }
    if rest.starts_with('=') && slice[..at].trim_end().ends_with('=') {
        return said(
            "`=` can't stand here",
            "one `=` binds, two compare",
            "in a comparison write `==`, in a binding `=`",
        );
    }
    if rest.starts_with('-') && slice[..at].ends_with(|char: char| char.is_alphanumeric()) {
        return said("names have no hyphens", "a hyphen ends the name here", "use `_` in names");
    }
    let behind_run = slice[..at].strip_prefix("run").map(str::trim);
    let bare = |text: &str| text.chars().all(|char| char.is_alphanumeric() || char == '_');
    if word == "run" && behind_run.is_some_and(bare) {
        return said(
            "a bare word can't be run",
            "expected a string, a list or a call",
            "write the command as a string: `run \"…\"`; or as a list: `run [\"program\", \"argument\"]`",
        );
    }
    if word == "param" && rest.starts_with('=') {
        return said("a param needs a type", "expected `:` and a type", "write `param name: string = …`");
    }
    if word == "step" && rest.starts_with(|char: char| char.is_alphabetic()) {
        return said(
            "this can't stand before a step's block",
            "expected a title in quotes, `when …`, `if needed`, `idempotent`, or `{`",
            "a title stands in quotes: `step name \"Title\" { … }`",
        );
    }
    None
}
