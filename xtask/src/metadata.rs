//! What `cargo metadata` says about the workspace: packages, layers, arrows.

use serde_json::Value;

use crate::process;
use crate::repo::Repo;

/// When a dependency is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By the library or program.
    Normal,
    /// By the build script.
    Build,
    /// By tests, examples and benches only.
    Dev,
}

/// One declared dependency.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// When it is used.
    pub kind: Kind,
}

/// One package of the workspace.
#[derive(Debug, Clone)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// `package.metadata.layer.name`, if there.
    pub layer: Option<String>,
    /// What its manifest declares.
    pub dependencies: Vec<Dependency>,
    /// Folder of the manifest, relative to the root.
    pub folder: String,
}

/// The packages of the workspace, by `cargo metadata --no-deps` with the committed lock file.
pub fn workspace(repo: &Repo) -> Result<Vec<Package>, String> {
    let mut command = process::cargo(repo.root());
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    let text = process::run_quiet(&mut command, "")?;
    parse(&text, &repo.root().to_string_lossy())
}

fn parse(text: &str, root: &str) -> Result<Vec<Package>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("cargo metadata: {e}"))?;
    let packages = value["packages"]
        .as_array()
        .ok_or("cargo metadata: no packages")?;
    let mut packages: Vec<Package> = packages
        .iter()
        .map(|package| read_package(package, root))
        .collect::<Result<_, _>>()?;
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(packages)
}

fn read_package(value: &Value, root: &str) -> Result<Package, String> {
    let name = value["name"]
        .as_str()
        .ok_or("cargo metadata: a package has no name")?;
    let manifest = value["manifest_path"].as_str().unwrap_or_default();
    let folder = manifest.trim_start_matches(root).trim_start_matches('/');
    let folder = folder.trim_end_matches("Cargo.toml").trim_end_matches('/');
    let dependencies = value["dependencies"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(Package {
        name: name.to_owned(),
        layer: value["metadata"]["layer"]["name"]
            .as_str()
            .map(str::to_owned),
        folder: folder.to_owned(),
        dependencies: dependencies.iter().map(read_dependency).collect(),
    })
}

fn read_dependency(value: &Value) -> Dependency {
    let kind = match value["kind"].as_str() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    Dependency {
        name: value["name"].as_str().unwrap_or_default().to_owned(),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_kind_and_folder_are_read() {
        let text = r#"{"packages": [{"name": "a", "manifest_path": "/r/crates/a/Cargo.toml",
            "metadata": {"layer": {"name": "spec"}},
            "dependencies": [{"name": "b", "kind": "dev"}, {"name": "c", "kind": null}]}]}"#;
        let packages = parse(text, "/r").unwrap();
        assert_eq!(packages[0].layer.as_deref(), Some("spec"));
        assert_eq!(packages[0].folder, "crates/a");
        assert_eq!(packages[0].dependencies[0].kind, Kind::Dev);
        assert_eq!(packages[0].dependencies[1].kind, Kind::Normal);
    }
}
