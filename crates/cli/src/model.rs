//! A program file, read and checked.

use std::fs;
use std::io::Read;
use std::path::Path;

use selfsame_ir::{CheckedProgram, DimValues, ModelCommitment, artefact};

use crate::failure::{Failure, Outcome};

/// Most bytes that any input file may have.
pub(crate) const FILE_BYTES_MAX: u64 = 1 << 30;

/// Files from this size on are read on [`READERS`] threads.
const PARALLEL_BYTES_MIN: u64 = 2 << 20;
const READERS: usize = 4;

/// A checked program with its commitment.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// The program.
    pub(crate) program: CheckedProgram,
    /// What its id commits to.
    pub(crate) commitment: ModelCommitment,
    /// Bytes of the artefact.
    pub(crate) artefact_bytes: u64,
}

impl Model {
    /// Reads and checks the artefact at `path`.
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let bytes = read_file(path)?;
        Self::decode(&bytes).map_err(|error| {
            let failure = Failure::file(path, error);
            if path
                .extension()
                .is_some_and(|extension| extension == "onnx")
            {
                failure.hint("this is an ONNX file; `selfsame import` makes a program of it")
            } else {
                failure
                    .hint("`selfsame import MODEL.onnx --calibrate D.npz -o OUT` makes a program")
            }
        })
    }

    /// Checks artefact bytes.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, artefact::ArtefactError> {
        let (program, commitment) = selfsame_runtime::open(bytes)?;
        Ok(Self {
            program,
            commitment,
            artefact_bytes: bytes.len() as u64,
        })
    }

    /// The name that the artefact carries.
    pub(crate) fn name(&self) -> &str {
        &self.program.program().notes.name
    }

    /// The dimension values of a run: the maxima of the symbols.
    pub(crate) fn values(&self) -> DimValues {
        DimValues::maxima(&self.program.program().symbols)
    }

    /// The name of a node, or its operator where it has none.
    pub(crate) fn node_name(&self, node: u32) -> String {
        let notes = &self.program.program().notes.nodes;
        let named = notes.get(node as usize).filter(|name| !name.is_empty());
        match (named, self.program.node(node)) {
            (Some(name), _) => name.clone(),
            (None, Some(node)) => node.op.name().to_owned(),
            (None, None) => String::new(),
        }
    }
}

/// Reads a file of at most [`FILE_BYTES_MAX`] bytes.
pub(crate) fn read_file(path: &Path) -> Outcome<Vec<u8>> {
    let refuse = |error: std::io::Error| Failure::file(path, error);
    let file = fs::File::open(path).map_err(refuse)?;
    let found = file.metadata().map_err(refuse)?;
    if found.is_file() && (PARALLEL_BYTES_MIN..=FILE_BYTES_MAX).contains(&found.len()) {
        return read_in_parts(&file, found.len()).map_err(refuse);
    }
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(refuse)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let what = format!("more than {FILE_BYTES_MAX} bytes");
        return Err(Failure::file(path, what).hint("split the data into smaller files"));
    }
    Ok(bytes)
}

/// Reads the first `len` bytes of a large file on several threads: most of the time is the system's,
/// which hands out fresh memory page by page.
#[cfg(unix)]
fn read_in_parts(file: &fs::File, len: u64) -> std::io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt as _;

    let len = usize::try_from(len).map_err(std::io::Error::other)?;
    let mut bytes = vec![0; len];
    let part = len.div_ceil(READERS);
    let read = |(index, part_bytes): (usize, &mut [u8])| {
        file.read_exact_at(part_bytes, (index * part) as u64)
    };
    std::thread::scope(|scope| {
        let parts = bytes.chunks_mut(part).enumerate();
        let readers: Vec<_> = parts.map(|one| scope.spawn(move || read(one))).collect();
        readers.into_iter().try_for_each(|reader| {
            let failed = |_| std::io::Error::other("a thread ended early");
            reader.join().map_err(failed)?
        })
    })?;
    Ok(bytes)
}

#[cfg(not(unix))]
fn read_in_parts(file: &fs::File, len: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Outcome<()> {
    fs::write(path, bytes).map_err(|error| Failure::file(path, error))
}
