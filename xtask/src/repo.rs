//! The working tree: where it is, and which files belong to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root folder of the repository.
#[derive(Debug, Clone)]
pub struct Repo {
    root: PathBuf,
}

impl Repo {
    /// The repository that this package was built from.
    pub fn find() -> Result<Self, String> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package
            .parent()
            .ok_or("xtask has no parent folder")?
            .to_path_buf();
        if root.join("Cargo.toml").is_file() {
            Ok(Self { root })
        } else {
            Err(format!(
                "{} holds no Cargo.toml: build xtask in its repository",
                root.display()
            ))
        }
    }

    /// A tree other than the repository, for tests.
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_path_buf(),
        }
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `relative` below the root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The text of `relative`; the error names the file.
    pub fn read(&self, relative: &str) -> Result<String, String> {
        fs::read_to_string(self.path(relative)).map_err(|e| format!("{relative}: {e}"))
    }

    /// Writes `relative`, with its folders, and says whether that changed anything.
    pub fn write(&self, relative: &str, text: &str) -> Result<bool, String> {
        let path = self.path(relative);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            return Ok(false);
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        }
        fs::write(&path, text).map_err(|e| format!("{relative}: {e}"))?;
        Ok(true)
    }

    /// Every file that is tracked, or new and not ignored, as sorted relative paths with `/`.
    pub fn files(&self) -> Result<Vec<String>, String> {
        let output = Command::new("git")
            .args([
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ])
            .current_dir(&self.root)
            .output()
            .map_err(|e| format!("git ls-files: {e} (git is needed to list the files)"))?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("git ls-files: {reason}"));
        }
        let names = String::from_utf8(output.stdout)
            .map_err(|_| "git ls-files: a file name is not UTF-8".to_owned())?;
        let files: BTreeSet<String> = names
            .split('\0')
            .filter(|name| !name.is_empty() && self.path(name).is_file())
            .map(str::to_owned)
            .collect();
        Ok(files.into_iter().collect())
    }

    /// The files with one of these endings.
    pub fn files_ending(&self, endings: &[&str]) -> Result<Vec<String>, String> {
        let mut files = self.files()?;
        files.retain(|file| endings.iter().any(|ending| file.ends_with(ending)));
        Ok(files)
    }
}
