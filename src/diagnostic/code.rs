//! Every code that an error can have: their one home. `docs/errors.md` explains each, with an example that a test runs.

use super::Severity;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal $severity:ident $title:literal;)*) => {
        /// What kind of mistake it is. The number is a contract: it is never given to something else.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            pub const ALL: &'static [Code] = &[$(Code::$name),*];

            /// As it is printed and asked for: `RB0102`.
            pub fn id(self) -> &'static str {
                match self { $(Code::$name => concat!("RB", $number),)* }
            }

            /// The kind of mistake in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    // Reading and syntax
    CannotRead = "0001" Error "the file can't be read";
    NotUtf8 = "0002" Error "the file is not UTF-8 text";
    Syntax = "0003" Error "the text is not what the grammar expects here";
    Unclosed = "0004" Error "a block, bracket or string is not closed";
    TooDeep = "0005" Error "nested too deeply";
    BadEscape = "0006" Error "unknown escape in a string";
    BadLiteral = "0007" Error "a literal that has no meaning";
    NotBuiltYet = "0008" Error "part of the language that this version can't carry out";
    NoRunbook = "0009" Error "no `runbook` header";
    LanguageVersion = "0010" Error "a version of the language that this program doesn't know";
    Misplaced = "0011" Error "a statement where it has no meaning";
    TooLarge = "0012" Error "the file is too large";

    // Names
    UnknownName = "0101" Error "unknown name";
    UnknownField = "0102" Error "unknown field";
    UnknownModule = "0103" Error "unknown module or member of one";
    UnknownArgument = "0104" Error "unknown or doubled argument";
    MissingArgument = "0105" Error "an argument is missing";
    Duplicate = "0106" Error "two things with one name";
    UnknownStep = "0107" Error "unknown step";
    CircularUse = "0108" Error "modules that use each other in a circle";
    UnknownType = "0109" Error "unknown type";
    DoubledId = "0110" Error "two expects with one id";
    UnknownKey = "0111" Error "unknown kind of fact";
    NotYetBound = "0112" Error "used before it is bound";

    // Types
    TypeMismatch = "0201" Error "a value of another type is expected";
    Incomparable = "0202" Error "values that can never be equal";
    BadOperand = "0203" Error "an operator that can't take this";
    NotCallable = "0204" Error "not something that can be called";
    BadRegex = "0205" Error "the regular expression can't be read";
    NotALoop = "0206" Error "not something to loop over";
    NotText = "0207" Error "can't be put into a text";
    BadParam = "0208" Error "a parameter without a usable value";
    NotExhaustive = "0209" Error "a choice that nothing is said of";
    NullForAbsent = "0210" Error "`null` where absent is meant";
    NegatedAbsence = "0211" Warning "a negation that something absent decides";

    // Effects
    ActionInExpression = "0301" Error "an action where only looking is allowed";
    ProbeAsAction = "0302" Error "a probe where an action is expected";
    WithinWithoutProbe = "0303" Error "asking again what can't change";
    CheckAsValue = "0304" Error "a check or action used as a value";
    RecursiveDefinition = "0305" Error "a check or action that comes back to itself";
    SameQuestion = "0308" Warning "a loop that asks one question";
    ImpossibleTiming = "0306" Error "times that can't be met";
    UnlessWithoutTime = "0307" Error "`unless` without a time";

    // Shell strings
    ShellPlace = "0401" Error "a value where a shell may not take it as data";
    ShellQuotes = "0402" Error "the shell text is not closed";
    ShellLiteral = "0403" Error "a shell command must be written out";
    PipeFailure = "0405" Error "a pipeline whose failures would be lost";
    ExitCode = "0406" Error "an exit code that can't be accepted";
    NetworkClient = "0404" Warning "a probe that asks over the network, where it may not";

    // Secrets
    SecretInCommand = "0501" Error "a secret where others can read it";
    SecretInText = "0502" Error "a secret where it would be shown";
    SecretParameter = "0503" Error "a parameter for secrets, and something else";
    SecretInId = "0504" Error "a secret as a part of an id";

    // Ways back (warnings)
    NoWayBack = "0601" Warning "a run that could not be undone";

    NoProof = "0604" Warning "a run that can only end with nothing proven";

    // Accepted risks
    UnacceptableRisk = "0602" Error "a risk that can't be accepted like this";
    RiskRanOut = "0603" Warning "an accepted risk that has run out";

    // Unused (warnings)
    Unused = "0901" Warning "never used";
}

impl Code {
    /// The code that someone means who asks for `RB0102`, `rb0102` or `0102`.
    pub fn parse(text: &str) -> Option<Code> {
        let digits = text.trim().trim_start_matches(['R', 'r']).trim_start_matches(['B', 'b']);
        Code::ALL.iter().copied().find(|code| code.id().trim_start_matches("RB") == digits)
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}
