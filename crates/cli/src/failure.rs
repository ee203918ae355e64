//! What a command says when it does not do what was asked: what, where, what to do next.

use std::fmt::{self, Display};
use std::path::Path;

use serde::Serialize;

use crate::exit::Exit;

/// Why a command stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    hint: Option<String>,
}

/// The form of a failure under `--json`, on standard error.
#[derive(Serialize)]
struct Object<'a> {
    schema: &'static str,
    exit_code: u8,
    kind: &'static str,
    error: &'a str,
    hint: Option<&'a str>,
}

/// The result of a command.
pub(crate) type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure with exit code `exit`.
    pub(crate) fn new(exit: Exit, what: impl Display) -> Self {
        Self {
            exit,
            what: what.to_string(),
            hint: None,
        }
    }

    /// A refused file, model or input.
    pub(crate) fn input(what: impl Display) -> Self {
        Self::new(Exit::Input, what)
    }

    /// A refused file, named.
    pub(crate) fn file(path: &Path, what: impl Display) -> Self {
        Self::input(format!("{}: {what}", path.display()))
    }

    /// Puts the file's name in front.
    #[must_use]
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.what = format!("{}: {}", path.display(), self.what);
        self
    }

    /// A command line that parses but makes no sense.
    pub(crate) fn usage(what: impl Display) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Adds what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// How the process ends.
    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }

    /// The one-line JSON form.
    pub(crate) fn json(&self) -> String {
        let object = Object {
            schema: "selfsame.error/1",
            exit_code: self.exit.code(),
            kind: self.exit.meaning(),
            error: &self.what,
            hint: self.hint.as_deref(),
        };
        serde_json::to_string(&object).unwrap_or_else(|error| error.to_string())
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        match &self.hint {
            Some(hint) => write!(f, "\n hint: {hint}"),
            None => Ok(()),
        }
    }
}
