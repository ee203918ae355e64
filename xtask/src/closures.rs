//! The dependency closures that others must trust, pinned in committed files.
//!
//! The light client is `receipt` and what is below it, the challenger `dispute` and what is below
//! it. A new line in either is an architecture change, so it shows in review as a changed file.

use std::collections::BTreeSet;

use crate::process;
use crate::repo::Repo;

/// Root package and the file that pins its closure.
pub const PINNED: &[(&str, &str)] = &[
    ("selfsame-receipt", "xtask/closures/receipt.txt"),
    ("selfsame-dispute", "xtask/closures/dispute.txt"),
];

/// Name and version of each package that `root` needs to build, sorted, one per line.
pub fn closure(repo: &Repo, root: &str) -> Result<String, String> {
    let mut command = process::cargo(repo.root());
    command.args(["tree", "--package", root, "--edges", "normal,build"]);
    command.args(["--prefix", "none", "--format", "{p}", "--no-dedupe"]);
    let tree = process::run_quiet(&mut command, "")?;
    let names: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.split(" (").next().unwrap_or(line).trim())
        .filter(|line| !line.is_empty())
        .collect();
    let mut text = String::new();
    for name in names {
        text.push_str(name);
        text.push('\n');
    }
    Ok(text)
}

/// One line for each closure that differs from its file.
pub fn differences(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for &(root, file) in PINNED {
        let now = closure(repo, root)?;
        let pinned = repo.read(file).unwrap_or_default();
        let old: BTreeSet<&str> = pinned.lines().collect();
        let new: BTreeSet<&str> = now.lines().collect();
        for line in new.difference(&old) {
            found.push(format!("{file}: {root} now needs {line}"));
        }
        for line in old.difference(&new) {
            found.push(format!("{file}: {root} no longer needs {line}"));
        }
    }
    Ok(found)
}

/// Writes the files; returns those that changed.
pub fn write(repo: &Repo) -> Result<Vec<String>, String> {
    let mut changed = Vec::new();
    for &(root, file) in PINNED {
        if repo.write(file, &closure(repo, root)?)? {
            changed.push(file.to_owned());
        }
    }
    Ok(changed)
}
