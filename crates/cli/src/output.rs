//! Where words go: data to standard output, everything else to standard error.
//!
//! A command makes a [`Report`]; this module prints it as text or, with `--json`, as one object
//! `{"schema": "selfsame.<command>/1", ...}`. Colour and progress bars appear only where a person
//! looks: on a terminal, with `NO_COLOR` unset and `TERM` not `dumb`. No meaning hangs on colour.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;
use crate::paint::Paint;

/// What a command found, in a form for programs and one for people.
pub(crate) trait Report: Serialize {
    /// The command's name in the schema, such as `inspect`.
    fn command(&self) -> &'static str;

    /// The form for people; ends with a line end.
    fn text(&self, paint: Paint) -> String;
}

/// The two streams and how to write on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    data: Paint,
    notes: Paint,
    bars: bool,
}

#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    schema: String,
    #[serde(flatten)]
    report: &'a T,
}

impl Output {
    /// Looks at the streams and the environment once.
    pub(crate) fn new(json: bool) -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let plain = set("NO_COLOR") || dumb;
        let forced = set("CLICOLOR_FORCE") && !set("NO_COLOR");
        let paint = |terminal: bool| Paint::new(forced || (terminal && !plain));
        let notes_terminal = io::stderr().is_terminal();
        Self {
            json,
            data: paint(io::stdout().is_terminal()),
            notes: paint(notes_terminal),
            bars: notes_terminal && !dumb,
        }
    }

    /// The colours of standard output.
    pub(crate) const fn paint(self) -> Paint {
        self.data
    }

    /// A part of a long answer for people; silent with `--json`.
    pub(crate) fn section(self, text: &str) {
        if !self.json {
            write_data(text);
        }
    }

    /// Prints a report on standard output.
    pub(crate) fn report<T: Report>(self, report: &T) {
        if self.json {
            write_data(&format!("{}\n", json_line(report)));
        } else {
            write_data(&report.text(self.data));
        }
    }

    /// A remark on standard error; silent with `--json`.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            write_note(&format!("{text}\n"));
        }
    }

    /// The end of a command that failed, on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        if self.json {
            write_note(&format!("{}\n", failure.json()));
            return;
        }
        let text = failure.to_string();
        let painted = match text.strip_prefix("error:") {
            Some(rest) => format!("{}{rest}\n", self.notes.bad("error:")),
            None => format!("{text}\n"),
        };
        write_note(&painted);
    }

    /// A progress bar on standard error, hidden unless that is a terminal.
    pub(crate) fn bar(self, total: u64, what: &'static str) -> ProgressBar {
        if !self.bars || self.json {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let template = "{msg:<28} {bar:32} {pos}/{len} {elapsed}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}

/// A report as one line of JSON.
pub(crate) fn json_line<T: Report>(report: &T) -> String {
    let envelope = Envelope {
        schema: format!("selfsame.{}/1", report.command()),
        report,
    };
    serde_json::to_string(&envelope).unwrap_or_else(|error| error.to_string())
}

fn write_data(text: &str) {
    let mut stream = io::stdout().lock();
    if let Err(error) = stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        write_note(&format!("error: standard output: {error}\n"));
    }
}

/// Standard error is where problems are told; there is nobody left to tell about its own.
fn write_note(text: &str) {
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
