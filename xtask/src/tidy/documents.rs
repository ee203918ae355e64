//! Checks of documents: the index of decisions, links, the changelog.

use crate::repo::Repo;

const DECISIONS: &str = "docs/adr/";
const INDEX: &str = "docs/adr/README.md";

/// `docs/adr/NNNN-*.md` are numbered without gaps from 0001, and each stands in the index.
pub(super) fn decision_index(repo: &Repo) -> Result<Vec<String>, String> {
    let index = repo.read(INDEX)?;
    let mut files = repo.files_ending(&[".md"])?;
    files.retain(|file| file.starts_with(DECISIONS) && file != INDEX);
    let mut found = Vec::new();
    for (position, file) in files.iter().enumerate() {
        let name = file.trim_start_matches(DECISIONS);
        let number = format!("{:04}-", position + 1);
        if !name.starts_with(&number) {
            found.push(format!(
                "{file}: expected the number {}",
                number.trim_end_matches('-')
            ));
        }
        if !index.contains(&format!("({name})")) {
            found.push(format!("{INDEX}: {name} is not listed"));
        }
        if !repo.read(file)?.starts_with("# ") {
            found.push(format!("{file}:1: the first line is not a title"));
        }
    }
    if files.is_empty() {
        found.push(format!("{DECISIONS}: no decision is recorded"));
    }
    Ok(found)
}

/// Every relative link of a document names a file or folder that is there.
pub(super) fn links(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in repo.files_ending(&[".md"])? {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (number, line) in repo.read(&file)?.lines().enumerate() {
            for target in targets(line) {
                let path = target.split('#').next().unwrap_or_default();
                if !path.is_empty() && !repo.path(folder).join(path).exists() {
                    found.push(format!("{file}:{}: no {target}", number + 1));
                }
            }
        }
    }
    Ok(found)
}

/// Targets of `](...)` that are not addresses; code spans do not count.
fn targets(line: &str) -> Vec<&str> {
    let prose = |at: usize| line[..at].matches('`').count().is_multiple_of(2);
    line.match_indices("](")
        .filter(|&(at, _)| prose(at))
        .filter_map(|(at, open)| line[at + open.len()..].split(')').next())
        .filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
        .collect()
}

/// `CHANGELOG.md` has a section `## [Unreleased]`.
pub(super) fn changelog(repo: &Repo) -> Result<Vec<String>, String> {
    let text = repo.read("CHANGELOG.md")?;
    let there = text.lines().any(|line| line == "## [Unreleased]");
    let problem = "CHANGELOG.md: the section `## [Unreleased]` is missing".to_owned();
    Ok(if there { Vec::new() } else { vec![problem] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_code_are_not_relative_links() {
        let line = "see [a](b.md#c), [d](https://e.f/) and `x[i](j)`";
        assert_eq!(targets(line), ["b.md#c"]);
    }
}
