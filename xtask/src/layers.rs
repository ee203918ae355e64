//! The rules of dependency of `ARCHITECTURE.md`, over the arrows of the workspace.
//!
//! A layer may use what stands below it, never what stands above:
//! spec < engine < library < app < tool, and spec < edge < app. Engines and edges do not see each
//! other, the library sees no edge, and each heavy third-party crate has its door.

use crate::metadata::{Kind, Package};

/// What a spec crate may use beside spec crates: a hash function and an error derive.
const SPEC_ALLOWED: &[&str] = &["tiny-keccak", "thiserror"];

/// What single spec crates may use on top, and why.
const SPEC_ALLOWED_ONCE: &[(&str, &str)] =
    // A receipt is a signature: whoever checks one recovers the signer.
    &[("selfsame-receipt", "k256")];

/// Heavy third-party crates and the only packages that may name them.
const DOORS: &[(&str, &[&str])] = &[
    ("alloy-provider", &["selfsame-chain"]),
    ("alloy-contract", &["selfsame-chain"]),
    ("alloy-network", &["selfsame-chain"]),
    ("alloy-transport", &["selfsame-chain"]),
    ("alloy-rpc-client", &["selfsame-chain"]),
    ("revm", &["selfsame-devnet", "selfsame-conformance"]),
    ("alloy-evm", &["selfsame-devnet", "selfsame-conformance"]),
    ("axum", &["selfsame-devnet"]),
    ("prost", &["selfsame-compiler"]),
    ("prost-build", &["selfsame-compiler"]),
    ("protobuf", &["selfsame-compiler"]),
    ("onnx", &["selfsame-compiler"]),
    ("ort", &[]),
];

/// Doors that tests may use: the devnet is tried with the client that people use.
const DEV_DOORS: &[(&str, &str)] = &[
    ("alloy-provider", "selfsame-devnet"),
    ("alloy-network", "selfsame-devnet"),
];

/// Arrows of dev-dependencies that point up, each with its reason. A test may look at its crate
/// from above; the arrow never ships.
const DEV_ALLOWED: &[(&str, &str, &str)] = &[];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Spec,
    Engine,
    Library,
    Edge,
    App,
    Tool,
}

impl Layer {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "spec" => Self::Spec,
            "engine" => Self::Engine,
            "library" => Self::Library,
            "edge" => Self::Edge,
            "app" => Self::App,
            "tool" => Self::Tool,
            _ => return None,
        })
    }

    fn may_use(self, other: Self) -> bool {
        match self {
            // Edges wrap one outside thing each and do not know each other.
            Self::Spec | Self::Edge => other == Self::Spec,
            Self::Engine => matches!(other, Self::Spec | Self::Engine),
            // The library composes engines for whoever writes an app; it knows no chain.
            Self::Library => matches!(other, Self::Spec | Self::Engine),
            Self::App => other != Self::Tool,
            Self::Tool => true,
        }
    }
}

/// Every arrow that breaks a rule, one line each.
pub fn violations(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for package in packages {
        let Some(layer) = layer_of(package) else {
            let folder = &package.folder;
            found.push(format!(
                "{folder}/Cargo.toml: package.metadata.layer.name is missing or unknown; \
                 it is one of spec, engine, library, edge, app, tool"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let name = &dependency.name;
            if let Some(target) = packages.iter().find(|p| &p.name == name) {
                let inside = inside_arrow(package, layer, target, dependency.kind);
                found.extend(inside);
            } else {
                found.extend(outside_arrow(package, layer, name, dependency.kind));
            }
        }
    }
    found
}

fn layer_of(package: &Package) -> Option<Layer> {
    Layer::named(package.layer.as_deref()?)
}

fn inside_arrow(from: &Package, layer: Layer, to: &Package, kind: Kind) -> Option<String> {
    let target = layer_of(to)?;
    let allowed_dev = |&(a, b, _): &(&str, &str, &str)| a == from.name && b == to.name;
    if kind == Kind::Dev && DEV_ALLOWED.iter().any(allowed_dev) {
        return None;
    }
    // Two rules inside the engine layer: the fence is a leaf, and execution never needs import.
    let same_layer = match (from.name.as_str(), to.name.as_str()) {
        ("selfsame-kernels", other) => kind == Kind::Dev || other == "selfsame-protocol",
        ("selfsame-runtime", "selfsame-compiler") => false,
        _ => true,
    };
    if layer.may_use(target) && same_layer {
        return None;
    }
    let when = if kind == Kind::Dev { " (dev)" } else { "" };
    Some(format!(
        "{} ({layer:?}) depends on {} ({target:?}){when}: arrows point down only",
        from.name, to.name
    ))
}

fn outside_arrow(from: &Package, layer: Layer, name: &str, kind: Kind) -> Option<String> {
    if let Some((_, doors)) = DOORS.iter().find(|(heavy, _)| *heavy == name)
        && !doors.contains(&from.name.as_str())
        && !(kind == Kind::Dev && DEV_DOORS.contains(&(name, from.name.as_str())))
    {
        return Some(format!(
            "{} depends on {name}; its only doors are {doors:?}",
            from.name
        ));
    }
    let once = SPEC_ALLOWED_ONCE.contains(&(from.name.as_str(), name));
    if layer == Layer::Spec && kind != Kind::Dev && !SPEC_ALLOWED.contains(&name) && !once {
        return Some(format!(
            "{} is a spec crate and depends on {name}; allowed are spec crates and {SPEC_ALLOWED:?}",
            from.name
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, layer: &str, dependencies: &[(&str, Kind)]) -> Package {
        Package {
            name: name.to_owned(),
            layer: Some(layer.to_owned()),
            folder: name.to_owned(),
            dependencies: dependencies
                .iter()
                .map(|&(name, kind)| Dependency {
                    name: name.to_owned(),
                    kind,
                })
                .collect(),
        }
    }

    fn count(packages: &[Package]) -> usize {
        violations(packages).len()
    }

    #[test]
    fn arrows_up_are_found_and_arrows_down_are_not() {
        let spec = package("s", "spec", &[]);
        let engine = package("e", "engine", &[("s", Kind::Normal)]);
        let edge = package("d", "edge", &[("e", Kind::Normal)]);
        let app = package("a", "app", &[("e", Kind::Normal), ("s", Kind::Normal)]);
        assert_eq!(count(&[spec.clone(), engine.clone(), app.clone()]), 0);
        assert_eq!(
            count(&[spec.clone(), engine.clone(), edge]),
            1,
            "an edge sees no engine"
        );
        let library = package("l", "library", &[("e", Kind::Normal), ("s", Kind::Normal)]);
        let below = [spec.clone(), engine.clone(), library.clone()];
        assert_eq!(count(&below), 0, "the library sees engines");
        let up = package("e", "engine", &[("l", Kind::Normal)]);
        assert_eq!(count(&[up, library]), 1, "no engine sees the library");
        let up = package("s", "spec", &[("e", Kind::Normal)]);
        assert_eq!(count(&[up, engine]), 1, "spec sees no engine");
        let on_tool = package("b", "app", &[("t", Kind::Normal)]);
        assert_eq!(
            count(&[on_tool, package("t", "tool", &[])]),
            1,
            "nothing depends on a tool"
        );
    }

    #[test]
    fn a_spec_crate_may_use_the_allow_list_only_except_in_tests() {
        assert_eq!(
            count(&[package("s", "spec", &[("tiny-keccak", Kind::Normal)])]),
            0
        );
        assert_eq!(
            count(&[package("s", "spec", &[("serde", Kind::Normal)])]),
            1
        );
        assert_eq!(
            count(&[package("s", "spec", &[("proptest", Kind::Dev)])]),
            0
        );
    }

    #[test]
    fn a_heavy_crate_has_one_door() {
        let chain = package(
            "selfsame-chain",
            "edge",
            &[("alloy-provider", Kind::Normal)],
        );
        assert_eq!(count(&[chain]), 0);
        assert_eq!(
            count(&[package("x", "app", &[("alloy-provider", Kind::Normal)])]),
            1
        );
        assert_eq!(count(&[package("x", "app", &[("revm", Kind::Dev)])]), 1);
    }

    #[test]
    fn a_manifest_without_a_layer_is_refused() {
        let mut bare = package("x", "app", &[]);
        bare.layer = None;
        assert_eq!(count(&[bare]), 1);
    }
}
