//! The specification's rules and who names them.
//!
//! A rule is a paragraph that begins with `**4.7**` on a page `docs/spec/N-name.md`. Code refers to
//! it as `Spec: name, 4.7` (also `4.7 to 4.9`, `4.7 and 4.8`, several pages after `;`). A page is
//! known by its file's name and by its second-level headings. The tests that a MUST needs are
//! comments of this form inside test code.

use std::collections::{BTreeMap, BTreeSet};

use super::rust::is_test_file;
use crate::repo::Repo;
use crate::rust_source::RustSource;

const FOLDER: &str = "docs/spec/";

/// Number of a rule: page, then place on it.
type Number = (u32, u32);

#[derive(Debug, Default)]
struct Rules {
    /// Every rule, and whether it holds a MUST.
    musts: BTreeMap<Number, bool>,
    /// Name of a page to the number that its rules begin with.
    pages: BTreeMap<String, u32>,
    /// Problems of the pages themselves.
    problems: Vec<String>,
}

/// References that name a page or a rule which does not exist, and faults of the pages.
pub(super) fn references(repo: &Repo) -> Result<Vec<String>, String> {
    let rules = read_rules(repo)?;
    let mut found = rules.problems.clone();
    for (place, text, _) in mentions(repo)? {
        match resolve(&rules, &text) {
            Ok(numbers) => {
                let missing = numbers
                    .iter()
                    .filter(|number| !rules.musts.contains_key(number));
                found.extend(missing.map(|(page, rule)| format!("{place}: no rule {page}.{rule}")));
            }
            Err(problem) => found.push(format!("{place}: {problem}")),
        }
    }
    Ok(found)
}

/// Rules with a MUST that no test names.
pub(super) fn must_coverage(repo: &Repo) -> Result<Vec<String>, String> {
    let rules = read_rules(repo)?;
    let mut named = BTreeSet::new();
    for (_, text, in_test) in mentions(repo)? {
        if in_test {
            named.extend(resolve(&rules, &text).unwrap_or_default());
        }
    }
    let unnamed = rules
        .musts
        .iter()
        .filter(|&(number, &must)| must && !named.contains(number));
    let lines = unnamed.map(|((page, rule), _)| {
        format!("docs/spec: {page}.{rule} holds a MUST that no test names (`Spec: <page>, {page}.{rule}`)")
    });
    Ok(lines.collect())
}

fn read_rules(repo: &Repo) -> Result<Rules, String> {
    let mut rules = Rules::default();
    let files = repo.files_ending(&[".md"])?;
    for file in files.iter().filter(|file| file.starts_with(FOLDER)) {
        let name = file.trim_start_matches(FOLDER).trim_end_matches(".md");
        let Some((page, slug)) = name.split_once('-') else {
            continue;
        };
        let Ok(page) = page.parse::<u32>() else {
            continue;
        };
        rules.pages.insert(slug.to_owned(), page);
        read_page(file, page, &repo.read(file)?, &mut rules);
    }
    Ok(rules)
}

fn read_page(file: &str, page: u32, text: &str, rules: &mut Rules) {
    let mut current = None;
    for (line_number, line) in text.lines().enumerate() {
        if let Some(heading) = line.strip_prefix("## ") {
            let name = heading
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .trim();
            rules.pages.entry(name.to_lowercase()).or_insert(page);
            current = None;
        } else if let Some(number) = rule_at_start(line) {
            if number.0 != page || rules.musts.insert(number, false).is_some() {
                let (page, rule) = number;
                rules.problems.push(format!(
                    "{file}:{}: rule {page}.{rule} stands twice or on the wrong page",
                    line_number + 1
                ));
            }
            current = Some(number);
        }
        let must = line
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| word == "MUST");
        if must && let Some(number) = current {
            rules.musts.insert(number, true);
        }
    }
}

fn rule_at_start(line: &str) -> Option<Number> {
    let (number, _) = line.strip_prefix("**")?.split_once("**")?;
    parse_number(number.trim_end_matches('.'))
}

fn parse_number(text: &str) -> Option<Number> {
    let (page, rule) = text.split_once('.')?;
    Some((page.parse().ok()?, rule.parse().ok()?))
}

/// `(place, text after "Spec:", inside test code)` for every mention in a comment.
fn mentions(repo: &Repo) -> Result<Vec<(String, String, bool)>, String> {
    let mut found = Vec::new();
    for file in repo.files_ending(&[".rs", ".sol"])? {
        // This package talks about the form of references.
        if file.starts_with("xtask/") {
            continue;
        }
        let text = repo.read(&file)?;
        let solidity_test = file.starts_with("contracts/test/");
        let whole = solidity_test || is_test_file(&file);
        // Solidity has no such items: the marks of Rust are not found there.
        let tests = RustSource::new(&text).test_lines();
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let Some((before, after)) = line.split_once("Spec: ") else {
                continue;
            };
            if !(before.contains("//") || before.trim_start().starts_with('*')) {
                continue;
            }
            let in_test = whole
                || tests
                    .iter()
                    .any(|&(first, last)| (first..=last).contains(&number));
            found.push((format!("{file}:{number}"), after.to_owned(), in_test));
        }
    }
    Ok(found)
}

/// The rules that `text` names, up to its first full stop after a number.
fn resolve(rules: &Rules, text: &str) -> Result<Vec<Number>, String> {
    let mut numbers = Vec::new();
    let mut page = None;
    let mut range_from: Option<Number> = None;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| ",;()`".contains(c));
        let ends = bare.ends_with('.');
        let bare = bare.trim_end_matches('.');
        if let Some(&number) = rules.pages.get(bare) {
            page = Some(number);
        } else if let Some(number) = parse_number(bare) {
            if page != Some(number.0) {
                return Err(format!("{bare} is not a rule of the page named before it"));
            }
            if let Some(from) = range_from.take() {
                // Numbers may have gaps; the two ends must exist.
                let between = (from.1 + 1..number.1).map(|rule| (number.0, rule));
                numbers.extend(between.filter(|number| rules.musts.contains_key(number)));
            }
            numbers.push(number);
        } else if bare == "to" {
            range_from = numbers.last().copied();
        } else if page.is_none() {
            let known: Vec<_> = rules.pages.keys().map(String::as_str).collect();
            return Err(format!(
                "{bare:?} is no page; pages are {}",
                known.join(", ")
            ));
        }
        if ends {
            break;
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Rules {
        let mut rules = Rules::default();
        rules.pages.insert("game".to_owned(), 4);
        let page = "# 4. Game\n\n## Clocks\n\n**4.1** It may.\n\n**4.2** It MUST.\nAnd more.\n\n**4.3** MUSTARD.\n";
        read_page("p", 4, page, &mut rules);
        rules
    }

    #[test]
    fn rules_pages_and_musts_are_read() {
        let rules = sample();
        assert_eq!(
            rules.musts.values().copied().collect::<Vec<_>>(),
            [false, true, false]
        );
        assert_eq!(rules.pages.get("clocks"), Some(&4));
    }

    #[test]
    fn lists_and_ranges_name_every_rule_and_prose_after_the_stop_does_not_count() {
        let rules = sample();
        assert_eq!(
            resolve(&rules, "game, 4.1 to 4.3. Then 9.9").unwrap(),
            [(4, 1), (4, 2), (4, 3)]
        );
        assert_eq!(
            resolve(&rules, "clocks, 4.1 and 4.3").unwrap(),
            [(4, 1), (4, 3)]
        );
        assert!(resolve(&rules, "nowhere, 4.1").is_err());
        assert!(resolve(&rules, "game, 5.1").is_err());
    }
}
