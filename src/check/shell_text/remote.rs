//! Programs that are shells, or hand their words to one: `sh -c`, `ssh`, `su -c`, and those that start them, such as
//! `sudo`, `timeout` and `find -exec`.
//!
//! Other programs read their words in their own ways: that is not the shell's doing, and the promise does not cover it.

use super::Refusal;
use super::known::Known;
use super::word::Word;
use crate::check::program::ShellTakes;

const SHELLS: &[&str] = &[
    "ash", "bash", "csh", "dash", "fish", "hush", "ksh", "ksh93", "lksh", "mksh", "oksh", "posh", "rbash", "rksh",
    "sh", "tcsh", "yash", "zsh",
];

/// Programs that run the program that stands among their words.
const STARTERS: &[&str] = &[
    "aws-vault",
    "bwrap",
    "busybox",
    "capsh",
    "chroot",
    "chrt",
    "cpulimit",
    "dbus-run-session",
    "direnv",
    "docker",
    "doas",
    "env",
    "exec",
    "fakeroot",
    "faketime",
    "find",
    "firejail",
    "flock",
    "gosu",
    "ionice",
    "ip",
    "kubectl",
    "lxc",
    "lxc-attach",
    "machinectl",
    "nerdctl",
    "nice",
    "nocache",
    "nohup",
    "nsenter",
    "numactl",
    "oc",
    "op",
    "pct",
    "pkexec",
    "podman",
    "prlimit",
    "proot",
    "runcon",
    "setarch",
    "setpriv",
    "setsid",
    "setuidgid",
    "sg",
    "sshpass",
    "stdbuf",
    "strace",
    "su-exec",
    "sudo",
    "systemd-inhibit",
    "systemd-run",
    "taskset",
    "time",
    "timeout",
    "tini",
    "toybox",
    "trickle",
    "tsocks",
    "unbuffer",
    "unshare",
    "uvx",
    "valgrind",
    "xargs",
    "xvfb-run",
];

/// Programs that give a shell what stands behind one of these options.
const COMMAND_OPTIONS: &[(&str, &[&str])] = &[
    ("env", &["-S", "--split-string"]),
    ("flock", &["-c", "--command"]),
    ("nix-shell", &["--run", "--command"]),
    ("runuser", &["-c", "--command", "--session-command"]),
    ("script", &["-c", "--command"]),
    ("sg", &["-c"]),
    ("su", &["-c", "--command", "--session-command"]),
];

/// Programs that find their options anywhere among their words.
const OPTIONS_ANYWHERE: &[&str] = &["runuser", "script", "su"];

/// Programs that give a shell all that they are given.
const HAND_ON: &[&str] = &["clush", "entr", "mosh", "parallel", "parallel-ssh", "pdsh", "pssh", "rsh", "tmux", "watch"];

const ARGUMENTS: &str = "give it to that shell as an argument: `sh -c 'echo \"$1\"' sh #{value}`";
const STDIN: &str =
    "give it on standard input: `run \"ssh host 'read -r name; systemctl restart -- \\\"$name\\\"'\" stdin name`";
const ENDED: &str = "write `--` before it, or begin it with text: `./#{value}`, `user@#{value}`";

/// The words of a program.
pub(super) fn judge(name: &str, args: &[Word], known: &mut Known) {
    args.iter().for_each(|word| known.take(word, ShellTakes::Words));
    own(name, args, known);
    let starts = STARTERS.contains(&name);
    for (at, word) in args.iter().enumerate() {
        let Some(literal) = word.literal() else { continue };
        let program = literal.rsplit('/').next().unwrap_or_default();
        let rest = &args[at + 1..];
        if starts {
            own(program, rest, known);
        } else if SHELLS.contains(&program) && begins_with_script(rest) {
            shell(program, rest, known);
        }
        environment(name, starts, &literal, word, known);
    }
    if starts {
        for word in args.iter().filter(|word| word.has_value()) {
            environment(name, starts, &word.lead(), word, known);
        }
    }
}

/// `env BASH_ENV=…`: variables from which a shell takes source.
fn environment(name: &str, starts: bool, lead: &str, word: &Word, known: &mut Known) {
    if starts && ["BASH_ENV=", "PS4="].iter().any(|special| lead.starts_with(special)) {
        let label = format!("`{name}` gives it to a shell, which would read it as source");
        known.refuse_all([word], &Refusal::again(label, "choose another name for the variable"));
    }
}

/// What a program itself does with its words.
fn own(name: &str, args: &[Word], known: &mut Known) {
    if SHELLS.contains(&name) {
        return shell(name, args, known);
    }
    if matches!(name, "ssh" | "slogin" | "autossh") {
        return ssh(name, args, known);
    }
    if HAND_ON.contains(&name) {
        let label = format!("`{name}` gives it to a shell, which would read it as source");
        return known.refuse_all(args, &Refusal::again(label, STDIN));
    }
    let Some((_, options)) = COMMAND_OPTIONS.iter().find(|(program, _)| *program == name) else { return };
    let anywhere = OPTIONS_ANYWHERE.contains(&name);
    let refusal = Refusal::again(format!("`{name}` gives it to a shell, which would read it as source"), ARGUMENTS);
    let may_be_option = Refusal::again(format!("`{name}` may take it for an option such as `-c`"), ENDED);
    let mut ended = false;
    let mut operands = 0;
    let mut before = None;
    for word in args {
        let lead = word.lead();
        let attached = options.iter().any(|option| match option.strip_prefix("--") {
            Some(_) => lead.starts_with(&format!("{option}=")),
            None => lead.starts_with('-') && !lead.starts_with("--") && lead.contains(&option[1..]),
        });
        let behind = before.take().is_some_and(|before: String| takes_command(&before, options));
        if behind || (attached && !ended) {
            known.refuse_all([word], &refusal);
        } else if anywhere
            && word.has_value()
            && (operands > 1 || (!ended && (lead.is_empty() || lead.starts_with('-'))))
        {
            known.refuse_all([word], &may_be_option);
        }
        if anywhere {
            // A list could bring its own options.
            known.take(word, ShellTakes::Word);
            operands += usize::from(ended && lead != "--");
        }
        before = word.literal();
        ended |= before.as_deref() == Some("--");
    }
}

/// Whether the word behind this one is the command.
fn takes_command(option: &str, options: &[&str]) -> bool {
    options.iter().any(|known| {
        option == *known
            || (!known.starts_with("--")
                && option.starts_with('-')
                && !option.starts_with("--")
                && option.ends_with(&known[1..]))
    })
}

/// Whether options with a `c` among them stand directly behind a shell's name.
fn begins_with_script(args: &[Word]) -> bool {
    args.iter()
        .map_while(|word| word.literal().filter(|word| word.starts_with('-')))
        .any(|option| !option.starts_with("--") && option.contains('c'))
}

/// `sh [options] script args`, `sh [options] -c source args`
fn shell(name: &str, args: &[Word], known: &mut Known) {
    let mut source = false;
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let lead = word.lead();
        let Some(literal) = word.literal() else {
            if !word.has_value() {
                // Written by the author: the script.
                break;
            }
            if source {
                let label = format!("`{name} -c` would read it as source");
                known.refuse_all([word], &Refusal::again(label, ARGUMENTS));
            } else if lead.starts_with(['-', '+']) || (lead.is_empty() && !word.text().contains('/')) {
                let label = format!("`{name}` may take it for an option such as `-c`");
                known.refuse_all([word], &Refusal::again(label, ENDED));
                known.refuse_all(words.as_slice(), &Refusal::again(format!("`{name}` may read it as source"), ENDED));
            }
            known.take(word, ShellTakes::Word);
            return;
        };
        if literal == "--" || literal == "-" {
            let Some(word) = words.next() else { return };
            known.take(word, ShellTakes::Word);
            if source {
                let label = format!("`{name} -c` would read it as source");
                known.refuse_all([word], &Refusal::again(label, ARGUMENTS));
            }
            return;
        }
        if !literal.starts_with(['-', '+']) {
            return;
        }
        if literal.starts_with("--") {
            if matches!(&*literal, "--rcfile" | "--init-file" | "--init-command") {
                behind_option(name, words.next(), known);
            }
            continue;
        }
        source |= literal.starts_with('-') && literal.contains('c');
        for _ in literal.chars().filter(|char| matches!(char, 'o' | 'O')) {
            behind_option(name, words.next(), known);
        }
    }
}

fn behind_option(name: &str, word: Option<&Word>, known: &mut Known) {
    let refusal = Refusal::again(format!("behind an option of `{name}`"), ARGUMENTS);
    known.refuse_all(word, &refusal);
}

/// `ssh [options] host words`: the words are joined, and read by the shell over there.
fn ssh(name: &str, args: &[Word], known: &mut Known) {
    const WITH_ARGUMENT: &str = "BbcDEeFIiJLlmOopQRSWw";
    const PLAIN: &str = "BbcEFilmp";
    let refused = |label: &str, help| Refusal::again(label.to_owned(), help);
    let option = format!("`{name}` may take it for an option such as `-oProxyCommand=…`");
    let command = "the shell on the other host would read it as source";
    let mut words = args.iter();
    while let Some(word) = words.next() {
        known.take(word, ShellTakes::Word);
        let lead = word.lead();
        if lead == "--" && !word.has_value() {
            known.refuse_all(words.as_slice().get(1..).unwrap_or_default(), &refused(command, STDIN));
            words.next().into_iter().for_each(|word| known.take(word, ShellTakes::Word));
            return;
        }
        let Some(letters) = lead.strip_prefix('-') else {
            if lead.is_empty() {
                known.refuse_all([word], &refused(&option, ENDED));
            }
            known.refuse_all(words.as_slice(), &refused(command, STDIN));
            return;
        };
        let Some((at, letter)) = letters.char_indices().find(|(_, letter)| WITH_ARGUMENT.contains(*letter)) else {
            known.refuse_all([word], &refused(&option, ENDED));
            continue;
        };
        // The option's argument: the rest of this word, or the next one.
        let rest = &letters[at + 1..];
        let (argument, text) = if rest.is_empty() && !word.has_value() {
            match words.next() {
                Some(word) => (word, word.lead()),
                None => return,
            }
        } else {
            (word, rest.to_owned())
        };
        known.take(argument, ShellTakes::Word);
        let harmless = PLAIN.contains(letter) || (letter == 'o' && sets_harmless(&text));
        if !harmless {
            known.refuse_all([argument], &refused("`ssh` may run what stands in this option", STDIN));
        }
    }
}

/// Whether `Name=…` of `ssh -o` names something else than a command.
fn sets_harmless(text: &str) -> bool {
    let Some((name, _)) = text.split_once(['=', ' ']) else { return false };
    let name = name.trim().to_ascii_lowercase();
    !["command", "proxy", "include", "match", "exec", "provider", "authlocation"].iter().any(|word| name.contains(word))
}
