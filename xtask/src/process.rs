//! Child processes: shown while they run, kept for counting.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a child left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Whether it ended with status 0.
    pub success: bool,
    /// All of its standard output.
    pub stdout: String,
}

/// Runs `command`, echoing its standard output line by line; standard error passes through.
pub fn run_shown(command: &mut Command) -> Result<Finished, String> {
    let name = describe(command);
    eprintln!("\n> {name}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let pipe = child
        .stdout
        .take()
        .ok_or_else(|| format!("{name}: no output pipe"))?;
    let mut stdout = String::new();
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(|e| format!("{name}: {e}"))?;
        if read == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        eprint!("{text}");
        stdout.push_str(&text);
    }
    let status = child.wait().map_err(|e| format!("{name}: {e}"))?;
    Ok(Finished {
        success: status.success(),
        stdout,
    })
}

/// Runs `command` quietly with `input` on its standard input; an error carries what it wrote.
pub fn run_quiet(command: &mut Command, input: &str) -> Result<String, String> {
    let name = describe(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{name}: {e}"))?;
    let mut stdin = child
        .stdin
        .take()
        .ok_or_else(|| format!("{name}: no input pipe"))?;
    let input = input.to_owned();
    // Written from a thread: a child that answers before it has read everything would block us.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let mut stderr_pipe = child
        .stderr
        .take()
        .ok_or_else(|| format!("{name}: no error pipe"))?;
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        // A broken pipe only shortens the message.
        let _ = stderr_pipe.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut stdout = Vec::new();
    let mut pipe = child
        .stdout
        .take()
        .ok_or_else(|| format!("{name}: no output pipe"))?;
    pipe.read_to_end(&mut stdout)
        .map_err(|e| format!("{name}: {e}"))?;
    let status = child.wait().map_err(|e| format!("{name}: {e}"))?;
    let written = writer
        .join()
        .map_err(|_| format!("{name}: writer panicked"))?;
    let stderr = reader
        .join()
        .map_err(|_| format!("{name}: reader panicked"))?;
    if !status.success() {
        return Err(format!("{name} failed ({status}):\n{}", stderr.trim()));
    }
    written.map_err(|e| format!("{name}: {e}"))?;
    String::from_utf8(stdout).map_err(|_| format!("{name}: output is not UTF-8"))
}

/// `cargo` itself, in `folder`.
pub fn cargo(folder: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(folder);
    command
}

fn describe(command: &Command) -> String {
    let mut words = vec![short(command.get_program())];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

fn short(program: &std::ffi::OsStr) -> String {
    Path::new(program)
        .file_name()
        .unwrap_or(program)
        .to_string_lossy()
        .into_owned()
}
