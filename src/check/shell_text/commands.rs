//! What commands do with their words.
//!
//! The builtins of the shells that may be `/bin/sh` are a known set: each either takes any word as data (`DATA`), takes
//! it in some of its words only (a rule below), or is refused. What is no builtin is a program, and gets its words as
//! they are; programs that are shells, or hand their words to one, are in `remote`.

use super::Refusal;
use super::known::Known;
use super::remote;
use super::word::Word;
use crate::check::program::ShellTakes;

/// A simple command.
#[derive(Debug, Default)]
pub struct Command {
    pub assignments: Vec<Word>,
    pub words: Vec<Word>,
}

/// Builtins that take any word as data.
const DATA: &[&str] = &[
    ":", "cd", "chdir", "echo", "false", "kill", "pwd", "sleep", "times", "true", "type", "umask", "wait",
    "which", // Programs that are builtins of some shells.
    "basename", "cat", "chmod", "cmp", "cp", "cut", "dirname", "expr", "fds", "getconf", "grep", "head", "id", "ln",
    "login", "logname", "ls", "mkdir", "mkfifo", "mknod", "mktemp", "mv", "newgrp", "paste", "pathchk", "realpath",
    "rename", "rev", "rm", "rmdir", "stty", "sync", "tail", "tee", "tty", "uname", "uniq", "wc",
];

/// Builtins that take a number, and compute what is none: `exit x[$(…)]` runs the `…` in some shells.
const NUMBERS: &[&str] = &["break", "continue", "exit", "return", "shift", "ulimit"];

/// Builtins that read their words again, as source, as names of variables or as arithmetic; or of which nothing is
/// known that a runbook would need.
pub(super) const REFUSED: &[&str] = &[
    ".",
    "alias",
    "autoload",
    "bg",
    "bind",
    "bindkey",
    "builtin",
    "bye",
    "caller",
    "compadd",
    "comparguments",
    "compcall",
    "compctl",
    "compdescribe",
    "compfiles",
    "compgen",
    "compgroups",
    "complete",
    "compopt",
    "compquote",
    "compset",
    "comptags",
    "comptry",
    "compvalues",
    "compound",
    "command",
    "declare",
    "dirs",
    "disable",
    "disown",
    "echotc",
    "echoti",
    "emulate",
    "enable",
    "enum",
    "eval",
    "fc",
    "fg",
    "float",
    "functions",
    "getln",
    "getopts",
    "global",
    "hash",
    "help",
    "hist",
    "history",
    "integer",
    "jobs",
    "let",
    "limit",
    "local",
    "log",
    "logout",
    "mapfile",
    "nameref",
    "namespace",
    "popd",
    "print",
    "printf",
    "private",
    "pushd",
    "pushln",
    "r",
    "read",
    "readarray",
    "redirect",
    "rehash",
    "sched",
    "set",
    "setopt",
    "shopt",
    "source",
    "stop",
    "suspend",
    "trap",
    "ttyctl",
    "typeset",
    "unalias",
    "unfunction",
    "unhash",
    "unlimit",
    "unset",
    "unsetopt",
    "vared",
    "whence",
    "where",
    "zcompile",
    "zformat",
    "zle",
    "zmodload",
    "zparseopts",
    "zregexparse",
    "zstyle",
];

/// Variables that a shell reads as source, as arithmetic or as a command's name when they are set or used.
const SPECIAL: &[&str] = &[
    "ARGC",
    "BASHPID",
    "BASH_ENV",
    "COLUMNS",
    "DIRSTACKSIZE",
    "EGID",
    "ERRNO",
    "EUID",
    "FCEDIT",
    "FUNCNEST",
    "GID",
    "HISTCHARS",
    "HISTCMD",
    "HISTSIZE",
    "JOBMAX",
    "KEYTIMEOUT",
    "KSH_VERSION",
    "KSHEGID",
    "KSHGID",
    "KSHUID",
    "LINENO",
    "LINES",
    "LISTMAX",
    "LOGCHECK",
    "MAILCHECK",
    "NULLCMD",
    "OPTIND",
    "PGRP",
    "PIPESTATUS",
    "PPID",
    "PROMPT",
    "PROMPT2",
    "PROMPT3",
    "PROMPT4",
    "PROMPT_COMMAND",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "RANDOM",
    "READNULLCMD",
    "RPROMPT",
    "RPS1",
    "RPS2",
    "SAVEHIST",
    "SECONDS",
    "SHLVL",
    "SRANDOM",
    "STATUS",
    "TMOUT",
    "TRY_BLOCK_ERROR",
    "TRY_BLOCK_INTERRUPT",
    "TTYIDLE",
    "UID",
    "USER_ID",
    "ZSH_SUBSHELL",
    "histchars",
];

const NAME: &str = "write the name out: `read -r answer`, `export NAME=#{value}`";
const VARIABLE: &str = "choose another name for the variable";
const WRITTEN_OUT: &str = "write the command out, with values as its words, instead of having it read again; or give the value on standard input, `stdin value`";
const PROGRAM: &str =
    "write the program's name out, or run it without a shell: `run [\"program\", value]`, `run shell.exec(words)`";

/// What stands before the `=` of an assignment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Assignment {
    Plain(String),
    /// `name+=`, `name[…]=`
    Other,
}

/// Whether a word at the start of a command, or behind `export`, gives a variable a value.
pub(super) fn assignment(word: &Word) -> Option<Assignment> {
    let lead = word.bare_lead();
    let end = lead.find(|char: char| char != '_' && !char.is_ascii_alphanumeric())?;
    let (name, rest) = lead.split_at(end);
    if name.is_empty() || name.starts_with(|char: char| char.is_ascii_digit()) {
        return None;
    }
    match rest.as_bytes() {
        [b'=', ..] => Some(Assignment::Plain(name.to_owned())),
        [b'+', b'=', ..] => Some(Assignment::Other),
        // What stands in the brackets may be quoted or a value.
        [b'[', ..] if word.literal().is_none() && word.text() != lead => Some(Assignment::Other),
        [b'[', ..] if word.has_value() || rest.contains("]=") || rest.contains("]+=") => Some(Assignment::Other),
        _ => None,
    }
}

pub(super) fn judge_assignment(assignment: &Assignment, word: &Word, known: &mut Known) {
    match assignment {
        Assignment::Plain(name) => variable(name, word, known),
        Assignment::Other => {
            let help = "give a variable of its own a value: `name=#{value}`";
            let refusal =
                Refusal::again("behind `name[` or `name+=`, where some shells compute what stands there", help);
            known.refuse_all([word], &refusal);
        }
    }
}

/// `for name in … word …`
pub(super) fn judge_loop(name: &str, word: &Word, known: &mut Known) {
    variable(name, word, known);
    known.take(word, ShellTakes::Words);
}

fn variable(name: &str, word: &Word, known: &mut Known) {
    known.assigned.extend(word.values());
    if SPECIAL.contains(&name) {
        let label = format!("`{name}` is a variable of the shell itself, which some shells read again");
        known.refuse_all([word], &Refusal::again(label, VARIABLE));
    }
}

/// Goes through a command's words.
pub(super) fn judge(command: &Command, known: &mut Known) {
    let mut words = &command.words[..];
    // What stands before a command's name.
    while let Some(prefix) = words.first().and_then(Word::literal) {
        match &*prefix {
            "builtin" | "nocorrect" | "noglob" | "-" => words = &words[1..],
            "command" | "exec" => {
                let options =
                    words[1..].iter().take_while(|word| word.literal().is_some_and(|word| word.starts_with('-')));
                let mut count = 0;
                for option in options.filter_map(Word::literal) {
                    count += 1;
                    if prefix == "command" && option.contains(['v', 'V']) {
                        // Only says what the command is.
                        words[1..].iter().for_each(|word| known.take(word, ShellTakes::Words));
                        return;
                    }
                    if option == "--" {
                        break;
                    }
                    if prefix == "exec" && option.ends_with('a') {
                        // The name that the program is given.
                        count += 1;
                        break;
                    }
                }
                words = words.get(1 + count..).unwrap_or_default();
            }
            _ => break,
        }
    }
    let Some((name, args)) = words.split_first() else { return };
    let Some(name) = program(name, args, known) else { return };
    match name {
        Name::Shell(name) => builtin(&name, args, known),
        Name::Program(name) => remote::judge(&name, args, known),
    }
}

/// What is run.
enum Name {
    /// A builtin, or a program on the path.
    Shell(String),
    /// A program by its path: the last part of it.
    Program(String),
}

/// The name of a command, if it is written out; else its words are refused.
fn program(name: &Word, args: &[Word], known: &mut Known) -> Option<Name> {
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_owned();
    if let Some(literal) = name.literal() {
        return Some(if literal.contains('/') { Name::Program(last(&literal)) } else { Name::Shell(literal) });
    }
    // A path names no builtin, wherever it lies.
    let tail = name.tail();
    if tail.contains('/') && !tail.contains(['*', '?', '[', '{']) {
        return Some(Name::Program(last(&tail)));
    }
    let named_by_value = name.has_value();
    if args.iter().any(Word::has_value) {
        let label = if named_by_value {
            "the name of this command is a value, too: it may be `eval`, or a shell"
        } else {
            "the name of this command is not written out: it may be `eval`, or a shell"
        };
        let refusal = Refusal { help: PROGRAM, ..Refusal::unclear(label) };
        known.refuse_all(args, &refusal);
        known.refuse_all([name], &refusal);
    }
    None
}

fn builtin(name: &str, args: &[Word], known: &mut Known) {
    if name == "alias" {
        known.aliases = true;
    }
    let options =
        |args: &[Word]| args.iter().filter_map(Word::literal).any(|word| word.starts_with(['-', '+']) && word != "--");
    if matches!(
        name,
        "declare" | "typeset" | "integer" | "float" | "nameref" | "enum" | "compound" | "global" | "private"
    ) || (matches!(name, "export" | "readonly" | "local") && options(args))
    {
        known.attributes = true;
    }
    match name {
        "[" | "test" => test(name, args, known),
        "printf" => printf(args, known),
        "export" | "readonly" | "local" => {
            let with_options = options(args);
            for word in args.iter().filter(|word| word.has_value()) {
                match assignment(word).or_else(|| quoted_assignment(word)) {
                    Some(Assignment::Plain(name)) if !with_options => variable(&name, word, known),
                    _ => {
                        let label =
                            format!("`{name}` takes it for a variable's name or type, which some shells read again");
                        known.refuse_all([word], &Refusal::again(label, NAME));
                    }
                }
            }
        }
        "set" => {
            let end = args.iter().position(|word| word.literal().as_deref() == Some("--"));
            let end = end
                .filter(|end| args[..*end].iter().all(|word| word.literal().is_some_and(|word| !word.contains('A'))));
            for (at, word) in args.iter().enumerate() {
                if end.is_some_and(|end| at > end) {
                    known.take(word, ShellTakes::Words);
                } else {
                    let help = "write `set -- #{value}`";
                    known.refuse_all([word], &Refusal::again("`set` may take it for an option", help));
                }
            }
        }
        _ if NUMBERS.contains(&name) => args.iter().for_each(|word| known.take(word, ShellTakes::Number)),
        _ if REFUSED.contains(&name) => {
            let label = format!("what `{name}` is given may be read again, as source");
            let help = match name {
                "trap" => {
                    "name it in `env { FILE: value }`, and let the trap read the variable: `trap 'rm -f \"$FILE\"' EXIT`"
                }
                "." | "source" => "write the file's name out",
                "let" => "compute it in the runbook: `let next = n + 1`",
                "declare" | "getopts" | "mapfile" | "read" | "readarray" | "typeset" | "unset" => NAME,
                _ => WRITTEN_OUT,
            };
            known.refuse_all(args, &Refusal::again(label, help));
        }
        _ if DATA.contains(&name) => args.iter().for_each(|word| known.take(word, ShellTakes::Words)),
        _ => remote::judge(name, args, known),
    }
}

/// `"NAME=…"` in quotes, as `export` takes it.
fn quoted_assignment(word: &Word) -> Option<Assignment> {
    let lead = word.lead();
    let (name, _) = lead.split_once('=')?;
    let plain = !name.is_empty() && name.chars().all(|char| char == '_' || char.is_ascii_alphanumeric());
    (plain && !name.starts_with(|char: char| char.is_ascii_digit())).then(|| Assignment::Plain(name.to_owned()))
}

/// `test` is read as POSIX has it for up to three arguments: from four on its words decide what its words mean.
fn test(name: &str, args: &[Word], known: &mut Known) {
    let literals: Vec<Option<String>> = args.iter().map(Word::literal).collect();
    let mut words = args;
    let mut texts = &literals[..];
    if name == "[" && texts.last().is_some_and(|last| last.as_deref() == Some("]")) {
        words = &words[..words.len() - 1];
        texts = &texts[..texts.len() - 1];
    }
    let text = |at: usize| texts.get(at).and_then(|text| text.as_deref()).unwrap_or_default();
    let compares = |at: usize| matches!(text(at), "=" | "==" | "!=" | "<" | ">" | "-nt" | "-ot" | "-ef");
    let computes = |at: usize| matches!(text(at), "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge");
    let from = usize::from(text(0) == "!" && !(words.len() == 3 && (compares(1) || computes(1))));
    let takes = match words.len() - from.min(words.len()) {
        0 | 1 => Some(ShellTakes::Word),
        2 if text(from).strip_prefix('-').is_some_and(|op| op.len() == 1 && "nzefdrwxsLhpSbcgukOGN".contains(op)) => {
            Some(ShellTakes::Word)
        }
        2 if text(from) == "-t" => Some(ShellTakes::Number),
        3 if compares(from + 1) => Some(ShellTakes::Word),
        3 if computes(from + 1) => Some(ShellTakes::Number),
        _ => None,
    };
    match takes {
        Some(takes) => words.iter().for_each(|word| known.take(word, takes)),
        None => {
            let label = format!("with these words `{name}` may take it for an operator, or for a variable's name");
            let help =
                "write one comparison with its operator: `[ \"$x\" = #{value} ]`; join several with `&&` or `||`";
            known.refuse_all(words, &Refusal::again(label, help));
        }
    }
}

fn printf(args: &[Word], known: &mut Known) {
    let help = "write the format out: `printf '%s\\n' #{value}`";
    let begins = usize::from(args.first().and_then(Word::literal).as_deref() == Some("--"));
    let Some((format, values)) = args.get(begins..).and_then(<[Word]>::split_first) else { return };
    let conversions =
        format.literal().filter(|format| !format.starts_with('-')).and_then(|format| conversions(&format));
    let Some(conversions) = conversions else {
        let label = "the format of this `printf` is not written out, or has more than texts and numbers in it";
        let refusal = Refusal { help, ..Refusal::unclear(label) };
        known.refuse_all([format], &refusal);
        known.refuse_all(values, &refusal);
        return;
    };
    if !conversions.contains(&ShellTakes::Number) {
        values.iter().for_each(|word| known.take(word, ShellTakes::Words));
        return;
    }
    let steady = !values.iter().any(Word::splits);
    for (at, word) in values.iter().enumerate() {
        let takes = if steady { conversions[at % conversions.len()] } else { ShellTakes::Number };
        known.take(word, takes);
    }
}

/// What the conversions of a format take, in their order; none if one of them takes neither texts nor numbers.
fn conversions(format: &str) -> Option<Vec<ShellTakes>> {
    let mut conversions = Vec::new();
    let mut chars = format.chars();
    while let Some(char) = chars.next() {
        if char != '%' {
            continue;
        }
        let mut kind = chars.next()?;
        if kind == '%' {
            continue;
        }
        while "-+ 0#123456789.".contains(kind) {
            kind = chars.next()?;
        }
        conversions.push(match kind {
            's' | 'b' | 'c' | 'q' => ShellTakes::Word,
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' => ShellTakes::Number,
            _ => return None,
        });
    }
    Some(conversions)
}
