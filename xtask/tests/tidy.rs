//! Every text check and the layer rules as tests: the half of `cargo xtask test` that needs
//! nothing but the sources.

use xtask::repo::Repo;
use xtask::tidy::{CHECKS, Check, LAYERS};

fn assert_clean(checks: &[Check]) {
    let repo = Repo::find().expect("the tests run in the repository");
    let mut all = Vec::new();
    for (name, check) in checks {
        let problems = check(&repo).unwrap_or_else(|problem| vec![problem]);
        if !problems.is_empty() {
            all.push(format!("{name}:\n  {}", problems.join("\n  ")));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn the_repository_is_tidy() {
    assert_clean(CHECKS);
}

#[test]
fn every_arrow_between_crates_points_down() {
    assert_clean(&[LAYERS]);
}
