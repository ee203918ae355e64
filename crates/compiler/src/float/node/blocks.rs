//! Import of blocks of depth and space.

use super::super::act::Kind;
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// Blocks of channels into space: `[b*b*C][H][W]` to `[C][b*H][b*W]`.
    pub(super) fn depth_to_space(&mut self) -> Imported {
        self.allow(&["blocksize", "mode"])?;
        let (input, channels, [height, width]) = self.image()?;
        let block = self.block(channels, [1, 1])?;
        let depth = channels / (block * block);
        let (split, perm) = match self.text("mode", "DCR")?.as_str() {
            "DCR" => ([block, block, depth, height, width], [2, 3, 0, 4, 1]),
            "CRD" => ([depth, block, block, height, width], [0, 3, 1, 4, 2]),
            other => {
                let what = format!("attribute \"mode\" = {other:?}");
                return Err(self.refuse(what, "DCR or CRD", "use nn.PixelShuffle"));
            }
        };
        self.shuffle(input, &split, &perm, [depth, height * block, width * block])
    }

    /// Blocks of space into channels: `[C][b*H][b*W]` to `[b*b*C][H][W]`.
    pub(super) fn space_to_depth(&mut self) -> Imported {
        self.allow(&["blocksize", "mode"])?;
        let (input, channels, [height, width]) = self.image()?;
        let block = self.block(usize::MAX, [height, width])?;
        let (h, w) = (height / block, width / block);
        let split = [channels, h, block, w, block];
        let perm = match self.text("mode", "DCR")?.as_str() {
            "DCR" => [2, 4, 0, 1, 3],
            "CRD" => [0, 2, 4, 1, 3],
            other => {
                let what = format!("attribute \"mode\" = {other:?}");
                return Err(self.refuse(what, "DCR or CRD", "use nn.PixelUnshuffle"));
            }
        };
        self.shuffle(input, &split, &perm, [channels * block * block, h, w])
    }

    /// The block size, whose square divides `channels` (unless that is the maximum) and which divides the extents.
    fn block(&self, channels: usize, extents: [usize; 2]) -> Result<usize, ImportError> {
        let block = self.int("blocksize", 0)?;
        let fits = |b: &usize| {
            (1..=4096).contains(b)
                && (channels == usize::MAX || channels.is_multiple_of(b * b))
                && (channels != usize::MAX || extents.iter().all(|e| e.is_multiple_of(*b)))
        };
        usize::try_from(block).ok().filter(fits).ok_or_else(|| {
            self.refuse(
                format!("attribute \"blocksize\" = {block}"),
                "a block size that divides the shape",
                "check the model with onnx.checker",
            )
        })
    }

    fn shuffle(
        &mut self,
        input: usize,
        split: &[usize; 5],
        perm: &[usize; 5],
        shape: [usize; 3],
    ) -> Imported {
        let view = self.push(FloatOp::Reshape, vec![input], split.to_vec())?;
        let turned = perm.iter().map(|&axis| split[axis]).collect();
        let turned = self.push(FloatOp::Transpose(perm.to_vec()), vec![view], turned)?;
        let node = self.view(turned, shape.to_vec())?;
        Ok(self.behind_batch(node, Kind::Float))
    }
}
