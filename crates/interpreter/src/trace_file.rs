//! The file form of a trace: every node's output of one run.
//!
//! ```text
//! "SELFTRCE", version u16 = 2, model id, node count u32,
//! then for each node: committed u8 (0 or 1), element type u8, element count u32, canonical bytes
//! ```
//!
//! Integers are big-endian. A decoder refuses any byte beyond these, and takes memory only for
//! bytes that are there.

use alloc::vec::Vec;

use selfsame_ir::{DType, Tensor};
use selfsame_protocol::{DecodeError, Hash, Reader, Writer};

use crate::trace::Trace;

const MAGIC: [u8; 8] = *b"SELFTRCE";
const VERSION: u16 = 2;

/// A trace and the model that it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceFile {
    /// The model.
    pub model_id: Hash,
    /// Its outputs.
    pub trace: Trace,
}

impl TraceFile {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let outputs = self.trace.outputs();
        let mut writer = Writer::new();
        writer.raw(&MAGIC).u16(VERSION).hash(&self.model_id);
        writer.u32(u32::try_from(outputs.len()).unwrap_or(u32::MAX));
        for (node, output) in (0..).zip(outputs) {
            let committed = self.trace.committed().binary_search(&node).is_ok();
            let count = u32::try_from(output.len()).unwrap_or(u32::MAX);
            writer.u8(u8::from(committed));
            writer.u8(output.dtype().code()).u32(count);
            writer.raw(&output.to_bytes());
        }
        writer.into_bytes()
    }

    /// Reads the bytes of a file; what is wrong is named with its offset.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let magic: [u8; 8] = reader.array("magic")?;
        let version = reader.u16("trace version")?;
        if magic != MAGIC || version != VERSION {
            return Err(reader.invalid("trace", u64::from(version), "SELFTRCE, version 2"));
        }
        let model_id = reader.hash("model id")?;
        let nodes = reader.u32("node count")?;
        let mut outputs = Vec::new();
        let mut committed = Vec::new();
        for node in 0..nodes {
            match reader.u8("committed")? {
                0 => {}
                1 => committed.push(node),
                other => return Err(reader.invalid("committed", u64::from(other), "0 or 1")),
            }
            outputs.push(read_output(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self {
            model_id,
            trace: Trace::new(outputs, &committed),
        })
    }
}

fn read_output(reader: &mut Reader<'_>) -> Result<Tensor, DecodeError> {
    let code = reader.u8("element type")?;
    let Some(dtype) = DType::from_code(code) else {
        return Err(reader.invalid("element type", u64::from(code), "1, 2 or 3"));
    };
    let count = reader.u32("element count")? as usize;
    let bytes = reader.take("elements", count.saturating_mul(dtype.size() as usize))?;
    Tensor::from_bytes(dtype, count, bytes)
        .map_err(|_| reader.invalid("elements", count as u64, "a whole number of elements"))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn file() -> TraceFile {
        TraceFile {
            model_id: Hash([7; 32]),
            trace: Trace::new(
                vec![
                    Tensor::I8(vec![1, -2, 3]),
                    Tensor::I16(vec![-300]),
                    Tensor::I32(vec![70_000, -1]),
                ],
                &[0, 2],
            ),
        }
    }

    #[test]
    fn a_trace_survives_its_file() {
        assert_eq!(TraceFile::decode(&file().encode()), Ok(file()));
    }

    #[test]
    fn a_cut_or_lengthened_trace_is_refused() {
        let bytes = file().encode();
        for len in 0..bytes.len() {
            assert!(TraceFile::decode(&bytes[..len]).is_err(), "{len}");
        }
        assert!(TraceFile::decode(&[bytes, vec![0]].concat()).is_err());
    }
}
